//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestKilledRound kills submit, a task and collect of one round, each inside a system call: submitting again completes the
// submission, the shard is worked on again, and collecting again loses nothing and takes nothing in twice. A soak takes
// every n-th call up to the most.
func TestKilledRound(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 2000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	kills := 0
	for _, call := range []struct {
		name string
		most int
	}{{"openat", 60}, {"pwrite64", 30}, {"/^f(data)?sync$", 8}, {"/^rename", 4}} {
		at := []int{1 + random(t).IntN(call.most)}
		for n := 1; soak() && n <= call.most; n++ {
			at = append(at, n)
		}
		for _, n := range at {
			kills += s.killRound(t, fmt.Sprintf("%s:signal=SIGKILL:when=%d", call.name, n), want)
			if t.Failed() {
				t.Fatalf("after kills at call %d of %s", n, call.name)
			}
		}
	}
	t.Logf("%d commands were killed", kills)
	if kills == 0 {
		t.Error("nothing was killed")
	}
}

// killRound makes one round and returns how many of its commands were killed.
func (s *sim) killRound(t *testing.T, how string, want map[string]truth) (kills int) {
	t.Helper()
	b, c := newBatch(t), newCampaign(t, s)
	c.env = b.env()
	c.run(t, "plan", "--program", program).want(t, 0)
	killed := func(args ...string) {
		if c.inject(t, how, args...).wait(t, time.Minute).code < 0 {
			kills++
		}
		if n := c.states(t, "pending") + c.states(t, "lent") + c.states(t, "done"); n != len(want) {
			t.Errorf("after %s at %s: %d files are pending, lent or done, want %d", args[0], how, n, len(want))
		}
	}
	submit := []string{"submit", "--tasks", "2", "--shards", "2", "--rate", "0", "slurm"}
	killed(submit...)
	if r := c.run(t, submit...); r.code != 0 && r.code != 10 { // 10: it was complete
		t.Errorf("submitting again: exit %d\n%s", r.code, r.stderr)
	}
	if c.states(t, "lent") != len(want) || len(b.calls(t)) != 2 {
		t.Errorf("%d files are lent by %q, want all by an array and one that collects", c.states(t, "lent"), b.calls(t))
	}
	round := "1" // or later, if the directory of a round was made before its row
	if names, err := os.ReadDir(c.dir + "/.jwstbulk/shard"); err == nil && len(names) > 0 {
		round = names[len(names)-1].Name()
	}
	task := func(k string) []string {
		return append([]string{"run", "--shard", "--round", round, "--shard-index", k}, fast...)
	}
	killed(task("0")...)
	for _, k := range []string{"0", "1"} {
		c.run(t, task(k)...).want(t, 0)
	}
	b.forget(t)
	killed("collect")
	c.run(t, "collect").want(t, 0)
	if r := c.run(t, "collect").want(t, 0); !strings.Contains(r.stdout, "collected 0 files") {
		t.Errorf("collecting again says\n%s", r.stdout)
	}
	c.checkFinished(t, want)
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	return kills
}
