//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// inject starts a subcommand in the campaign under strace, which tampers with system calls as told (strace(1), -e inject):
// "fsync:error=EIO:when=5+".
func (c *campaign) inject(t *testing.T, how string, args ...string) *proc {
	t.Helper()
	calls, _, _ := strings.Cut(how, ":")
	under := *c
	under.wrap = slices.Concat(c.wrap, []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + how})
	return under.start(t, args...)
}

// TestFailingCalls (F42, F43, F45) has system calls of whole runs fail from some moment on, also those of SQLite's write-ahead log:
// the run ends with exit 7, nothing wrong is under a final name, and the next run ends with everything right.
func TestFailingCalls(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	rng := random(t)
	for _, fault := range []struct{ name, how string }{
		{"F43", "fsync:error=EIO"}, {"F43", "pwrite64:error=EIO"}, {"F42", "pwrite64:error=ENOSPC"}, {"F43", "ftruncate:error=EIO"}, {"F45", "renameat:error=EROFS"},
	} {
		for range count(1, 20) {
			when := 1 + rng.IntN(6) // calls of one thread
			t.Run(fault.name+" "+fault.how+" from "+itoa(when), func(t *testing.T) {
				c := newCampaign(t, s)
				c.run(t, "plan", "--program", program).want(t, 0)
				run := append([]string{"run", "--max-outage", "1s"}, fast...)
				r := c.inject(t, fault.how+":when="+itoa(when)+"+", run...).wait(t, time.Minute)
				if r.code != 0 && r.code != 7 { // 0: no thread has made so many
					t.Errorf("exit %d, want 7:\n%s", r.code, tail(r.stderr))
				}
				c.checkFinals(t, want)
				c.run(t, run...).want(t, 0)
				c.checkComplete(t, want)
			})
		}
	}
}
