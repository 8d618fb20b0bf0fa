package cluster_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"jwstbulk/internal/cluster"
)

// TestOvertaken: of attempts at one shard the latest one is not overtaken, and all others are.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 2)
	other := h.start(t, round, 1, "9")
	var all []*attempt
	for i := range 3 {
		all = append(all, h.start(t, round, 0, "1"))
		for k, a := range all {
			if yes, err := a.Overtaken(0); yes != (k < i) || err != nil {
				t.Errorf("after %d attempts, Overtaken of number %d = %v, %v", i+1, k+1, yes, err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(h.dir, cluster.RoundDir(round), "0.1.7.jsonl"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*attempt{all[2], other} {
		if yes, err := a.Overtaken(0); yes || err != nil {
			t.Errorf("Overtaken = %v, %v, want false: the newest journal says nothing yet, and other shards are no matter", yes, err)
		}
	}
	for _, a := range append(all, other) {
		a.kill(t)
	}
}

// TestOvertakenAsleep: what a task saw is relied on for no longer than it says, also if it slept meanwhile, and its
// successor waits for that long.
func TestOvertakenAsleep(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	start := func() *cluster.Task {
		task, err := cluster.StartTask(cluster.TaskConfig{Dir: h.dir, Round: round, Job: "1", Scratch: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	synctest.Test(t, func(t *testing.T) {
		want := func(task *cluster.Task, overtaken bool) {
			t.Helper()
			if yes, err := task.Overtaken(cluster.LookAge); yes != overtaken || err != nil {
				t.Errorf("Overtaken = %v, %v, want %v", yes, err, overtaken)
			}
		}
		first := start()
		defer first.Close()
		want(first, false)
		time.Sleep(time.Second)
		second := start()
		defer second.Close()
		if first.Unended() || !second.Unended() {
			t.Errorf("Unended = %v, %v, want it of the second attempt alone", first.Unended(), second.Unended())
		}
		want(first, false) // it need not look so soon
		time.Sleep(cluster.Handover - time.Second)
		want(first, true) // before the second one sends a request
		want(second, false)
	})
}
