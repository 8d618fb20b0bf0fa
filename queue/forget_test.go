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
