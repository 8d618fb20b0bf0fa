package queue_test

import (
	"slices"
	"testing"

	"jwstbulk/queue"
)

// TestUpcoming: what is forecast is what the next claim hands out, in every order.
func TestUpcoming(t *testing.T) {
	t.Parallel()
	for _, order := range []queue.Order{"", queue.OrderPlan, queue.OrderSize, queue.OrderSizeDesc, queue.OrderMixed} {
		q := openAt(t, t.TempDir(), nil)
		plan(t, q, 60)
		run := startRun(t, q)
		for range 2 {
			ahead, err := q.Upcoming(t.Context(), 20, order)
			if err != nil || len(ahead) != 20 {
				t.Fatalf("%q: Upcoming(20) = %d files, %v", order, len(ahead), err)
			}
			jobs, err := q.Claim(t.Context(), run, 20, order)
			if err != nil {
				t.Fatal(err)
			}
			var claimed []string
			for _, j := range jobs {
				if !j.Public {
					t.Errorf("%q: %s is not public", order, j.URI)
				}
				claimed = append(claimed, j.URI)
			}
			slices.Sort(ahead)
			slices.Sort(claimed)
			if !slices.Equal(ahead, claimed) {
				t.Errorf("%q: forecast %v, claimed %v", order, ahead, claimed)
			}
		}
	}
	q := openAt(t, t.TempDir(), nil)
	if _, err := q.Upcoming(t.Context(), 1, "odd"); err == nil {
		t.Error("an order that is none is no error")
	}
	if ahead, err := q.Upcoming(t.Context(), 20, ""); err != nil || len(ahead) != 0 {
		t.Errorf("Upcoming of an empty queue = %v, %v", ahead, err)
	}
}

// TestUpcomingPublic: files that are not public are not among them.
func TestUpcomingPublic(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	c := take(t, q)
	files := list(file(1), file(2), file(3))
	out := queue.ChunkResult{State: queue.ChunkDone, Rows: 3, Requests: 1, Files: func(yield func(queue.NewFile, error) bool) {
		n := 0
		for f, err := range files {
			if n++; n == 2 {
				f.Facts.Rights = "EXCLUSIVE_ACCESS"
			}
			if !yield(f, err) {
				return
			}
		}
	}}
	if err := q.FinishChunk(t.Context(), c, out); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Offer(t.Context(), c.QueryID, queue.OfferConfig{}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Unpark(t.Context(), queue.ReasonNotPublic); err != nil {
		t.Fatal(err)
	}
	ahead, err := q.Upcoming(t.Context(), 10, "")
	if err != nil || !slices.Equal(ahead, []string{file(1).URI, file(3).URI}) {
		t.Errorf("Upcoming = %v, %v; want the two public files", ahead, err)
	}
}
