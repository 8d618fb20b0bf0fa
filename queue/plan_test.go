package queue_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/queue"
)

func TestQueryIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	ctx := t.Context()
	a, resumed, err := q.AddQuery(ctx, []byte(`{"a":1}`))
	if err != nil || resumed {
		t.Fatalf("AddQuery = %v, %v", resumed, err)
	}
	if err := q.AddChunks(ctx, a, []queue.NewChunk{{Kind: "products", Spec: []byte(`{"n":1}`)}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := q.NextChunk(ctx, a, "keywords")
	if err != nil || c.ID != 0 {
		t.Errorf("NextChunk of another kind = %+v, %v", c, err)
	}
	c, ok, err := q.NextChunk(ctx, a, "keywords", "products")
	if err != nil || !ok || string(c.Spec) != `{"n":1}` || c.Tries != 1 {
		t.Fatalf("NextChunk = %+v, %v, %v", c, ok, err)
	}
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkFailed, Error: "504 after\n600 s"}); err != nil {
		t.Fatal(err)
	}
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone}); !errors.Is(err, queue.ErrStale) {
		t.Errorf("FinishChunk twice = %v, want ErrStale", err)
	}
	if failed, err := q.Chunks(ctx, a, queue.ChunkFailed); err != nil || len(failed) != 1 || failed[0].Error != "504 after 600 s" {
		t.Errorf("Chunks(failed) = %+v, %v", failed, err)
	}
	b, resumed, err := q.AddQuery(ctx, []byte(`{"a":1}`))
	if err != nil || b != a || !resumed {
		t.Errorf("AddQuery again = %d, %v, %v, want %d taken up", b, resumed, err, a)
	}
	if c, ok, err = q.NextChunk(ctx, a); err != nil || !ok || c.Tries != 2 {
		t.Errorf("the failed chunk was not taken up: %+v, %v, %v", c, ok, err)
	}
	if err := q.FinishQuery(ctx, a, []byte(`{"files":0}`)); err != nil {
		t.Fatal(err)
	}
	if b, resumed, err = q.AddQuery(ctx, []byte(`{"a":1}`)); err != nil || b == a || resumed {
		t.Errorf("AddQuery after the end = %d, %v, %v, want a new one", b, resumed, err)
	}
	rows, err := q.Queries(ctx)
	if err != nil || len(rows) != 2 || string(rows[0].Summary) != `{"files":0}` || rows[0].FinishedAt.IsZero() || !rows[1].FinishedAt.IsZero() {
		t.Errorf("Queries = %+v, %v", rows, err)
	}
	if _, _, err := q.AddQuery(ctx, []byte(`no json`)); err == nil {
		t.Error("AddQuery took no JSON")
	}
	if err := q.FinishQuery(ctx, 99, nil); err == nil {
		t.Error("FinishQuery of no query succeeded")
	}
}

func obsids(t *testing.T, seq iter.Seq2[queue.Observation, error]) string {
	t.Helper()
	var out []int64
	for o, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o.Obsid)
	}
	return fmt.Sprint(out)
}

func TestObservationsAndChildren(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	ctx := t.Context()
	c := take(t, q)
	obs := func(i int) queue.Observation {
		return queue.Observation{Obsid: int64(9 - i), ObsID: fmt.Sprint("o", 9-i)}
	}
	children := []queue.NewChunk{{Kind: "products", Obsids: []int64{3, 2, 1}}, {Kind: "products", Obsids: []int64{4}}}
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Observations: seq(9, obs), Children: children}); err != nil {
		t.Fatal(err)
	}
	if got, want := obsids(t, q.Observations(ctx, c.QueryID)), "[5 6 7 8 9]"; got != want {
		t.Errorf("Observations = %s, want %s", got, want)
	}
	if err := q.AddChunks(ctx, c.QueryID, []queue.NewChunk{{Kind: "products", Obsids: []int64{77}}}); err == nil {
		t.Error("a chunk took an observation the query does not have")
	}
	p, ok, err := q.NextChunk(ctx, c.QueryID)
	if err != nil || !ok || fmt.Sprint(p.Obsids) != "[1 2 3]" || p.ParentID != c.ID {
		t.Fatalf("NextChunk = %+v, %v, %v", p, ok, err)
	}
	// A kill here: the chunk is handed out again.
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openAt(t, dir, nil)
	if p, ok, err = q.NextChunk(ctx, c.QueryID); err != nil || !ok || p.Tries != 2 || fmt.Sprint(p.Obsids) != "[1 2 3]" {
		t.Fatalf("NextChunk after reopening = %+v, %v, %v", p, ok, err)
	}
	split := []queue.NewChunk{{Kind: "products", Obsids: []int64{1}}, {Kind: "products", Obsids: []int64{2, 3}}}
	if err := q.FinishChunk(ctx, p, queue.ChunkResult{State: queue.ChunkSplit, Children: split}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		p, ok, err := q.NextChunk(ctx, c.QueryID)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got = append(got, fmt.Sprint(p.Obsids))
	}
	if d := cmp.Diff([]string{"[4]", "[1]", "[2 3]"}, got); d != "" {
		t.Errorf("chunks (-want +got):\n%s", d)
	}
}

func TestIteratorErrorRollsBack(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	c := take(t, q)
	before := dump(t, q.Reader)
	bad := func(yield func(queue.NewFile, error) bool) {
		for i := range 100 {
			if !yield(file(i), nil) {
				return
			}
		}
		yield(queue.NewFile{}, errBroken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	endless := func(yield func(queue.NewFile, error) bool) {
		for i := 0; yield(file(i), nil); i++ {
			if i == 3000 {
				cancel()
			}
		}
	}
	obs := list(queue.Observation{Obsid: 5, ObsID: "o"})
	if err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Observations: obs, Files: bad}); !errors.Is(err, errBroken) {
		t.Errorf("FinishChunk = %v, want the iterator's error", err)
	}
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Observations: obs, Files: endless}); !errors.Is(err, context.Canceled) {
		t.Errorf("FinishChunk = %v, want the context's error", err)
	}
	if err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: "half"}); err == nil {
		t.Error("FinishChunk took an unknown state")
	}
	if err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Observations: list(queue.Observation{})}); err == nil {
		t.Error("FinishChunk took an observation without number")
	}
	if after := dump(t, q.Reader); after != before {
		t.Errorf("after the errors:\n%s\nwant:\n%s", after, before)
	}
	if err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(3, file)}); err != nil {
		t.Errorf("the chunk cannot be finished after errors: %v", err)
	}
}

// TestDedup lists one file three times, with folders of different rank, and once more by a second query.
func TestDedup(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	ctx := t.Context()
	c := take(t, q)
	f := queue.NewFile{URI: "mast:JWST/product/a_rate.fits", ObsID: "zz", Size: 5, Parents: []int64{1}, Facts: queue.Facts{Level: 2, Rights: "PUBLIC"}}
	g, h := f, f
	g.ObsID, g.Parents, g.Size = "mm", []int64{2}, -1
	h.ObsID, h.Parents, h.Own = "qq", []int64{3}, true
	k := queue.KeywordFact{URI: f.URI, Size: 9, Checksum: []byte("0123456789abcdef"), ObsID: "kk",
		Facts: queue.Facts{Level: -2, CalVer: "1.1", Stale: true, ReleaseAt: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}}
	err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone,
		Observations: list(queue.Observation{Obsid: 1, ObsID: "zz"}, queue.Observation{Obsid: 2, ObsID: "mm"}, queue.Observation{Obsid: 3, ObsID: "qq"}),
		Products: list(queue.ProductRow{File: f}, queue.ProductRow{File: g}, queue.ProductRow{File: h},
			queue.ProductRow{File: queue.NewFile{URI: "mast:JWST/product/a_gs-id.fits", Size: 100}, Rule: "guide-star"},
			queue.ProductRow{File: queue.NewFile{URI: "mast:JWST/product/a_gs-id.fits", Size: 100}, Rule: "guide-star"}),
		Omitted: list(queue.Omitted{URI: "mast:JWST/product/a.jpg", Size: -1, Rule: "type"}),
		Facts:   list(k, queue.KeywordFact{URI: "mast:JWST/other/unknown.fits"}, queue.KeywordFact{URI: "mast:JWST/product/unknown.fits"})})
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, q.Files(ctx, queue.Filter{ObsIDs: true}))
	if len(got) != 1 {
		t.Fatalf("Files = %d, want 1", len(got))
	}
	want := queue.File{ID: got[0].ID, URI: f.URI, State: queue.Planned, Size: 9, Exact: true, Checksum: k.Checksum, ObsID: "qq", QueryID: c.QueryID,
		Observations: []string{"mm", "qq", "zz"}, Facts: queue.Facts{Level: 2, Rights: "PUBLIC", CalVer: "1.1", Stale: true, ReleaseAt: k.ReleaseAt}}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("file (-want +got):\n%s", d)
	}
	if rule, ok, err := q.Omission(ctx, "mast:JWST/product/a_gs-id.fits"); err != nil || !ok || rule != "guide-star" {
		t.Errorf("Omission = %q, %v, %v", rule, ok, err)
	}
	if _, ok, err := q.Omission(ctx, f.URI); err != nil || ok {
		t.Errorf("Omission of a kept file = %v, %v", ok, err)
	}
	s, err := q.PlanSummary(ctx, c.QueryID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 3 || s.Duplicates != 2 || s.Known != 0 || s.Files != 1 || s.Bytes != 9 || s.Observations != 3 {
		t.Errorf("PlanSummary = %+v", s)
	}
	if d := cmp.Diff([]queue.Tally{{Key: "guide-star", Rows: 2, Files: 1, Bytes: 100}, {Key: "type", Rows: 1, Files: 1}}, s.Omitted); d != "" {
		t.Errorf("Omitted (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]queue.Tally{{Key: "rate", Files: 1, Bytes: 9}}, s.BySuffix); d != "" {
		t.Errorf("BySuffix (-want +got):\n%s", d)
	}
	secondQuery(t, q, f)
}

func secondQuery(t *testing.T, q *queue.Queue, f queue.NewFile) {
	t.Helper()
	ctx := t.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{"q":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "products"}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := q.NextChunk(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: list(f)}); err != nil {
		t.Fatal(err)
	}
	s, err := q.PlanSummary(ctx, id)
	if err != nil || s.Known != 1 || s.Files != 1 {
		t.Errorf("PlanSummary of the second query = %+v, %v: it takes over what was never offered", s, err)
	}
	if rep, err := q.Offer(ctx, id, queue.OfferConfig{}); err != nil || rep.Pending != 1 || rep.PendingBytes != 9 {
		t.Errorf("Offer = %+v, %v", rep, err)
	}
}

func TestOffer(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	ctx := t.Context()
	c := take(t, q)
	uris := []string{"mast:JWST/product/a.fits", "mast:JWST/other/A.fits", "mast:JWST/product/..", "mast:JWST/product/b\x07.fits",
		"mast:JWST/product/parked.fits", "mast:JWST/product/refused.fits", "mast:JWST/product/", "nostem.fits", "mast:JWST/product/ünï.fits"}
	err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(len(uris), func(i int) queue.NewFile {
		return queue.NewFile{URI: uris[i], Size: int64(i)}
	})})
	if err != nil {
		t.Fatal(err)
	}
	due := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	rep, err := q.Offer(ctx, c.QueryID, queue.OfferConfig{
		Layout: func(queue.File) string { return "" },
		Decide: func(f queue.File) queue.Decision {
			switch {
			case strings.HasSuffix(f.URI, "parked.fits"):
				return queue.Decision{State: queue.Parked, Reason: queue.ReasonNotPublic, DueAt: due}
			case strings.HasSuffix(f.URI, "refused.fits"):
				return queue.Decision{State: queue.Failed, Reason: queue.ReasonRefusedPath, Detail: "a directory is there"}
			}
			return queue.Decision{}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := queue.OfferReport{Pending: 3, Parked: 1, Failed: 5, PendingBytes: 0 + 7 + 8, ParkedBytes: 4, Refused: 4, Collisions: 1,
		ParkedUntil: []queue.ParkedUntil{{Day: due.Truncate(24 * time.Hour), Reason: queue.ReasonNotPublic, Files: 1, Bytes: 4}}}
	if d := cmp.Diff(want, rep); d != "" {
		t.Errorf("Offer (-want +got):\n%s", d)
	}
	s, err := q.PlanSummary(ctx, 0)
	if d := cmp.Diff(want.ParkedUntil, s.Parked); d != "" || err != nil {
		t.Errorf("PlanSummary.Parked %v (-want +got):\n%s", err, d)
	}
	f := files(t, q.Files(ctx, queue.Filter{URI: uris[1]}))
	if len(f) != 1 || f[0].Reason != queue.ReasonCollision || !strings.Contains(f[0].Detail, uris[0]) || f[0].Path != "" {
		t.Errorf("the second of two paths that differ in case only: %+v", f)
	}
	if f := files(t, q.Files(ctx, queue.Filter{Path: "a.fits"})); len(f) != 1 || f[0].URI != uris[0] {
		t.Errorf("Files by path = %+v", f)
	}
	if n, err := q.Retry(ctx, queue.RetryFilter{Reasons: []queue.Reason{queue.ReasonCollision}}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	rep, err = q.Offer(ctx, 0, queue.OfferConfig{
		Layout:  func(queue.File) string { return "" },
		Collide: func(queue.File, queue.File) queue.Decision { return queue.Decision{} },
	})
	if err != nil || rep.Pending != 1 {
		t.Errorf("Offer of a collision that is allowed = %+v, %v", rep, err)
	}
	if got, want := states(t, q), "pending 4 failed 4 parked 1"; got != want {
		t.Errorf("states = %q, want %q", got, want)
	}
}

func TestOfferRefusesBadDecisions(t *testing.T) {
	t.Parallel()
	for _, d := range []queue.Decision{
		{State: queue.Done}, {State: queue.Parked}, {State: queue.Failed}, {State: queue.Pending, Reason: queue.ReasonHTTP},
		{State: queue.Failed, Reason: queue.ReasonHTTP, DueAt: time.Now()},
	} {
		q := openAt(t, t.TempDir(), nil)
		c := take(t, q)
		if err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(2, file)}); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Offer(t.Context(), 0, queue.OfferConfig{Decide: func(queue.File) queue.Decision { return d }}); err == nil {
			t.Errorf("Offer took the decision %+v", d)
		}
		if got, want := states(t, q), "planned 2"; got != want {
			t.Errorf("states = %q, want %q", got, want)
		}
	}
}
