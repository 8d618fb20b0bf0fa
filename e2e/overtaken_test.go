//go:build e2e

package e2e_test

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestOvertakenTask starts a second attempt at a shard while the first one works, as on a node that is taken for dead, and while it
// sleeps and wakes up as soon as the second one is there: the first one leaves, and both together keep to the budget.
func TestOvertakenTask(t *testing.T) {
	t.Parallel()
	const rate = 6
	catalog := []string{"--catalog", "synthetic", "--observations", "8", "--scale", "100000"}
	for name, asleep := range map[string]bool{"awake": false, "asleep": true} {
		archive := startSim(t, nil, catalog...)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c := newBatch(t), newCampaign(t, archive)
			c.env = b.env()
			c.run(t, "plan", "--program", "10001").want(t, 0)
			c.run(t, "submit", "--tasks", "1", "--shards", "1", "slurm").want(t, 0)
			c.env = append(c.env, "SLURM_JOB_ID=77", "SLURM_ARRAY_TASK_ID=0")
			task := []string{"run", "--shard", "-j", "1", "--rate", itoa(rate)}
			first := c.start(t, task...)
			until(t, "the first attempt fetches", 20*time.Second, func() bool { return len(archive.bodies(t, time.Time{})) > 3 })
			signal := func(sig syscall.Signal) {
				if err := first.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			if asleep {
				signal(syscall.SIGSTOP)
			}
			second := c.start(t, task...)
			until(t, "the second attempt begins", 20*time.Second, func() bool { return len(c.journals(t, 1, "0")) > 1 })
			if asleep {
				signal(syscall.SIGCONT)
			}
			first.wait(t, time.Minute).want(t, 10)
			second.wait(t, time.Minute).want(t, 0)
			c.run(t, "collect").want(t, 0)
			most := busiest(archive.bodies(t, time.Time{}), budgetTime)
			t.Logf("at most %d requests in %v", most, budgetTime)
			if limit := rate*5 + 2; most > limit { // one that was saved up, one for the clock's sake
				t.Errorf("%d requests in %v, want at most %d", most, budgetTime, limit)
			}
		})
	}
}

// journals returns the names of a shard's journals.
func (c *campaign) journals(t *testing.T, round int, shard string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/shard", strconv.Itoa(round), shard+".*.*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// budgetTime is the stretch of time in which the rate is held against the budget: bursts at the start of a task are short.
const budgetTime = 5 * time.Second

// busiest is the largest number of requests in any stretch of time.
func busiest(requests []request, d time.Duration) int {
	most, from := 0, 0
	for i := range requests {
		for requests[i].Time.Sub(requests[from].Time) >= d {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}
