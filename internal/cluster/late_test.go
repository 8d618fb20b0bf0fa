package cluster_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"jwstbulk/queue"
)

// TestLateFinish has a task finish files whose rows have moved on meanwhile.
func TestLateFinish(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	a := h.start(t, round, 0, "1")
	h.collect(t, map[int]bool{}) // no journal line but its first: all pending again
	run, err := h.q.StartRun(t.Context(), queue.RunInfo{Command: "run"})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := h.q.Claim(t.Context(), run, 3, queue.OrderPlan)
	if err != nil || len(jobs) != 3 {
		t.Fatalf("Claim = %d jobs, %v, want 3", len(jobs), err)
	}
	for i, end := range []func() error{
		func() error { return h.q.Fail(t.Context(), jobs[0], queue.Outcome{Reason: queue.ReasonNetwork}) },
		func() error { return h.q.Park(t.Context(), jobs[1], queue.Outcome{Reason: queue.ReasonNotPublic}) },
		func() error { return finish(t.Context(), h.q, jobs[2], "other bytes") },
	} {
		if err := end(); err != nil {
			t.Fatal(i, err)
		}
	}
	a.finish(t, 4)
	a.end(t)
	got := h.collect(t, map[int]bool{})
	if got.Done != 3 || got.Differ != 1 {
		t.Errorf("collected %+v, want 3 done and 1 that differs", got.TakeBackReport)
	}
	wantStates(t, h, map[queue.State]int64{queue.Done: 4})
}

// TestLateLast: a late task that finishes the last file of a later round closes that round.
func TestLateLast(t *testing.T) {
	t.Parallel()
	h := newHome(t, 3)
	a := h.start(t, h.lend(t, 1), 0, "1")
	h.collect(t, map[int]bool{})
	h.lend(t, 1)
	a.finish(t, 3)
	h.collect(t, map[int]bool{0: true})
	rounds, err := h.q.Rounds(t.Context())
	if err != nil || len(rounds) != 2 || rounds[1].Lent != 0 || rounds[1].ClosedAt.IsZero() {
		t.Errorf("Rounds = %+v, %v, want two closed ones", rounds, err)
	}
}

// TestUnlend takes a round back that no batch system took, and still takes in what a task of it does.
func TestUnlend(t *testing.T) {
	t.Parallel()
	h := newHome(t, 10)
	round := h.lend(t, 2)
	for want := int64(10); want >= 0; want -= 10 {
		if n, err := h.q.Unlend(t.Context(), round); n != want || err != nil {
			t.Errorf("Unlend = %d, %v, want %d", n, err, want)
		}
	}
	wantStates(t, h, map[queue.State]int64{queue.Pending: 10})
	a := h.start(t, round, 0, "1")
	a.finish(t, 2)
	next := h.lend(t, 1)
	if n, err := h.q.Unlend(t.Context(), round); n != 0 || err != nil {
		t.Errorf("Unlend of a round that has nothing = %d, %v", n, err)
	}
	h.collect(t, map[int]bool{0: true})
	wantStates(t, h, map[queue.State]int64{queue.Done: 2, queue.Lent: 8})
	rounds, err := h.q.Rounds(t.Context())
	if err != nil || len(rounds) != 2 || rounds[0].ClosedAt.IsZero() || !rounds[1].ClosedAt.IsZero() || rounds[1].ID != next {
		t.Errorf("Rounds = %+v, %v, want the first one closed, the second one open", rounds, err)
	}
}

// TestTwoVersions has two tasks finish one file with different bytes: what was put in place last counts, and it is said.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1)
	round := h.lend(t, 1)
	first, second := h.start(t, round, 0, "1"), h.start(t, round, 0, "1")
	for i, a := range []*attempt{second, first} { // the older task is the later one
		for _, j := range a.claim(t, 1) {
			if err := finish(t.Context(), a.q, j, fmt.Sprint("version ", i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond) // journals tell milliseconds
	}
	if got := h.collect(t, map[int]bool{}); got.Done != 1 || got.Differ != 1 {
		t.Errorf("collected %+v, want 1 done and 1 that differs", got.TakeBackReport)
	}
	want := sha256.Sum256([]byte("version 1"))
	for f, err := range h.q.Done(t.Context()) {
		if err != nil || !bytes.Equal(f.SHA256, want[:]) {
			t.Errorf("the queue records %x, %v, want the bytes that came last", f.SHA256, err)
		}
	}
}

// TestPartOfTask: nobody can know whether a task still writes the part that it left.
func TestPartOfTask(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1)
	a := h.start(t, h.lend(t, 1), 0, "1")
	j := a.claim(t, 1)[0]
	if err := a.q.Release(t.Context(), j, queue.Part{Token: "0123abcd", Source: "mast", Boot: "this", Durable: 4096, Size: -1}); err != nil {
		t.Fatal(err)
	}
	a.end(t)
	h.collect(t, map[int]bool{})
	run, err := h.q.StartRun(t.Context(), queue.RunInfo{Command: "run"})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := h.q.Claim(t.Context(), run, 1, queue.OrderPlan)
	if err != nil || len(jobs) != 1 || jobs[0].Part.Token != "0123abcd" || jobs[0].Part.Durable != 4096 || jobs[0].Part.Boot != "" {
		t.Errorf("Claim = %+v, %v, want the part, and no boot", jobs, err)
	}
}
