package queue_test

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"jwstbulk/queue"
)

// Finishes of one group are one statement: each still has its own answer, and its own line.
func TestFinishesAtTheSameTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	const files = 64
	plan(t, q, files)
	run := startRun(t, q)
	jobs := claim(t, q, run, files)
	for _, j := range jobs[:files-1] { // the last one is not placed
		if err := q.Place(t.Context(), j, placement(j)); err != nil {
			t.Fatal(err)
		}
	}
	ended := make([]atomic.Int64, files)
	var wg sync.WaitGroup
	for i, j := range jobs {
		older, other := j, j
		older.Attempt--
		other.RunID++
		for _, try := range []struct {
			job  queue.Job
			good bool
		}{{older, false}, {j, true}, {other, false}, {j, true}} {
			wg.Go(func() {
				err := q.Finish(t.Context(), try.job)
				switch {
				case err == nil && try.good:
					ended[i].Add(1)
				case !errors.Is(err, queue.ErrStale):
					t.Errorf("Finish(attempt %d of run %d) = %v", try.job.Attempt, try.job.RunID, err)
				}
			})
		}
	}
	wg.Wait()
	for i := range jobs {
		want := int64(1)
		if i == files-1 {
			want = 0
		}
		if got := ended[i].Load(); got != want {
			t.Errorf("file %d was finished %d times, want %d", jobs[i].ID, got, want)
		}
	}
	b, err := os.ReadFile(statePath(dir, "done.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte{'\n'}); n != files-1 {
		t.Errorf("the journal has %d lines, want %d", n, files-1)
	}
	if got, want := states(t, q), "running 1 done 63"; got != want {
		t.Errorf("states are %q, want %q", got, want)
	}
}
