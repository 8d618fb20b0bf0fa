//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	ext4Shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN (include/uapi/linux/ext4.h)
	noFlush      = 2          // neither data nor journal: what had not reached the disk is lost, as by a power cut
)

// mkfsMount makes an ext4 file system in a file and mounts it through a loop device.
func mkfsMount(t *testing.T, image, at string) {
	t.Helper()
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(400 << 20)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", image)
	command(t, "mount", "-o", "loop", image, at)
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// cutPower shuts the file system down without flushing it.
func cutPower(t *testing.T, at string) {
	t.Helper()
	d, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := unix.IoctlSetPointerInt(int(d.Fd()), ext4Shutdown, noFlush); err != nil {
		t.Fatalf("shutting the file system down: %v", err)
	}
}

// TestPowerCut (F47, F43) cuts the power of runs at random moments: every file that the queue then calls done must be there
// and right, nothing else may be under a final name, and the next run must bring the rest.
func TestPowerCut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system takes root")
	}
	catalog := synthetic(150, 300)
	_, want := scout(t, catalog)
	rng := random(t)
	s := startSim(t, nil, append(catalog, rateFlag(5<<20)...)...)
	for n := range count(3, 100) {
		dir := t.TempDir()
		at := filepath.Join(dir, "disk")
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		mkfsMount(t, filepath.Join(dir, "image"), at)
		t.Cleanup(func() { _ = exec.Command("umount", at).Run() }) // only if the test failed in between
		if err := os.Remove(filepath.Join(at, "lost+found")); err != nil {
			t.Fatal(err)
		}
		c := &campaign{dir: filepath.Join(at, "campaign"), url: s.url}
		c.run(t, "plan", "--program", program).want(t, 0)
		p := c.start(t, append([]string{"run"}, fast...)...)
		select {
		case <-p.done:
		case <-time.After(time.Duration(200+rng.IntN(1500)) * time.Millisecond):
		}
		cutPower(t, at)
		p.kill()
		command(t, "umount", at)
		command(t, "mount", "-o", "loop", filepath.Join(dir, "image"), at)
		done := c.query(t, `SELECT uri, path FROM v_files WHERE state = 'done'`)
		for _, row := range done {
			if got := c.digest(t, row[1].(string)); got != want[row[0].(string)] {
				t.Errorf("cut %d: %s is done, and is %v, want %v", n, row[1], got, want[row[0].(string)])
			}
		}
		finals := len(c.files(t, "JWST"))
		c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
		c.checkComplete(t, want)
		t.Logf("cut %d: %d of %d files were done, %d under final names", n, len(done), len(want), finals)
		command(t, "umount", at)
	}
}
