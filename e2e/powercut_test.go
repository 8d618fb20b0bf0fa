//go:build e2e

package e2e_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a file system whose power can be cut.
type disk interface {
	at() string                       // where it is mounted
	cut(t *testing.T, rng *rand.Rand) // from now on everything fails
	restart(t *testing.T)             // mounts it again, by what the disk holds; what used it must have ended
}

// loopDisk is a file system in a file, mounted through a loop device.
type loopDisk struct{ kind, image, mount string }

const (
	shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN (include/uapi/linux/ext4.h, xfs_fs.h)
	noFlush  = 2          // neither data nor journal: what had not reached the disk is lost, as by a power cut
)

func newLoopDisk(t *testing.T, kind, image string) *loopDisk {
	t.Helper()
	needRoot(t)
	d := &loopDisk{kind: kind, image: image, mount: filepath.Join(t.TempDir(), "disk")}
	if err := os.Mkdir(d.mount, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(320 << 20) // XFS takes no less than 300 MiB
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs."+kind, "-q", image)
	command(t, "mount", "-o", "loop", image, d.mount)
	t.Cleanup(func() { _ = syscall.Unmount(d.mount, syscall.MNT_DETACH) }) // fails if it is not mounted
	if err := os.RemoveAll(filepath.Join(d.mount, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return d
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (d *loopDisk) at() string { return d.mount }

func (d *loopDisk) cut(t *testing.T, _ *rand.Rand) {
	t.Helper()
	dir, err := os.Open(d.mount)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), shutdown, noFlush); err != nil {
		t.Fatalf("shutting the file system down: %v", err)
	}
}

func (d *loopDisk) restart(t *testing.T) {
	t.Helper()
	command(t, "umount", d.mount)
	command(t, "mount", "-o", "loop", d.image, d.mount)
}

// tornDisk is an ext4 on a disk with a write cache: at a cut a random half of the sectors that were not flushed is lost.
type tornDisk struct {
	*loopDisk
	below *faultFS
}

func newTornDisk(t *testing.T) *tornDisk {
	t.Helper()
	f := mountFaults(t, "", "-volatile")
	return &tornDisk{newLoopDisk(t, "ext4", filepath.Join(f.mount, "image")), f}
}

func (d *tornDisk) cut(t *testing.T, rng *rand.Rand) {
	t.Helper()
	d.below.tell(t, "cut %d", rng.Uint64())
}

func (d *tornDisk) restart(t *testing.T) {
	t.Helper()
	command(t, "umount", d.mount)
	d.below.unmount(t)
	command(t, "mount", "-o", "loop", filepath.Join(d.below.dir, "image"), d.mount)
}

// tornDir is a network file system whose server loses a random half of what was not flushed.
type tornDir struct{ *faultFS }

func (d *tornDir) at() string { return d.mount }

func (d *tornDir) cut(t *testing.T, rng *rand.Rand) {
	t.Helper()
	d.tell(t, "cut %d", rng.Uint64())
}

func (d *tornDir) restart(t *testing.T) {
	t.Helper()
	d.unmount(t)
	d.faultFS = mountFaults(t, d.dir)
}

// TestPowerCut (F47, F48) cuts the power of runs at random moments: every file that the queue then calls done must be there
// and right, nothing else may be under a final name, and the next run, under another boot, must go on from the flushed
// bytes alone and bring the rest. In every second round a stopped run has left flushed parts before.
func TestPowerCut(t *testing.T) {
	needRoot(t)
	catalog := synthetic(49, 300)
	_, want := scout(t, catalog)
	kept := 0
	for _, tt := range []struct {
		name          string
		sampled, full int
		make          func(t *testing.T) disk
	}{
		{"F47 ext4", 10, 100, func(t *testing.T) disk { return newLoopDisk(t, "ext4", filepath.Join(t.TempDir(), "image")) }},
		{"F47 XFS", 10, 100, func(t *testing.T) disk { return newLoopDisk(t, "xfs", filepath.Join(t.TempDir(), "image")) }},
		{"F48 torn writes to a disk", 3, 100, func(t *testing.T) disk { return newTornDisk(t) }},
		{"F48 torn writes to a file server", 3, 100, func(t *testing.T) disk { return &tornDir{mountFaults(t, "", "-volatile")} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// One at a time: the mount namespaces of anotherBoot would keep the others' file systems alive after a cut.
			rng := random(t)
			s := startSim(t, nil, append(catalog, rateFlag(12<<20)...)...)
			var done, finals, continued int
			n := count(tt.sampled, tt.full)
			for i := range n {
				t.Run(itoa(i), func(t *testing.T) { // so that each round cleans up after itself
					d, f, k := cutOnce(t, s, tt.make(t), rng, i%2 == 1, want)
					done, finals, continued = done+d, finals+f, continued+k
				})
			}
			t.Logf("%d cuts: of %d files in all %d were done and %d under final names; %d parts were continued from their flushed bytes",
				n, n*len(want), done, finals, continued)
			kept += continued
		})
	}
	if kept == 0 {
		t.Error("no part was continued after any cut")
	}
}

// cutOnce makes one campaign on the disk, cuts the power of a run and finishes it. It returns how many files were done and
// under final names after the cut, and how many parts were then continued.
func cutOnce(t *testing.T, s *sim, d disk, rng *rand.Rand, stopFirst bool, want map[string]truth) (done, finals, kept int) {
	t.Helper()
	c := &campaign{dir: filepath.Join(d.at(), "campaign"), url: s.url}
	c.run(t, "plan", "--program", program).want(t, 0)
	run := append([]string{"run"}, fast...)
	most := 600 // milliseconds until the cut
	pause := func(p *proc) {
		select {
		case <-p.done:
		case <-time.After(time.Duration(60+rng.IntN(most)) * time.Millisecond):
		}
	}
	if stopFirst {
		p := c.start(t, run...)
		pause(p)
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended already
		p.wait(t, time.Minute)
		most = 60 // or it has done with those parts
	}
	p := c.start(t, run...)
	pause(p)
	d.cut(t, rng)
	p.kill()
	d.restart(t)
	c.dir = filepath.Join(d.at(), "campaign")
	done, finals = c.checkFinals(t, want)
	flushed := c.flushed(t)
	began := time.Now()
	c.anotherBoot(t)
	c.run(t, run...).want(t, 0)
	c.checkComplete(t, want)
	seen := map[string]bool{}
	for _, r := range s.bodies(t, began) {
		if from := r.from(t); !seen[r.URI] && from > 0 {
			kept++
			if from > flushed[r.URI] {
				t.Errorf("%s was continued at %d, and only %d bytes had been flushed", path.Base(r.URI), from, flushed[r.URI])
			}
		}
		seen[r.URI] = true
	}
	return done, finals, kept
}

// flushed returns, by URI, how many bytes of parts the queue knows to be durable.
func (c *campaign) flushed(t *testing.T) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for _, row := range c.query(t, `SELECT uri, durable_bytes FROM v_files JOIN part ON part.file_id = v_files.id`) {
		all[row[0].(string)] = row[1].(int64)
	}
	return all
}

// anotherBoot lets the campaign's later commands find themselves under another boot of the machine.
func (c *campaign) anotherBoot(t *testing.T) {
	t.Helper()
	id := filepath.Join(t.TempDir(), "boot_id")
	if err := os.WriteFile(id, []byte("11111111-2222-3333-4444-555555555555\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.wrap = []string{"unshare", "-m", "sh", "-c", `mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"`, id}
}
