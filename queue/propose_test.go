package queue_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/queue"
)

// What an offer brings does not depend on the paths that were proposed before: by the layout of the offer, by another, by none.
func TestProposalsChangeNothing(t *testing.T) {
	t.Parallel()
	byObs := func(f queue.File) string { return "/JWST/" + f.ObsID + "/" }
	byProgram := func(f queue.File) string { return f.Program }
	for seed := range uint64(2) {
		want, wantReport := offerAll(t, seed, nil, byObs)
		for name, proposed := range map[string]func(queue.File) string{
			"the same": byObs, "another": byProgram, "unsafe": func(queue.File) string { return "../up" },
		} {
			got, report := offerAll(t, seed, proposed, byObs)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("seed %d, proposed by %s layout (-without +with):\n%s", seed, name, d)
			}
			if d := cmp.Diff(wantReport, report); d != "" {
				t.Errorf("seed %d, proposed by %s layout (-without +with):\n%s", seed, name, d)
			}
		}
	}
}

// offerAll plans two queries whose files lie among each other, and offers one after the other.
func offerAll(t *testing.T, seed uint64, propose, layout func(queue.File) string) (string, []queue.OfferReport) {
	t.Helper()
	ctx := t.Context()
	q := openAt(t, t.TempDir(), newClock().now)
	rng := rand.New(rand.NewPCG(7, seed))
	var ids [2]int64
	for i := range ids {
		var err error
		if ids[i], _, err = q.AddQuery(ctx, fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 12 {
		var rows []queue.NewFile
		for range 40 {
			name := fmt.Sprintf("jw%d_%d_cal.fits", rng.IntN(2), rng.IntN(200))
			if rng.IntN(4) == 0 {
				name = strings.ToUpper(name)
			}
			if rng.IntN(60) == 0 {
				name = "bad\x07.fits"
			}
			rows = append(rows, queue.NewFile{URI: "mast:JWST/product/" + name, ObsID: fmt.Sprint("o", rng.IntN(3)), Own: rng.IntN(3) == 0,
				Size: int64(rng.IntN(600)) - 1, Facts: queue.Facts{Level: 2, Program: fmt.Sprint(n % 3)}})
		}
		finish(t, q, ids[n%2], queue.ChunkResult{Files: list(rows...), Layout: propose})
	}
	talliesAgree(t, q)
	var reports []queue.OfferReport
	for _, id := range ids {
		rep, err := q.Offer(ctx, id, queue.OfferConfig{Layout: layout, Decide: func(f queue.File) queue.Decision {
			switch {
			case f.Size%50 == 1:
				return queue.Decision{State: queue.Parked, Reason: queue.ReasonNotPublic, DueAt: time.Date(2031, 1, 2, 0, 0, 0, 0, time.UTC)}
			case f.Size%50 == 2:
				return queue.Decision{State: queue.Planned}
			case f.Size%50 == 3:
				return queue.Decision{Rule: "limit"}
			case f.Size%50 == 4:
				return queue.Decision{State: queue.Failed, Reason: queue.ReasonRefusedPath, Detail: "a directory is there"}
			}
			return queue.Decision{}
		}})
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, rep)
		talliesAgree(t, q)
		for f, err := range q.Files(ctx, queue.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if f.State == queue.Planned && f.Path != "" {
				t.Errorf("%s is planned and has the path %s", f.URI, f.Path)
			}
			if f.Path == "" || f.ID%20 > 0 {
				continue
			}
			if found := files(t, q.Files(ctx, queue.Filter{Path: f.Path})); len(found) != 1 || found[0].ID != f.ID {
				t.Errorf("files at %s: %+v", f.Path, found)
			}
		}
	}
	if n := reports[0]; n.Pending == 0 || n.Parked == 0 || n.Refused == 0 || n.Collisions == 0 || n.Dropped == 0 {
		t.Errorf("a case is missing in what was planned: %+v", n)
	}
	return dump(t, q.Reader), reports
}

// Facts of a file that came with the same chunk are stored, also where files of the chunk were there already.
func TestFactsOfANewStem(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	ctx := t.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	old := seq(70, file)
	finish(t, q, id, queue.ChunkResult{Files: old})
	rows := func(yield func(queue.NewFile, error) bool) {
		for f, err := range old {
			if !yield(f, err) {
				return
			}
		}
		yield(queue.NewFile{URI: "mast:OTHER/new.fits", Size: -1}, nil)
	}
	finish(t, q, id, queue.ChunkResult{Files: rows, Facts: list(queue.KeywordFact{URI: "mast:OTHER/new.fits", Size: 77})})
	if f := files(t, q.Files(ctx, queue.Filter{URI: "mast:OTHER/new.fits"})); len(f) != 1 || f[0].Size != 77 || !f[0].Exact {
		t.Errorf("the new file: %+v, want 77 bytes", f)
	}
}

// A layout may put some files into the campaign's own directory and others elsewhere, in any order.
func TestFoldersInAnyOrder(t *testing.T) {
	t.Parallel()
	layout := func(f queue.File) string {
		if strings.HasSuffix(f.URI, "b") {
			return "d"
		}
		return ""
	}
	for name, proposed := range map[string]func(queue.File) string{"proposed": layout, "not proposed": nil} {
		q := openAt(t, t.TempDir(), nil)
		id, _, err := q.AddQuery(t.Context(), []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		finish(t, q, id, queue.ChunkResult{Layout: proposed, Files: list(queue.NewFile{URI: "mast:x/a"}, queue.NewFile{URI: "mast:x/b"}, queue.NewFile{URI: "mast:x/c"})})
		if _, err := q.Offer(t.Context(), id, queue.OfferConfig{Layout: layout}); err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, f := range files(t, q.Files(t.Context(), queue.Filter{States: []queue.State{queue.Pending}})) {
			paths = append(paths, f.Path)
		}
		if d := cmp.Diff([]string{"a", "d/b", "c"}, paths); d != "" {
			t.Errorf("paths of files, %s (-want +got):\n%s", name, d)
		}
	}
}

// A file that was refused, is tried again, and now goes where it was proposed no longer says why it was refused.
func TestProposalAfterRetry(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	ctx := t.Context()
	layout := func(f queue.File) string { return f.ObsID }
	id, _, err := q.AddQuery(ctx, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	f := queue.NewFile{URI: "mast:x/a", ObsID: "o1", Size: 5}
	finish(t, q, id, queue.ChunkResult{Layout: layout, Files: list(f)})
	refuse := func(queue.File) queue.Decision {
		return queue.Decision{State: queue.Failed, Reason: queue.ReasonRefusedName, Detail: "no safe name"}
	}
	if _, err := q.Offer(ctx, id, queue.OfferConfig{Layout: layout, Decide: refuse}); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Retry(ctx, queue.RetryFilter{}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	f.ObsID, f.Own = "o2", true
	finish(t, q, id, queue.ChunkResult{Layout: layout, Files: list(f)})
	if _, err := q.Offer(ctx, id, queue.OfferConfig{Layout: layout}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, q.Files(ctx, queue.Filter{})); len(got) != 1 || got[0].State != queue.Pending || got[0].Path != "o2/a" || got[0].Detail != "" {
		t.Errorf("the file is %+v, want pending at o2/a, without detail", got)
	}
	talliesAgree(t, q)
}
