//go:build e2e

package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFinishedFiles (F56, F57, F67) does to a finished campaign what people do: edits a file and sets its time back, removes one,
// asks for the same again.
func TestFinishedFiles(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	uris, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	c := newCampaign(t, s)
	get := append([]string{"get", "--program", program}, fast...)
	c.run(t, get...).want(t, 0)
	victim := c.manifest(t)[7].Path
	at := filepath.Join(c.dir, victim)
	t.Run("F56 edited", func(t *testing.T) {
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(at, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xff}, info.Size()-1); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if r := c.run(t, "verify").want(t, 6); !strings.Contains(r.stdout+r.stderr, filepath.Base(victim)) {
			t.Errorf("verify does not name %s:\n%s%s", victim, r.stdout, r.stderr)
		}
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("F57 removed", func(t *testing.T) {
		began := time.Now()
		c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
		c.checkComplete(t, want)
		if n := len(s.bodies(t, began)); n != 1 {
			t.Errorf("%d requests for a file that was removed, want 1", n)
		}
	})
	t.Run("F67 planned again", func(t *testing.T) {
		began := time.Now()
		c.run(t, get...).want(t, 0)
		c.run(t, append([]string{"get", "--program", program, "--instrument", "NIRCAM"}, fast...)...).want(t, 0) // overlaps
		c.checkComplete(t, want)
		if n := len(s.bodies(t, began)); n != 0 {
			t.Errorf("%d files were fetched again", n)
		}
		if rows := c.query(t, `SELECT count(*), count(DISTINCT uri) FROM v_files`)[0]; rows[0] != rows[1] || int(rows[0].(int64)) < len(uris) {
			t.Errorf("%v rows of %v files, want one each", rows[0], rows[1])
		}
	})
}

// TestF50Stopped stops a process in the middle, as a debugger or a laptop's lid does: nobody else can take its campaign meanwhile,
// and it goes on where it was.
func TestF50Stopped(t *testing.T) {
	t.Parallel()
	catalog := synthetic(49, 300)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(6<<20)...)...)
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", program).want(t, 0)
	run := append([]string{"run", "--stall", "1s"}, fast...)
	p, _ := c.signalled(t, syscall.SIGSTOP, 500*time.Millisecond, run...)
	time.Sleep(2 * time.Second) // beyond its own patience with a server
	c.run(t, run...).want(t, 12)
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.wait(t, time.Minute).want(t, 0)
	c.checkComplete(t, want)
}

// TestOtherFileSystem has the campaign's directory, and its data alone, on another file system than one would think.
func TestOtherFileSystem(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	get := append([]string{"get", "--program", program}, fast...)
	t.Run("the directory is a link", func(t *testing.T) {
		there := onTmpfs(t, s, "size=64m")
		if err := os.Mkdir(there.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c := newCampaign(t, s)
		if err := os.Symlink(there.dir, c.dir); err != nil {
			t.Fatal(err)
		}
		c.run(t, get...).want(t, 0)
		there.checkComplete(t, want)
	})
	t.Run("the data are a link", func(t *testing.T) {
		there := onTmpfs(t, s, "size=64m")
		if err := os.Mkdir(there.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c := newCampaign(t, s)
		if err := errors.Join(os.Mkdir(c.dir, 0o755), os.Symlink(there.dir, filepath.Join(c.dir, "JWST"))); err != nil {
			t.Fatal(err)
		}
		c.run(t, get...).want(t, 3)
		if inside := there.files(t, "."); len(inside) > 0 {
			t.Errorf("files were written through a link out of the campaign: %v", inside)
		}
		if out := c.run(t, "errors").stdout; !strings.Contains(out, `"JWST" is a link`) {
			t.Errorf("errors does not name the link:\n%s", out)
		}
	})
	t.Run("the data are a mount point", func(t *testing.T) {
		needRoot(t)
		c := newCampaign(t, s)
		data := filepath.Join(c.dir, "JWST")
		if err := os.MkdirAll(data, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=64m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) }) // fails if it is unmounted already
		r := c.run(t, get...).want(t, 7)
		if !strings.Contains(r.stderr, "another file system") {
			t.Errorf("standard error does not say that the data are on another file system:\n%s", r.stderr)
		}
		if err := syscall.Unmount(data, 0); err != nil {
			t.Fatal(err)
		}
		c.run(t, get...).want(t, 0)
		c.checkComplete(t, want)
	})
}
