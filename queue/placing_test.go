package queue_test

import (
	"fmt"
	"strings"
	"testing"

	"jwstbulk/queue"
)

// TestTakenBefore: paths that an earlier offer gave away are found, however many of them lie in one folder and visit and however
// many folders and visits there are, also where case alone differs.
func TestTakenBefore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q := openAt(t, t.TempDir(), nil)
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("jw%05d_cal.fits", i), fmt.Sprintf("jw77777_%05d_cal.fits", i))
	}
	offer := func(spec string, files ...queue.NewFile) queue.OfferReport {
		t.Helper()
		id, _, err := q.AddQuery(ctx, []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		finish(t, q, id, queue.ChunkResult{Files: list(files...)})
		rep, err := q.Offer(ctx, id, queue.OfferConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	var first, second []queue.NewFile
	for i, name := range names {
		first = append(first, queue.NewFile{URI: "mast:JWST/product/" + name, ObsID: "jw1", Size: 1})
		f := queue.NewFile{URI: "mast:JWST/other/" + strings.ToUpper(name), ObsID: "JW1", Size: 1}
		if i%10 == 0 { // another folder, or another file of the same
			f.ObsID = "jw2"
		} else if i%10 == 1 {
			f.URI += ".gz"
		}
		second = append(second, f)
	}
	if rep := offer(`{"n":1}`, first...); rep.Pending != 300 || rep.Failed != 0 {
		t.Errorf("first offer = %+v, want 300 pending", rep)
	}
	if rep := offer(`{"n":2}`, second...); rep.Pending != 60 || rep.Collisions != 240 {
		t.Errorf("second offer = %+v, want 60 pending and 240 collisions", rep)
	}
}

// TestUsedIsSearched: whether some hash begins alike is found by a search from that beginning (SeekGE). From the lower bound
// of the index's condition (SeekGT) it would be a walk along all hashes before it, and an offer quadratic.
func TestUsedIsSearched(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	code, err := q.Text(t.Context(), "EXPLAIN "+queue.ListUsed())
	if err != nil || !strings.Contains(code, "|SeekGE|") || strings.Contains(code, "|SeekGT|") {
		t.Errorf("EXPLAIN = %v\n%s", err, code)
	}
}
