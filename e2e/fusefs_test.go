//go:build e2e

package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// faultFS is a directory mounted through bin/tools/fusefs, which misbehaves as told (go doc ./tools/fusefs).
type faultFS struct {
	dir   string // below; what the disk holds
	mount string
	cmd   *exec.Cmd
	in    *os.File // commands
	out   *bufio.Reader
}

// needRoot skips the test of an ordinary user.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system takes root")
	}
}

// mountFaults shows dir, or a new directory if that is "", through fusefs with these flags until the test ends.
func mountFaults(t *testing.T, dir string, flags ...string) *faultFS {
	t.Helper()
	needRoot(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("there is no /dev/fuse: modprobe fuse")
	}
	if dir == "" {
		dir = t.TempDir()
	}
	f := &faultFS{dir: dir, mount: filepath.Join(t.TempDir(), "fuse")}
	if err := os.Mkdir(f.mount, 0o755); err != nil {
		t.Fatal(err)
	}
	f.cmd = exec.Command(filepath.Join("..", "bin", "tools", "fusefs"), append(flags, f.dir, f.mount)...)
	f.cmd.Stderr = os.Stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f.cmd.Stdin, f.in, f.out = r, w, bufio.NewReader(out)
	if err := f.cmd.Start(); err != nil {
		t.Fatalf("starting fusefs: %v; run make e2e, which builds it", err)
	}
	_ = r.Close() // the child has it
	t.Cleanup(func() { f.unmount(t) })
	f.answer(t, "mount")
	return f
}

// tell gives a command and waits until it is obeyed.
func (f *faultFS) tell(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(f.in, line); err != nil {
		t.Fatal(err)
	}
	f.answer(t, line)
}

func (f *faultFS) answer(t *testing.T, to string) {
	t.Helper()
	if line, err := f.out.ReadString('\n'); err != nil || line != "ok\n" {
		t.Fatalf("fusefs answered %q to %q: %q, %v", line, to, strings.TrimSpace(line), err)
	}
}

// unmount ends the mount; what uses it still finds nothing but errors. A second call does nothing.
func (f *faultFS) unmount(t *testing.T) {
	t.Helper()
	if f.in == nil {
		return
	}
	if err := syscall.Unmount(f.mount, syscall.MNT_DETACH); err != nil {
		t.Errorf("unmounting: %v", err)
	}
	_ = f.in.Close() // ends it, if the unmounting has not
	f.in = nil
	_ = f.cmd.Process.Kill() // it has nothing left to do
	_ = f.cmd.Wait()         // killed
}

// campaign is a campaign below the mount.
func (f *faultFS) campaign(s *sim) *campaign {
	return &campaign{dir: filepath.Join(f.mount, "campaign"), url: s.url}
}

// below is the same campaign as the directory below holds it, past all faults.
func (f *faultFS) below(s *sim) *campaign {
	return &campaign{dir: filepath.Join(f.dir, "campaign"), url: s.url}
}
