package queue_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jwstbulk/queue"
)

// outcomes are all guarded finishes.
func outcomes(q *queue.Queue) map[string]func(*testing.T, queue.Job) error {
	o := queue.Outcome{Reason: queue.ReasonHTTP, Detail: "503"}
	later := o
	later.DueAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p := queue.Part{Token: "0badc0de", Source: "s3", Size: -1}
	return map[string]func(*testing.T, queue.Job) error{
		"Progress":      func(t *testing.T, j queue.Job) error { return q.Progress(t.Context(), j, p) },
		"Progress none": func(t *testing.T, j queue.Job) error { return q.Progress(t.Context(), j, queue.Part{}) },
		"Place":         func(t *testing.T, j queue.Job) error { return q.Place(t.Context(), j, placement(j)) },
		"Finish":        func(t *testing.T, j queue.Job) error { return q.Finish(t.Context(), j) },
		"Fail":          func(t *testing.T, j queue.Job) error { return q.Fail(t.Context(), j, o) },
		"Wait":          func(t *testing.T, j queue.Job) error { return q.Wait(t.Context(), j, later) },
		"Park":          func(t *testing.T, j queue.Job) error { return q.Park(t.Context(), j, o) },
		"Release":       func(t *testing.T, j queue.Job) error { return q.Release(t.Context(), j, p) },
	}
}

func TestStaleOutcomesChangeNothing(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 2)
	run := startRun(t, q)
	old := claim(t, q, run, 1)[0]
	if err := q.Release(t.Context(), old, queue.Part{}); err != nil {
		t.Fatal(err)
	}
	newer := claim(t, q, run, 1)[0]
	if newer.ID != old.ID || newer.Attempt != old.Attempt+1 {
		t.Fatalf("claimed again: %+v, want the next attempt of %d", newer, old.ID)
	}
	other := newer
	other.RunID++
	gone := newer
	gone.ID = 999
	before := dump(t, q.Reader)
	for name, finish := range outcomes(q) {
		for who, j := range map[string]queue.Job{"old attempt": old, "other run": other, "no row": gone} {
			if err := finish(t, j); !errors.Is(err, queue.ErrStale) {
				t.Errorf("%s of %s = %v, want ErrStale", name, who, err)
			}
		}
	}
	if after := dump(t, q.Reader); after != before {
		t.Errorf("after stale outcomes:\n%s\nwant:\n%s", after, before)
	}
	// Finish needs a placed row, and each finish ends the attempt.
	if err := q.Finish(t.Context(), newer); !errors.Is(err, queue.ErrStale) {
		t.Errorf("Finish of a running row = %v, want ErrStale", err)
	}
	if err := fetch(t.Context(), q, newer); err != nil {
		t.Fatal(err)
	}
	for name, finish := range outcomes(q) {
		if err := finish(t, newer); !errors.Is(err, queue.ErrStale) {
			t.Errorf("%s of a done row = %v, want ErrStale", name, err)
		}
	}
}

func TestOutcomeOfAnEarlierProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	plan(t, q, 1)
	j := claim(t, q, startRun(t, q), 1)[0]
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openAt(t, dir, nil)
	if got, want := states(t, q), "pending 1"; got != want {
		t.Errorf("states after Open = %q, want %q", got, want)
	}
	for name, finish := range outcomes(q) {
		if err := finish(t, j); !errors.Is(err, queue.ErrStale) {
			t.Errorf("%s = %v, want ErrStale", name, err)
		}
	}
}

func TestInvalidOutcomes(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 1)
	j := claim(t, q, startRun(t, q), 1)[0]
	p := placement(j)
	p.MD5 = nil
	for name, err := range map[string]error{
		"placement without digest": q.Place(t.Context(), j, p),
		"fail without reason":      q.Fail(t.Context(), j, queue.Outcome{}),
		"fail with due time":       q.Fail(t.Context(), j, queue.Outcome{Reason: queue.ReasonHTTP, DueAt: time.Now()}),
		"wait without due time":    q.Wait(t.Context(), j, queue.Outcome{Reason: queue.ReasonHTTP}),
		"short last digest":        q.Park(t.Context(), j, queue.Outcome{Reason: queue.ReasonHTTP, LastSHA: []byte{1}}),
	} {
		if err == nil || errors.Is(err, queue.ErrStale) {
			t.Errorf("%s = %v, want an error of its own", name, err)
		}
	}
	if err := fetch(t.Context(), q, j); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

func TestNoDuplicateClaims(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	const n = 2000
	plan(t, q, n)
	run := startRun(t, q)
	var mu sync.Mutex // guards seen
	seen := map[int64]int{}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			order := []queue.Order{queue.OrderPlan, queue.OrderSize, queue.OrderSizeDesc, queue.OrderMixed}[w%4]
			for {
				jobs, err := q.Claim(t.Context(), run, 1+w, order)
				if err != nil {
					t.Error(err)
				}
				if len(jobs) == 0 {
					return
				}
				mu.Lock()
				for _, j := range jobs {
					seen[j.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("claimed %d files, want %d", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("file %d was claimed %d times", id, times)
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for order, want := range map[queue.Order]string{
		"":                  "[30 10 -1 20]",
		queue.OrderPlan:     "[30 10 -1 20]",
		queue.OrderSize:     "[-1 10 20 30]",
		queue.OrderSizeDesc: "[50 40 30 20]",
		queue.OrderMixed:    "[50 40 10 -1]",
	} {
		q := openAt(t, t.TempDir(), nil)
		c := take(t, q)
		out := queue.ChunkResult{State: queue.ChunkDone, Files: seq(6, func(i int) queue.NewFile {
			f := file(i)
			f.Size = []int64{30, 10, -1, 20, 50, 40}[i]
			return f
		})}
		if err := q.FinishChunk(t.Context(), c, out); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Offer(t.Context(), 0, queue.OfferConfig{}); err != nil {
			t.Fatal(err)
		}
		jobs, err := q.Claim(t.Context(), startRun(t, q), 4, order)
		if err != nil {
			t.Fatal(err)
		}
		var sizes []int64
		for _, j := range jobs {
			sizes = append(sizes, j.Size)
		}
		if got := fmt.Sprint(sizes); got != want {
			t.Errorf("order %q claims %s, want %s", order, got, want)
		}
		// Only those who claim by size pay for an index of sizes.
		const index = `SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE name = 'file_pending_size'`
		wantIndex := "1|\n"
		if order == "" || order == queue.OrderPlan {
			wantIndex = "0|\n"
		}
		if got, err := q.Text(t.Context(), index); err != nil || got != wantIndex {
			t.Errorf("order %q: %q indexes of sizes, %v; want %q", order, got, err, wantIndex)
		}
	}
	q := openAt(t, t.TempDir(), nil)
	if _, err := q.Claim(t.Context(), 1, 1, "sideways"); err == nil {
		t.Error("an unknown order was taken")
	}
}

// TestClaimFile: a file that waits for anything may be claimed by itself; one that is held, done or planned may not.
func TestClaimFile(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 6)
	run := startRun(t, q)
	jobs := claim(t, q, run, 5)
	ctx := t.Context()
	o := queue.Outcome{Reason: queue.ReasonDenied, Detail: "no"}
	later := queue.Outcome{Reason: queue.ReasonTransient, DueAt: time.Now().Add(time.Hour)}
	for _, err := range []error{q.Fail(ctx, jobs[0], o), q.Wait(ctx, jobs[1], later), q.Park(ctx, jobs[2], o), fetch(ctx, q, jobs[3])} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.Folders(ctx); err != nil || n == 0 {
		t.Errorf("Folders = %d, %v, want those of the unfinished files", n, err)
	}
	for i, want := range []bool{true, true, true, false, false, true} {
		id := int64(6)
		if i < len(jobs) {
			id = jobs[i].ID
		}
		j, ok, err := q.ClaimFile(ctx, run, id)
		if err != nil || ok != want || ok && (j.ID != id || j.RunID != run || j.Attempt == 0) {
			t.Errorf("ClaimFile(%d) = %+v, %v, %v, want %v", id, j, ok, err, want)
		}
	}
	if _, ok, err := q.ClaimFile(ctx, run, 999); ok || err != nil {
		t.Errorf("ClaimFile of no row = %v, %v", ok, err)
	}
}
