package queue_test

import (
	"testing"

	"jwstbulk/queue"
)

// TestForgetQuery: a query without files leaves no trace, one with files stays.
func TestForgetQuery(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q, err := queue.Open(ctx, queue.Config{Dir: t.TempDir(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, withFile := range []bool{false, true} {
		id, _, err := q.AddQuery(ctx, []byte(`{"program":["1"]}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "observations"}}); err != nil {
			t.Fatal(err)
		}
		c, ok, err := q.NextChunk(ctx, id)
		if err != nil || !ok {
			t.Fatalf("NextChunk = %v, %v", ok, err)
		}
		out := queue.ChunkResult{State: queue.ChunkDone, Omitted: list(queue.Omitted{URI: "mast:JWST/product/a_gs-id.fits", Rule: "guide-stars", Size: 1}),
			Observations: list(queue.Observation{Obsid: 7, ObsID: "jw1"})}
		if withFile {
			out.Files = list(queue.NewFile{URI: "mast:JWST/product/a.fits", Name: "a.fits", Size: 1, Parents: []int64{7}})
		}
		if err := q.FinishChunk(ctx, c, out); err != nil {
			t.Fatal(err)
		}
		if err := q.ForgetQuery(ctx, id); (err != nil) != withFile {
			t.Errorf("ForgetQuery of a query with files %v = %v", withFile, err)
		}
		queries, err := q.Queries(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(queries) == 1; got != withFile {
			t.Errorf("%d queries left of one with files %v", len(queries), withFile)
		}
	}
}

// TestDrop: a planned file of the query can be left out after all, when it is joined or when it is offered; all others stay, and
// the counts add up.
func TestDrop(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 2) // offered by another query
	id, _, err := q.AddQuery(ctx, []byte(`{"program":["2"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "a"}}); err != nil {
		t.Fatal(err)
	}
	dropped := func(f queue.NewFile) queue.Omitted { return queue.Omitted{URI: f.URI, Rule: "type"} }
	out := queue.ChunkResult{State: queue.ChunkDone, Files: seq(6, file),
		Dropped: list(dropped(file(0)), dropped(file(2)), queue.Omitted{URI: "mast:JWST/product/unknown.fits", Rule: "type"})}
	c, ok, err := q.NextChunk(ctx, id)
	if err != nil || !ok {
		t.Fatalf("NextChunk = %v, %v", ok, err)
	}
	if err := q.FinishChunk(ctx, c, out); err != nil {
		t.Fatal(err)
	}
	rep, err := q.Offer(ctx, id, queue.OfferConfig{Decide: func(f queue.File) queue.Decision {
		switch f.URI {
		case file(3).URI:
			return queue.Decision{Rule: "limit"}
		case file(4).URI:
			return queue.Decision{State: queue.Planned}
		}
		return queue.Decision{}
	}})
	if err != nil || rep.Pending != 1 || rep.Dropped != 1 {
		t.Errorf("Offer = %+v, %v, want one pending and one dropped", rep, err)
	}
	s, err := q.PlanSummary(ctx, id)
	if err != nil || s.Files != 2 || s.Known != 2 || s.Rows != 4 || len(s.Omitted) != 2 || s.Omitted[0].Files != 1 || s.Omitted[1].Bytes != file(2).Size {
		t.Errorf("PlanSummary = %+v, %v", s, err)
	}
	counts, err := q.Counts(ctx)
	if err != nil || counts.State[queue.Pending].Files != 3 || counts.State[queue.Planned].Files != 1 || counts.Total().Files != 4 {
		t.Errorf("Counts = %+v, %v", counts, err)
	}
	if rule, ok, err := q.Omission(ctx, file(2).URI); rule != "type" || !ok || err != nil {
		t.Errorf("Omission = %q, %v, %v", rule, ok, err)
	}
}
