//go:build e2e

package e2e_test

import (
	"os"
	"testing"
	"time"
)

// TestKillAtSyscall (F46) kills runs of ten files inside system calls, where a random moment seldom falls: between writing,
// flushing and renaming, of data, of the queue and of the records. strace counts the calls of each thread by itself, so the
// n-th call is the first that any thread makes an n-th time.
func TestKillAtSyscall(t *testing.T) {
	calls := []syscallKills{
		{"openat", 60}, {"write", 30}, {"/^f(data)?sync$", 8}, {"/^rename", 4}, {"/^unlink", 1}, {"pwrite64", 30}, {"ftruncate", 2},
	}
	catalog := synthetic(10, 300)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	killedAt := func(t *testing.T, call string, n int) bool {
		t.Helper()
		c := newCampaign(t, s)
		c.run(t, "plan", "--program", program).want(t, 0)
		run := append([]string{"run"}, fast...)
		killed := c.inject(t, call+":signal=SIGKILL:when="+itoa(n), run...).wait(t, time.Minute).code != 0
		c.checkFinals(t, want)
		c.run(t, run...).want(t, 0)
		c.checkComplete(t, want)
		if t.Failed() {
			t.Fatalf("after a kill at call %d of %s", n, call)
		}
		if err := os.RemoveAll(c.dir); err != nil {
			t.Fatal(err)
		}
		return killed
	}
	for _, call := range calls {
		t.Run("F46 "+call.name, func(t *testing.T) { call.each(t, killedAt) })
	}
}

// syscallKills are kills inside a system call, which strace names.
type syscallKills struct {
	name string
	most int // the highest n worth trying in a sample
}

// each has killedAt try a kill at the n-th call, for a sample of n; a soak takes every n until three tries in a row never got so far.
func (k syscallKills) each(t *testing.T, killedAt func(t *testing.T, call string, n int) bool) {
	t.Helper()
	killed, tried := 0, 0
	if soak() {
		for survived := 0; survived < 3; {
			tried++
			if killedAt(t, k.name, tried) {
				killed, survived = killed+1, 0
			} else {
				survived++
			}
		}
	} else {
		for _, n := range []int{1, 1 + random(t).IntN(k.most)} {
			tried++
			if killedAt(t, k.name, n) {
				killed++
			}
		}
	}
	t.Logf("%d of %d were killed", killed, tried)
	if killed == 0 {
		t.Error("none was killed")
	}
}
