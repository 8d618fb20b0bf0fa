//go:build e2e

package e2e_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// oldTree is a directory with the files of an earlier download, some of them no longer right.
type oldTree struct {
	dir   string
	files map[string][]byte // by path below dir
	wrong map[string]bool   // by name
}

// newOldTree copies a finished campaign's files and spoils every tenth.
func newOldTree(t *testing.T, c *campaign) *oldTree {
	t.Helper()
	o := &oldTree{t.TempDir(), map[string][]byte{}, map[string]bool{}}
	for i, name := range c.files(t, "JWST") {
		b, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			b[len(b)/2] ^= 1
			o.wrong[filepath.Base(name)] = true
		}
		o.files[name] = b
		at := filepath.Join(o.dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// changed returns a file of the tree that is not what it was; gone says that right files may be gone.
func (o *oldTree) changed(t *testing.T, gone bool) string {
	t.Helper()
	for name, want := range o.files {
		got, err := os.ReadFile(filepath.Join(o.dir, name))
		if os.IsNotExist(err) && gone && !o.wrong[filepath.Base(name)] && strings.HasSuffix(name, ".fits") {
			continue
		}
		if err != nil || !bytes.Equal(got, want) {
			return name
		}
	}
	return ""
}

// TestAdopt takes over a tree of an earlier download, in every way, killed at random moments and begun again: what proves right
// is never fetched, what does not is, all files end right, and the tree is as it was.
func TestAdopt(t *testing.T) {
	rng := random(t)
	s := startSim(t, nil, synthetic(400, 300)...)
	first := newCampaign(t, s)
	first.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	want := map[string]truth{}
	for _, e := range first.manifest(t) {
		want[e.URI] = truth{e.SHA256, e.Size}
	}
	for _, by := range []string{"copy", "link", "move"} {
		tree := newOldTree(t, first)
		c, since, kills := newCampaign(t, s), time.Now(), 0
		get := append([]string{"get", "--program", program, "--adopt", tree.dir, "--adopt-by", by}, fast...)
		for range count(6, 60) {
			p := c.start(t, get...)
			select {
			case <-p.done:
			case <-time.After(time.Duration(20+rng.IntN(600)) * time.Millisecond):
				p.kill()
				kills++
			}
			if name := tree.changed(t, by == "move"); name != "" {
				t.Fatalf("by %s: %s of the old tree is changed or gone", by, name)
			}
		}
		c.run(t, get...).want(t, 0)
		c.checkComplete(t, want)
		fetched := 0
		for _, r := range s.bodies(t, since) {
			name := filepath.Base(r.URI)
			if strings.HasSuffix(name, ".fits") && !tree.wrong[name] {
				t.Errorf("by %s: %s was here and right, and was fetched", by, name)
			}
			fetched++
		}
		t.Logf("by %s: %d kills, %d files, %d requests for what was not here or wrong", by, kills, len(want), fetched)
	}
}

// TestAdoptReadOnly takes files from a read-only file system, where neither links nor moves are possible: they are copied, and
// stay there.
func TestAdoptReadOnly(t *testing.T) {
	needRoot(t)
	s := startSim(t, nil, synthetic(60, 1000)...)
	first := newCampaign(t, s)
	first.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	tree := newOldTree(t, first)
	at := t.TempDir()
	if err := syscall.Mount(tree.dir, at, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	if err := syscall.Mount("", at, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	c := newCampaign(t, s)
	r := c.run(t, append([]string{"get", "--program", program, "--adopt", at, "--adopt-by", "move"}, fast...)...).want(t, 0)
	if !strings.Contains(r.stdout, "\nadopted ") || tree.changed(t, false) != "" {
		t.Errorf("nothing was adopted, or the tree is changed (%q):\n%s", tree.changed(t, false), r.stdout)
	}
}

// TestAdoptDiskFull (F40): a disk that is full while files are taken over is waited for, whatever says so; what was here and
// right is never fetched.
func TestAdoptDiskFull(t *testing.T) {
	s := startSim(t, nil, synthetic(20, 300)...)
	first := newCampaign(t, s)
	first.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	tree := newOldTree(t, first)
	for _, fault := range []string{"create ENOSPC", "write ENOSPC", "fsync EDQUOT", "rename ENOSPC"} {
		t.Run("F40 "+fault, func(t *testing.T) {
			f := mountFaults(t, "")
			c, since := f.campaign(s), time.Now()
			log := filepath.Join(t.TempDir(), "stderr")
			c.wrap = []string{"sh", "-c", `exec "$@" 2>"$0"`, log}
			f.tell(t, "fail %s *.part", fault)
			f.tell(t, "fail write ENOSPC probe")
			p := c.start(t, append([]string{"get", "--program", program, "--adopt", tree.dir, "--max-outage", "4s"}, fast...)...)
			until(t, "it says that it waits", time.Minute, func() bool {
				said, err := os.ReadFile(log)
				return err == nil && bytes.Contains(said, []byte("waiting for the local disk"))
			})
			f.tell(t, "heal")
			p.wait(t, time.Minute).want(t, 0)
			for _, b := range s.bodies(t, since) {
				if name := filepath.Base(b.URI); strings.HasSuffix(name, ".fits") && !tree.wrong[name] {
					t.Errorf("%s was here and right, and was fetched", name)
				}
			}
		})
	}
	t.Run("F40 for good", func(t *testing.T) {
		f := mountFaults(t, "")
		f.tell(t, "fail write ENOSPC *.part")
		c := f.campaign(s)
		r := c.run(t, append([]string{"get", "--program", program, "--adopt", tree.dir, "--max-outage", "2s"}, fast...)...).want(t, 7)
		if left, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/part/*/*.part")); err != nil || len(left) > 0 || !strings.Contains(r.stderr, "no space") {
			t.Errorf("left are %q (%v):\n%s", left, err, tail(r.stderr))
		}
	})
}

// TestSpaceRefused: what does not fit is refused before a byte moves, by bytes and by inodes, of which folders take some; what
// is on disk already does not count.
func TestSpaceRefused(t *testing.T) {
	catalog := synthetic(60, 1000)
	_, want := scout(t, catalog)
	var total int64
	for _, tr := range want {
		total += tr.size
	}
	for name, options := range map[string]string{
		"bytes":  "size=" + itoa(int(total)/2),
		"inodes": "size=1G,nr_inodes=" + itoa(len(want)+40), // enough for the files and the state, not for the folders
	} {
		t.Run(name, func(t *testing.T) {
			s := startSim(t, nil, catalog...)
			c := onTmpfs(t, s, options)
			get := append([]string{"get", "--program", program}, fast...)
			r := c.run(t, get...).want(t, 7)
			if !strings.Contains(r.stderr, "not enough "+map[string]string{"bytes": "space", "inodes": "inodes"}[name]) || len(s.bodies(t, time.Time{})) != 0 {
				t.Errorf("%d files were asked for; it says:\n%s", len(s.bodies(t, time.Time{})), tail(r.stderr))
			}
		})
	}
}
