package queue_test

import (
	"testing"

	"jwstbulk/queue"
)

// TestSizesWithoutTemporaryFiles: where SQLite has no place for a temporary file, it sorts the sizes in memory, and claims by
// size go on.
func TestSizesWithoutTemporaryFiles(t *testing.T) {
	t.Parallel()
	asked := 0
	q, err := queue.OpenWithFault(t.Context(), queue.Config{Dir: t.TempDir(), Create: true}, func(point string) error {
		if point != "temporary-file" {
			return nil
		}
		asked++
		return errBroken
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	plan(t, q, 8)
	run := startRun(t, q)
	for range 2 {
		jobs, err := q.Claim(t.Context(), run, 2, queue.OrderSizeDesc)
		if err != nil || len(jobs) != 2 || jobs[0].Size < jobs[1].Size {
			t.Fatalf("Claim = %+v, %v; want the two largest", jobs, err)
		}
	}
	if asked != 1 {
		t.Errorf("the index of sizes was made %d times, want once", asked)
	}
}
