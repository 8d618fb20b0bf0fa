//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onTmpfs puts a new campaign on a file system of its own, mounted with these options.
func onTmpfs(t *testing.T, s *sim, options string) *campaign {
	t.Helper()
	needRoot(t)
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
