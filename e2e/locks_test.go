//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNoLocks (F59) runs on file systems that refuse locks: nothing is begun that two processes could spoil, and the way
// out that the message names works.
func TestNoLocks(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	for _, errno := range []string{"ENOLCK", "ENOSYS", "ENOTSUP"} {
		t.Run("F59 "+errno, func(t *testing.T) {
			f := mountFaults(t, "", "-locks", errno)
			c := f.campaign(s)
			began := time.Now()
			get := append([]string{"get", "--program", program}, fast...)
			if r := c.run(t, get...).want(t, 7); !strings.Contains(r.stderr, "--queue") {
				t.Errorf("standard error does not say how to go on:\n%s", tail(r.stderr))
			}
			if len(c.files(t, "JWST")) > 0 || len(s.bodies(t, began)) > 0 {
				t.Error("files were fetched without a lock")
			}
			db := filepath.Join(t.TempDir(), "queue.db")
			r := c.run(t, append(get, "--queue", db)...).want(t, 0)
			if !strings.Contains(r.stderr, "locks") {
				t.Errorf("standard error does not warn that the directory is not locked:\n%s", tail(r.stderr))
			}
			c.checkFinished(t, want)
		})
	}
}

// TestF59SQLiteLocks refuses SQLite's own locks: the refusal is clear and the next run goes on.
func TestF59SQLiteLocks(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	f := mountFaults(t, "")
	c := f.campaign(s)
	run := append([]string{"run"}, fast...)
	refused := func(c *campaign, p *proc, code int) {
		t.Helper()
		if r := p.wait(t, time.Minute).want(t, code); !strings.Contains(r.stderr, "--queue") {
			t.Errorf("standard error does not say how to go on:\n%s", tail(r.stderr))
		}
		c.run(t, run...).want(t, 0)
		c.checkComplete(t, want)
	}
	c.run(t, "plan", "--program", program).want(t, 0)
	f.tell(t, "fail lock ENOLCK queue.db")
	p := c.start(t, run...)
	<-p.done
	f.tell(t, "heal")
	refused(c, p, 12) // to SQLite, ENOLCK is a lock that somebody else has
	if soak() {       // the write-ahead log of a local disk; SQLite asks for its locks for ten seconds
		c := newCampaign(t, s)
		c.run(t, "plan", "--program", program).want(t, 0)
		refused(c, c.inject(t, "fcntl:error=ENOLCK:when=40+", run...), 7)
	}
}

// TestF53DeadHost: the signature of a process that is gone locks nothing. A lock that a file server still holds for it
// keeps everybody out, by name.
func TestF53DeadHost(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	owner, err := json.Marshal(map[string]any{"host": "node-that-burnt", "boot_id": "0000-gone", "pid": 4711,
		"started": "2026-01-02T03:04:05Z", "command": "jwstbulk run"})
	if err != nil {
		t.Fatal(err)
	}
	f := mountFaults(t, "")
	c := f.campaign(s)
	c.run(t, "plan", "--program", program).want(t, 0)
	for _, name := range []string{"lock", "queue.db.lock"} {
		if err := os.WriteFile(filepath.Join(c.dir, ".jwstbulk", name), owner, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := append([]string{"run"}, fast...)
	f.tell(t, "fail lock EAGAIN lock")
	r := c.run(t, run...).want(t, 12)
	for _, say := range []string{"4711", "node-that-burnt", "2026-01-02", "gone"} {
		if !strings.Contains(r.stderr, say) {
			t.Errorf("standard error does not say %q:\n%s", say, r.stderr)
		}
	}
	f.tell(t, "heal") // the server gave up the dead host's lock
	c.run(t, run...).want(t, 0)
	c.checkComplete(t, want)
}

// TestF63SplitBrain lets two processes that cannot see each other's locks work one campaign at the same time, as two nodes
// with a broken lock service: whatever becomes of the queue, nothing wrong gets a final name, and one process alone then
// brings everything.
func TestF63SplitBrain(t *testing.T) {
	t.Parallel()
	catalog := synthetic(49, 500)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(4<<20)...)...)
	for n := range count(1, 20) {
		f := mountFaults(t, "", "-locks", "grant", "-nommap")
		c := f.campaign(s)
		c.run(t, "plan", "--program", program).want(t, 0)
		first := c.start(t, append([]string{"run"}, fast...)...)
		time.Sleep(time.Duration(300+random(t).IntN(700)) * time.Millisecond)
		second := c.start(t, append([]string{"run"}, fast...)...)
		a, b := first.wait(t, time.Minute), second.wait(t, time.Minute)
		t.Logf("round %d: exits %d and %d\n%s\n%s", n, a.code, b.code, tail(a.stderr), tail(b.stderr))
		f.unmount(t)
		f = mountFaults(t, f.dir)
		c = f.campaign(s)
		get := append([]string{"get", "--program", program}, fast...)
		r := c.run(t, get...)
		for again := 0; r.code != 0 && again < 2; again++ { // the queue may be found damaged, and be made anew
			t.Logf("one process alone: exit %d\n%s", r.code, tail(r.stderr))
			r = c.run(t, get...)
		}
		r.want(t, 0)
		c.checkFinished(t, want)
		f.unmount(t)
	}
}
