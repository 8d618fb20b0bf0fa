//go:build cgo

package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mattn/go-sqlite3"

	"jwstbulk/queue"
)

// TestIndexOfSizes: SQLite sorts sizes in a temporary file, and in memory where it can make none; any other error of that
// statement stops the queue. What is temporary later stays in memory.
func TestIndexOfSizes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault error
		fails bool
	}{
		"in a file":        {},
		"no file opens":    {fault: sqlite3.Error{Code: sqlite3.ErrCantOpen}},
		"no directory":     {fault: sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrGetTempPath}},
		"a write failed":   {fault: sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, fails: true},
		"an error of ours": {fault: errBroken, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var q *queue.Queue
			var stores []string // where temporary data were while the index was made, and at each commit after
			made := 0
			q, err := queue.OpenWithFault(t.Context(), queue.Config{Dir: t.TempDir(), Create: true}, func(point string) error {
				if point != "temporary-file" && (point != "commit" || made == 0) {
					return nil
				}
				n, err := q.TempStore(context.Background())
				stores = append(stores, fmt.Sprint(point, " ", n))
				if point == "temporary-file" {
					made++
					return errors.Join(err, tc.fault)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = q.Close() })
			plan(t, q, 8)
			run := startRun(t, q)
			jobs, err := q.Claim(t.Context(), run, 2, queue.OrderSizeDesc)
			if tc.fails {
				if !errors.Is(err, tc.fault) {
					t.Errorf("Claim = %v, want the fault", err)
				}
				if _, err := q.Claim(t.Context(), run, 2, queue.OrderPlan); !errors.Is(err, tc.fault) {
					t.Errorf("a claim after the fault = %v, want the fault", err)
				}
				return
			}
			if err != nil || len(jobs) != 2 || jobs[0].Size < jobs[1].Size {
				t.Fatalf("Claim = %+v, %v; want the two largest", jobs, err)
			}
			if _, err = q.Claim(t.Context(), run, 2, queue.OrderSizeDesc); err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprint(stores), "[temporary-file 1 commit 2 commit 2]"; got != want {
				t.Errorf("temporary data were in %s, want %s (1 files, 2 memory)", got, want)
			}
		})
	}
}
