package queue_test

import (
	"slices"
	"strings"
	"testing"

	"jwstbulk/queue"
)

// TestLendLargestFirst: files are assigned by size, unknown ones last; a shard beyond the last changes nothing. SQLite sorts
// none of it: it would do so in memory, whatever their number.
func TestLendLargestFirst(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q := openAt(t, t.TempDir(), nil)
	c := take(t, q)
	sizes := []int64{5, -1, 70, 0, 5, 900, -1}
	files := seq(len(sizes), func(i int) queue.NewFile {
		f := file(i)
		f.Size = sizes[i]
		return f
	})
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: files}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Offer(ctx, c.QueryID, queue.OfferConfig{}); err != nil {
		t.Fatal(err)
	}
	for _, shard := range []int{-1, 2} {
		if _, _, err := q.Lend(ctx, queue.Lending{Shards: 2, Spec: []byte(`{}`), Assign: func(int64) int { return shard }}); err == nil {
			t.Errorf("shard %d of 2 is no error", shard)
		}
	}
	var asked []int64
	round, n, err := q.Lend(ctx, queue.Lending{Shards: 2, Spec: []byte(`{}`), Assign: func(size int64) int {
		asked = append(asked, size)
		return 1
	}})
	if err != nil || round != 1 || n != int64(len(sizes)) {
		t.Fatalf("Lend = round %d, %d files, %v; want round 1, %d files", round, n, err, len(sizes))
	}
	if want := []int64{900, 70, 5, 5, 0, -1, -1}; !slices.Equal(asked, want) {
		t.Errorf("assigned in the order %v, want %v", asked, want)
	}
	if plan, err := q.Text(ctx, "EXPLAIN QUERY PLAN "+queue.ListPending); err != nil || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("the pending files are listed by %s, %v; want no sorting", plan, err)
	}
}
