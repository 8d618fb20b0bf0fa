//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// onTmpfs puts a new campaign on a file system of its own, mounted with these options.
func onTmpfs(t *testing.T, s *sim, options string) *campaign {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system takes root")
	}
	at := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, options); err != nil {
		t.Fatalf("mounting a tmpfs with %s: %v", options, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return &campaign{dir: filepath.Join(at, "campaign"), url: s.url}
}

// TestDiskFull (F40, F41, F42) fills the file system that holds data and queue, by bytes and by inodes: the run ends with
// exit 7, nothing wrong is under a final name, and once there is room the next one ends with everything right.
func TestDiskFull(t *testing.T) {
	catalog := synthetic(60, 1000)
	_, want := scout(t, catalog)
	var total int64
	for _, tr := range want {
		total += tr.size
	}
	for _, tt := range []struct{ name, small, large string }{
		{"F40 bytes", "size=" + itoa(int(total/2)), "size=" + itoa(int(total)+64<<20)},
		{"F41 inodes", "nr_inodes=60,size=" + itoa(int(total)+64<<20), "nr_inodes=10000,size=" + itoa(int(total)+64<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startSim(t, nil, catalog...)
			c := onTmpfs(t, s, tt.small)
			get := append([]string{"get", "--program", program, "--ignore-space", "--max-outage", "3s"}, fast...)
			r := c.run(t, get...).want(t, 7)
			if !strings.Contains(r.stderr, "no space") {
				t.Errorf("standard error does not speak of space:\n%s", tail(r.stderr))
			}
			if err := syscall.Mount("tmpfs", filepath.Dir(c.dir), "tmpfs", syscall.MS_REMOUNT, tt.large); err != nil {
				t.Fatal(err)
			}
			c.run(t, get...).want(t, 0)
			c.checkComplete(t, want)
		})
	}
}

// TestKillAtSyscall (F46) kills runs at the N-th call of each system call that changes the disk.
func TestKillAtSyscall(t *testing.T) {
	catalog := synthetic(10, 300)
	_, want := scout(t, catalog)
	rng := random(t)
	for _, call := range []string{"openat", "write", "fsync", "renameat2", "unlinkat", "pwrite64", "fdatasync"} {
		s := startSim(t, nil, catalog...)
		killed := 0
		for range count(2, 200) {
			c := newCampaign(t, s)
			c.run(t, "plan", "--program", program).want(t, 0)
			when := 1 + rng.IntN(20)
			inject := "inject=" + call + ":signal=SIGKILL:when=" + itoa(when)
			args := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject, binary("jwstbulk"), "run", "-d", c.dir}, fast...)
			strace, err := exec.LookPath("strace")
			if err != nil {
				t.Fatal(err)
			}
			p := launch(t, filepath.Dir(c.dir), []string{"JWSTBULK_ARCHIVE=" + c.url}, nil, strace, args...)
			if r := p.wait(t, time.Minute); r.code != 0 {
				killed++
			}
			c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
			c.checkComplete(t, want)
			if t.Failed() {
				t.Fatalf("after a kill at call %d of %s", when, call)
			}
		}
		t.Logf("%s: %d runs were killed before their end", call, killed)
	}
}
