package cluster_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

func wantStates(t *testing.T, h *home, want map[queue.State]int64) {
	t.Helper()
	if got := h.states(t); !maps.Equal(got, want) {
		t.Errorf("states = %v, want %v", got, want)
	}
}

// TestRound takes a round through its life: a task ends, one is killed and started again, one never starts.
func TestRound(t *testing.T) {
	t.Parallel()
	h := newHome(t, 90)
	round := h.lend(t, 3)
	wantStates(t, h, map[queue.State]int64{queue.Lent: 90})
	if _, _, err := h.q.Lend(t.Context(), queue.Lending{Shards: 1, Spec: []byte(`{}`), Assign: func(int64) int { return 0 }}); !errors.Is(err, queue.ErrNothingToLend) {
		t.Errorf("Lend of nothing = %v, want ErrNothingToLend", err)
	}

	first := h.start(t, round, 0, "77_0")
	first.finish(t, 10)
	for _, j := range first.claim(t, 1) {
		if err := first.q.Fail(t.Context(), j, queue.Outcome{Reason: queue.ReasonDigest, Detail: "wrong"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, j := range first.claim(t, 1) {
		if err := first.q.Wait(t.Context(), j, queue.Outcome{Reason: queue.ReasonReprocessing, DueAt: soon(), Recheck: true}); err != nil {
			t.Fatal(err)
		}
	}
	first.end(t)

	killed := h.start(t, round, 1, "77_1")
	killed.finish(t, 5)
	part := queue.Part{Token: "0123abcd", Source: "mast", Boot: "b", Durable: 4096, Size: -1, Validator: queue.Validator{ETag: `"x"`}}
	open := killed.claim(t, 1)[0]
	if err := killed.q.Progress(t.Context(), open, part); err != nil {
		t.Fatal(err)
	}
	killed.kill(t)

	// At a moment when nobody knows what runs, only the shard that ended comes back.
	got := h.collect(t, nil)
	if got.Done != 15 || got.Returned != 20 {
		t.Errorf("collected %d done, %d returned, want 15 and 20", got.Done, got.Returned)
	}
	wantStates(t, h, map[queue.State]int64{queue.Done: 15, queue.Lent: 55, queue.Pending: 18, queue.Failed: 1, queue.Waiting: 1})
	if again := h.collect(t, nil); again.Done != 0 || again.Returned != 0 || again.Known != 15 {
		t.Errorf("collecting again = %+v, want nothing new", again.TakeBackReport)
	}

	next := h.start(t, round, 1, "77_1")
	if next.Earlier != 1 || next.n != 25 {
		t.Errorf("second attempt: %d earlier, %d files, want 1 and 25", next.Earlier, next.n)
	}
	found := false
	for _, j := range next.claim(t, 25) {
		if j.URI == open.URI {
			found = j.Part.Token == part.Token && j.Part.Durable == part.Durable && j.Part.ETag == part.ETag
		}
	}
	if !found {
		t.Error("the second attempt does not know the part that the first one left")
	}
	next.kill(t)

	// The batch system knows no task any more: all comes back, with the part.
	got = h.collect(t, map[int]bool{})
	wantStates(t, h, map[queue.State]int64{queue.Done: 15, queue.Pending: 73, queue.Failed: 1, queue.Waiting: 1})
	if got.Returned != 55 {
		t.Errorf("returned %d, want 55", got.Returned)
	}
	rounds, err := h.q.Rounds(t.Context())
	if err != nil || len(rounds) != 1 || rounds[0].ClosedAt.IsZero() || rounds[0].Lent != 0 || rounds[0].Job != "77" {
		t.Errorf("Rounds = %+v, %v, want one closed round of job 77", rounds, err)
	}
}

// TestSplitBrain has an old task go on after its shard was given to another and taken back.
func TestSplitBrain(t *testing.T) {
	t.Parallel()
	h := newHome(t, 20)
	round := h.lend(t, 1)
	old, young := h.start(t, round, 0, "1"), h.start(t, round, 0, "1")
	if filepath.Base(old.Journal) == filepath.Base(young.Journal) {
		t.Fatal("two tasks share a journal")
	}
	old.finish(t, 12)
	young.finish(t, 8)
	young.end(t)
	h.collect(t, map[int]bool{})
	second := h.lend(t, 2)
	old.finish(t, 8)
	got := h.collect(t, map[int]bool{0: true, 1: true})
	wantStates(t, h, map[queue.State]int64{queue.Done: 20})
	if got.Differ != 0 || got.Unknown != 0 {
		t.Errorf("collected %+v, want no differences", got.TakeBackReport)
	}
	third := h.start(t, second, 0, "2")
	third.kill(t)
	old.end(t)
}

// TestDamagedJournals cuts and fills journals in all the ways that a dying node leaves them.
func TestDamagedJournals(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"half a line": func(b []byte) []byte { return append(b, `{"uri":"mast:JWST/product/x.fits","pa`...) },
		"zeros":       func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"not ours": func(b []byte) []byte {
			return append(b, "hello\n\xff\xfe\n[]\nnull\n{}\n{\"state\":\"done\",\"uri\":\"x\"}\n"...)
		},
		"an escaping path": func(b []byte) []byte {
			return append(b, `{"uri":"mast:JWST/product/x.fits","state":"pending","part":{"token":"../../ab"}}`+"\n"...)
		},
		"a line too long": func(b []byte) []byte { return append(b, make([]byte, 5<<20)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, 10)
			round := h.lend(t, 1)
			a := h.start(t, round, 0, "1")
			a.finish(t, 4)
			a.kill(t)
			b, err := os.ReadFile(a.Journal)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(a.Journal, damage(b), 0o644); err != nil {
				t.Fatal(err)
			}
			h.collect(t, map[int]bool{})
			wantStates(t, h, map[queue.State]int64{queue.Done: 4, queue.Pending: 6})
		})
	}
}

// TestEveryCut collects a journal cut at every byte: never an error, never a file too many.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 1)
	a := h.start(t, round, 0, "1")
	a.finish(t, 2)
	a.end(t)
	whole, err := os.ReadFile(a.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(a.Journal, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		err := cluster.ReadShards(h.root, round, func(s cluster.Shard) error {
			// The newline of a line says nothing that its closing brace does not.
			if len(s.Returned.Done) > 2 || s.Ended() && n < len(whole)-1 {
				t.Errorf("cut at %d of %d: %d done, ended %v", n, len(whole), len(s.Returned.Done), s.Ended())
			}
			return nil
		})
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestNoShard(t *testing.T) {
	t.Parallel()
	h := newHome(t, 4)
	round := h.lend(t, 2)
	for _, c := range []cluster.TaskConfig{{Dir: h.dir, Round: round, Shard: 2}, {Dir: h.dir, Round: round + 1, Shard: 0}, {Dir: h.dir, Round: round, Shard: -1}} {
		if _, err := cluster.StartTask(c); !errors.Is(err, cluster.ErrNoShard) {
			t.Errorf("StartTask(round %d, shard %d) = %v, want ErrNoShard", c.Round, c.Shard, err)
		}
	}
	if n, err := cluster.Shards(h.root, round); n != 2 || err != nil {
		t.Errorf("Shards = %d, %v, want 2", n, err)
	}
	if n, err := cluster.LastRound(h.root); n != round || err != nil {
		t.Errorf("LastRound = %d, %v, want %d", n, err, round)
	}
}

// TestListsAreImmutable: writing them again, after some files came back, changes nothing.
func TestListsAreImmutable(t *testing.T) {
	t.Parallel()
	h := newHome(t, 40)
	round := h.lend(t, 2)
	list := filepath.Join(h.dir, cluster.RoundDir(round), "0.jsonl")
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	a := h.start(t, round, 0, "1")
	a.finish(t, 3)
	a.end(t)
	h.collect(t, nil)
	if err := cluster.WriteLists(t.Context(), h.root, h.q, round, 2); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(list)
	if err != nil || string(after) != string(before) {
		t.Errorf("the list changed (%v)", err)
	}
	if round2 := h.lend(t, 1); round2 <= round {
		t.Errorf("the next round is %d, want more than %d", round2, round)
	}
}
