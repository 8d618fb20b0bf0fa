package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// TestBeginning: a journal without a first line may be that of a task which starts just now, so its shard has not ended.
func TestBeginning(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	a := h.start(t, round, 0, "1")
	a.finish(t, 1)
	a.end(t)
	if err := os.WriteFile(filepath.Join(h.dir, cluster.RoundDir(round), "0.1.1.jsonl"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h.collect(t, nil)
	wantStates(t, h, map[queue.State]int64{queue.Done: 1, queue.Lent: 3})
}

// TestEndAfterTornLine: half a line that a full disk left spoils neither the lines before nor those after it.
func TestEndAfterTornLine(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	a := h.start(t, round, 0, "1")
	a.finish(t, 1)
	f, err := os.OpenFile(a.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(`{"uri":"mast:JWST/prod`)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	a.end(t)
	err = cluster.ReadShards(h.root, round, func(s cluster.Shard) error {
		if n := len(s.Returned.Outcomes); n != 3 || len(s.Returned.Done) != 1 || !s.Ended() || s.Attempts[0].Damaged != 1 {
			t.Errorf("the journal tells %d done, %d outcomes, ended %v, %d damaged, want 1, 3, true, 1", len(s.Returned.Done), n, s.Ended(), s.Attempts[0].Damaged)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestScratchOfDeadTasks: a task removes the queues that killed ones left on its disk, and no others.
func TestScratchOfDeadTasks(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	disk := t.TempDir()
	task := func() *cluster.Task {
		task, err := cluster.StartTask(cluster.TaskConfig{Dir: h.dir, Round: round, Shard: 0, Job: "1", Scratch: disk})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	dead, alive, young := task(), task(), task()
	q, err := queue.Open(t.Context(), queue.Config{Dir: alive.StateDir, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, dir := range []string{dead.StateDir, alive.StateDir} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	last := task()
	for _, c := range []struct {
		task *cluster.Task
		want bool
	}{{dead, false}, {alive, true}, {young, true}, {last, true}} {
		if _, err := os.Stat(c.task.StateDir); (err == nil) != c.want {
			t.Errorf("the queue of a task: %v, want it there: %v", err, c.want)
		}
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	for _, task := range []*cluster.Task{dead, alive, young, last} {
		if err := task.Close(); err != nil {
			t.Error(err)
		}
	}
}
