package queue_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/queue"
)

// A chunk that lists files again and again stores what the same rows store one chunk each, where nothing is remembered.
func TestRepeatedRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(1, seed))
		var rows []queue.ProductRow
		for range 200 {
			f := queue.NewFile{URI: fmt.Sprintf("mast:JWST/product/jw%d_cal.fits", rng.IntN(40)), ObsID: fmt.Sprint("jw", rng.IntN(3)),
				Size: int64(rng.IntN(3)) - 1, Own: rng.IntN(3) == 0, Parents: []int64{1 + rng.Int64N(4)},
				Facts: queue.Facts{Program: "1", Level: rng.IntN(2) + 1, Instrument: []string{"", "MIRI"}[rng.IntN(2)]}}
			if rng.IntN(4) == 0 {
				f.ReleaseAt = time.Unix(1e9+rng.Int64N(2), 0)
			}
			rows = append(rows, queue.ProductRow{File: f, Rule: []string{"", "", "level", "size"}[rng.IntN(4)]})
		}
		var facts []queue.KeywordFact
		for range 200 {
			f := queue.KeywordFact{URI: fmt.Sprintf("mast:JWST/product/jw%d_cal.fits", rng.IntN(50)), Size: int64(rng.IntN(3)) - 1,
				Facts: queue.Facts{Level: -2, CalVer: []string{"", "1.18.0", "1.19.0"}[rng.IntN(3)], Stale: rng.IntN(2) == 0}}
			if rng.IntN(2) == 0 {
				f.Checksum = bytes.Repeat([]byte{byte(rng.IntN(2))}, 16)
			}
			if rng.IntN(4) == 0 {
				f.ObsID = fmt.Sprint("jw", rng.IntN(3))
			}
			facts = append(facts, f)
		}
		one := ingestRows(t, slices.Chunk(rows, len(rows)), slices.Chunk(facts, len(facts)))
		many := ingestRows(t, slices.Chunk(rows, 1), slices.Chunk(facts, 1))
		if d := cmp.Diff(many, one); d != "" {
			t.Errorf("seed %d (-a chunk a row +one chunk):\n%s", seed, d)
		}
	}
}

// ingestRows plans two queries of the same chunks and dumps the queue without its chunks.
func ingestRows(t *testing.T, rows iter.Seq[[]queue.ProductRow], facts iter.Seq[[]queue.KeywordFact]) string {
	t.Helper()
	ctx := t.Context()
	q := openAt(t, t.TempDir(), nil)
	for _, spec := range []string{`{"n":1}`, `{"n":2}`} {
		id, _, err := q.AddQuery(ctx, []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		for rows := range rows {
			finish(t, q, id, queue.ChunkResult{Observations: seq(4, func(i int) queue.Observation {
				return queue.Observation{Obsid: int64(i + 1), ObsID: fmt.Sprint("o", i+1)}
			}), Products: list(rows...)})
		}
		for facts := range facts {
			finish(t, q, id, queue.ChunkResult{Facts: list(facts...)})
		}
	}
	var b bytes.Buffer
	if err := q.Dump(ctx, &b); err != nil {
		t.Fatal(err)
	}
	for f, err := range q.Files(ctx, queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, f.URI, f.QueryID, f.ReleaseAt) // left out by Dump
	}
	for id := range int64(3) {
		s, err := q.PlanSummary(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		s.Chunks = nil
		fmt.Fprintf(&b, "%+v\n", s)
	}
	return b.String()
}

// TestFailedChunkIsForgotten: a chunk whose rows break off is rolled back, and stored the second time as if it were the first.
func TestFailedChunkIsForgotten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rows := []queue.ProductRow{{File: file(1)}, {File: file(2), Rule: "level"}, {File: file(3)}, {File: file(1)}}
	store := func(fail bool) string {
		q := openAt(t, t.TempDir(), nil)
		c := take(t, q)
		if fail {
			broken := func(yield func(queue.ProductRow, error) bool) {
				for _, r := range rows {
					if !yield(r, nil) {
						return
					}
				}
				yield(queue.ProductRow{}, errors.New("the reply breaks off"))
			}
			if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Products: broken}); err == nil {
				t.Fatal("a reply that breaks off is no error")
			}
		}
		if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Products: list(rows...)}); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := q.Dump(ctx, &b); err != nil {
			t.Fatal(err)
		}
		s, err := q.PlanSummary(ctx, c.QueryID)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%+v\n", s)
		return b.String()
	}
	if d := cmp.Diff(store(false), store(true)); d != "" {
		t.Errorf("(-at once +after a failure):\n%s", d)
	}
}
