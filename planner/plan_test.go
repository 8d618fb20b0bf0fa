package planner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 60, PerProgram: 30, Planned: 3})})
	s := r.plan(query.Query{Programs: []string{firstProgram}})
	want := truth(r.srv, func(f masttest.File) bool { return f.Program == firstProgram && wanted(f) })
	guides := truth(r.srv, func(f masttest.File) bool { return f.Program == firstProgram && !wanted(f) })
	got := r.files()
	if len(want) == 0 || len(got) != len(want) || s.Files != int64(len(want)) || s.Pending != s.Files {
		t.Fatalf("planned %d files, summary %d with %d pending, want %d", len(got), s.Files, s.Pending, len(want))
	}
	var bytes int64
	for uri, w := range want {
		f := got[uri]
		if f.State != queue.Pending || f.Path != "JWST/"+w.ObsID+"/"+w.Name || f.Size != w.Size || f.Program != firstProgram || f.Level != w.Level {
			t.Errorf("%s: state %s path %s size %d program %s level %d, want %+v", uri, f.State, f.Path, f.Size, f.Program, f.Level, w)
		}
		if isFITS := path.Ext(w.Name) == ".fits"; isFITS && w.Product != "" && (!f.Exact || len(f.Checksum) != 16 || f.CalVer == "" || f.IngestedAt.IsZero()) {
			t.Errorf("%s was not joined: %+v", uri, f)
		}
		if len(f.Observations) == 0 || !slices.Contains(f.Observations, w.ObsID) {
			t.Errorf("%s: observations %q, want %q among them", uri, f.Observations, w.ObsID)
		}
		bytes += w.Size
	}
	if s.Bytes != bytes || s.Observations != 30 || !s.Complete() || s.Duplicates == 0 || s.Rows == 0 || s.Requests == 0 || s.Version != 1 {
		t.Errorf("summary = %+v, want %d bytes of 30 observations", s, bytes)
	}
	if len(s.LeftOut) != 1 || s.LeftOut[0].Key != query.RuleGuideStars || s.LeftOut[0].Files != int64(len(guides)) {
		t.Errorf("left out = %+v, want %d guide-star files", s.LeftOut, len(guides))
	}
	for name, list := range map[string][]planner.Tally{"instrument": s.ByInstrument, "level": s.ByLevel, "suffix": s.BySuffix, "access": s.ByAccess, "program": s.ByProgram, "type": s.ByType} {
		var files int64
		for _, l := range list {
			files += l.Files
		}
		if files != s.Files {
			t.Errorf("by %s adds up to %d files, want %d", name, files, s.Files)
		}
	}
	if qs, err := r.q.Queries(t.Context()); err != nil || len(qs) != 1 || qs[0].FinishedAt.IsZero() || len(qs[0].Summary) == 0 {
		t.Errorf("Queries = %+v, %v, want one finished", qs, err)
	}
}

// TestPlanFilters asks for a part of the files by every criterion of files.
func TestPlanFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20})})
	s := r.plan(query.Query{Instruments: []string{"nircam"}, Dates: []string{"2022-12-31.."}, Levels: []string{"2b", "3"}, Suffixes: []string{"cal", "i2d.fits"}})
	want := truth(r.srv, func(f masttest.File) bool {
		return wanted(f) && (strings.HasSuffix(f.Name, "_cal.fits") || strings.HasSuffix(f.Name, "_i2d.fits"))
	})
	got := r.files()
	for uri := range want {
		if _, ok := got[uri]; !ok {
			t.Errorf("%s is missing", uri)
		}
	}
	for uri := range got {
		if strings.HasSuffix(uri, "_uncal.fits") {
			t.Errorf("%s was not asked for", uri)
		}
	}
	rules := map[string]bool{}
	for _, l := range s.LeftOut {
		rules[l.Key] = true
	}
	if !rules[query.RuleLevel] || !rules[query.RuleSuffix] || !rules[query.RuleGuideStars] {
		t.Errorf("left out = %+v", s.LeftOut)
	}
}

// TestPlanAgain refreshes what is known of unfinished files and adds nothing twice.
func TestPlanAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 10})})
	q := query.Query{Programs: []string{firstProgram}}
	first := r.plan(q)
	before := r.files()
	changed := r.srv.Reprocess("*_cal.fits")
	second := r.plan(q)
	after := r.files()
	if second.QueryID == first.QueryID || second.Files != 0 || second.Known == 0 || len(after) != len(before) || len(changed) == 0 {
		t.Fatalf("second plan = %+v with %d files, want none new of %d", second, len(after), len(before))
	}
	refreshed := 0
	for _, uri := range changed {
		if f, ok := after[uri]; ok {
			refreshed++
			if bytes.Equal(f.Checksum, before[uri].Checksum) || f.CalVer == before[uri].CalVer || f.Path != before[uri].Path {
				t.Errorf("%s kept checksum %x and version %s after reprocessing", uri, f.Checksum, f.CalVer)
			}
		}
	}
	if refreshed == 0 {
		t.Error("no planned file was reprocessed")
	}
}

// TestPlanHalves lets product requests of more than one observation fail in each way of the archive.
func TestPlanHalves(t *testing.T) {
	t.Parallel()
	for _, how := range []masttest.JoinFailure{masttest.JoinGatewayTimeout, masttest.JoinError, masttest.JoinReset} {
		for _, limit := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s above %d", how, limit), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 40}),
					Joins: masttest.JoinLimit{Obsids: limit, How: how}})
				s := r.plan(query.Query{Programs: []string{firstProgram}})
				want := truth(r.srv, wanted)
				if !s.Complete() || len(r.files()) != len(want) {
					t.Errorf("planned %d files, failed chunks %+v, want %d files", len(r.files()), s.FailedChunks, len(want))
				}
				refused := 0
				for _, q := range r.srv.Requests() {
					if q.Obsids > limit {
						refused++
					}
				}
				if refused == 0 || refused > 25 {
					t.Errorf("%d requests were too large, want some and not many", refused)
				}
			})
		}
	}
}

// TestPlanGrows asks for more and more while replies are quick.
func TestPlanGrows(t *testing.T) {
	t.Parallel()
	sizes := func(cfg planner.Config, observations int) []int {
		r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: observations, PerProgram: observations})})
		var got []int
		r.cfg = cfg
		r.cfg.Archive = hooked{client(t, r.srv.URL), func(op string, ids []int64) error {
			if op == "products" {
				got = append(got, len(ids))
			}
			return nil
		}}
		r.plan(query.Query{Programs: []string{firstProgram}})
		return got
	}
	if d := cmp.Diff([]int{5, 10, 20, 40, 50, 50, 25}, sizes(planner.Config{}, 200)); d != "" {
		t.Errorf("sizes (-want +got):\n%s", d)
	}
	if got := sizes(planner.Config{MaxProductRows: 700}, 100); slices.Max(got) > 15 {
		t.Errorf("sizes = %v, want about 10 for 700 rows a request", got)
	}
	var now time.Time
	slow := planner.Config{Now: func() time.Time { now = now.Add(11 * time.Second); return now }}
	if d := cmp.Diff([]int{5, 5, 5, 5}, sizes(slow, 20)); d != "" {
		t.Errorf("sizes of slow replies (-want +got):\n%s", d)
	}
}

// TestPlanOneFails leaves out one observation whose products cannot be had, and gets it when planned again.
func TestPlanOneFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20})})
	const bad = 200_000_007
	broken := true
	r.cfg.Archive = hooked{client(t, r.srv.URL), func(op string, ids []int64) error {
		if broken && slices.Contains(ids, bad) {
			return &mast.Error{Op: "Mast.Caom.Products", Err: mast.ErrTimeout}
		}
		return nil
	}}
	q := query.Query{Programs: []string{firstProgram}}
	s := r.plan(q)
	if s.Complete() || len(s.FailedChunks) != 1 || !slices.Equal(s.FailedChunks[0].Obsids, []int64{bad}) || !strings.Contains(s.FailedChunks[0].Error, "200000007") {
		t.Fatalf("failed chunks = %+v, want observation %d", s.FailedChunks, bad)
	}
	if s.Pending == 0 || s.Pending != s.Files {
		t.Errorf("pending %d of %d files, want all", s.Pending, s.Files)
	}
	broken = false
	asked := r.requests("Mast.Caom.Products")
	s = r.plan(q)
	if !s.Complete() || !s.Resumed || r.requests("Mast.Caom.Products") != asked+1 {
		t.Errorf("second plan: complete %v, resumed %v, %d requests, want one", s.Complete(), s.Resumed, r.requests("Mast.Caom.Products")-asked)
	}
	for uri, f := range r.files() {
		if f.State != queue.Pending || strings.HasSuffix(uri, "_cal.fits") && !f.Exact {
			t.Errorf("%s: state %s exact %v", uri, f.State, f.Exact)
		}
	}
	if want := truth(r.srv, wanted); len(r.files()) != len(want) {
		t.Errorf("%d files, want %d", len(r.files()), len(want))
	}
}

// TestPlanTwoChains takes up a plan of which one chunk failed and another was not reached: both go on to the next observations. Even
// so every observation is asked for once, one request at a time.
func TestPlanTwoChains(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 15})})
	r.cfg.FirstObsids, r.cfg.MaxObsids = 1, 1
	const bad = 200_000_002
	q := query.Query{Programs: []string{firstProgram}}
	first := &counting{Archive: client(t, r.srv.URL), before: func(ids []int64) error {
		switch {
		case slices.Contains(ids, bad):
			return &mast.Error{Op: "Mast.Caom.Products", Err: mast.ErrTimeout}
		case slices.Contains(ids, bad+2):
			return &mast.Error{Op: "Mast.Caom.Products", Err: fs.ErrPermission}
		}
		return nil
	}}
	r.cfg.Archive = first
	if _, err := r.planner().Plan(t.Context(), q); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("the first plan = %v, want the refusal", err)
	}
	r.open()
	second := &counting{Archive: first.Archive}
	r.cfg.Archive = second
	if s := r.plan(q); !s.Complete() || int(s.Files) != len(truth(r.srv, wanted)) {
		t.Errorf("the second plan: complete %v, %d files, want %d", s.Complete(), s.Files, len(truth(r.srv, wanted)))
	}
	if len(second.asked) < 6 {
		t.Errorf("the second plan asked for %v, want most observations", second.asked)
	}
	for id, n := range second.asked {
		if n > 1 {
			t.Errorf("observation %d was asked for %d times", id, n)
		}
	}
	if n := second.together.Load(); n > 0 {
		t.Errorf("%d requests began while another was under way", n)
	}
}

// counting is an archive that counts how often the products of an observation are asked for, and requests that overlap.
type counting struct {
	planner.Archive
	before   func(ids []int64) error // nil for none
	busy     atomic.Int64
	together atomic.Int64

	mu    sync.Mutex // guards asked
	asked map[int64]int
}

func (c *counting) Products(ctx context.Context, ids []int64) (*mast.Reply, error) {
	if c.busy.Add(1) > 1 {
		c.together.Add(1)
	}
	defer c.busy.Add(-1)
	if c.before != nil {
		if err := c.before(ids); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	if c.asked == nil {
		c.asked = map[int64]int{}
	}
	for _, id := range ids {
		c.asked[id]++
	}
	c.mu.Unlock()
	return c.Archive.Products(ctx, ids)
}

// TestPlanOutage stops when the archive is gone and goes on with the same planner when it is back.
func TestPlanOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20})})
	down := false
	r.cfg.Archive = hooked{client(t, r.srv.URL), func(op string, ids []int64) error {
		if down = down || op == "products" && len(ids) > 5; down {
			return &mast.Error{Op: op, Status: 503}
		}
		return nil
	}}
	p := r.planner()
	q := query.Query{Programs: []string{firstProgram}}
	var me *mast.Error
	if _, err := p.Plan(t.Context(), q); !errors.As(err, &me) || me.Status != 503 {
		t.Fatalf("Plan of an archive that is down = %v, want its 503", err)
	}
	r.cfg.Archive = client(t, r.srv.URL)
	s := r.plan(q)
	if !s.Complete() || !s.Resumed || int(s.Files) != len(truth(r.srv, wanted)) {
		t.Errorf("plan after the outage = %+v", s)
	}
}

func TestPlanEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20})})
	p := r.planner()
	_, err := p.Plan(t.Context(), query.Query{Programs: []string{firstProgram}, Instruments: []string{"FGS"}})
	var empty *planner.EmptyError
	if !errors.As(err, &empty) || empty.Observations != 0 || len(empty.Criteria) != 2 {
		t.Fatalf("Plan = %v, want an EmptyError of two criteria", err)
	}
	if c := empty.Criteria; c[0].Flag != "--program" || c[0].Without != 0 || c[1].Flag != "--instrument" || c[1].Without != 20 {
		t.Errorf("criteria = %+v, want 20 observations without --instrument", c)
	}
	if !strings.Contains(err.Error(), "without --instrument FGS: 20") {
		t.Errorf("error = %q", err)
	}
	_, err = p.Plan(t.Context(), query.Query{Programs: []string{"99999"}})
	if !errors.As(err, &empty) || len(empty.Criteria) != 1 || empty.Criteria[0].Without != -1 {
		t.Errorf("Plan = %v, want an EmptyError of one criterion", err)
	}
	_, err = p.Plan(t.Context(), query.Query{Programs: []string{firstProgram}, Suffixes: []string{"nothing"}})
	if !errors.As(err, &empty) || empty.Observations != 20 || len(empty.LeftOut) != 2 || !strings.Contains(err.Error(), "suffix leaves out") {
		t.Errorf("Plan = %v, want an EmptyError that names the suffix", err)
	}
	var usage *query.UsageError
	if _, err := p.Plan(t.Context(), query.Query{}); !errors.As(err, &usage) {
		t.Errorf("Plan of nothing = %v, want a UsageError", err)
	}
}

func TestPlanExclusive(t *testing.T) {
	t.Parallel()
	release := time.Date(2098, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, token := range []bool{false, true} {
		t.Run(fmt.Sprint(token), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 10, Exclusive: 1, ExclusiveUntil: release})})
			r.cfg.HasToken = token
			s := r.plan(query.Query{Programs: []string{firstProgram}})
			if token {
				if s.Pending != s.Files || s.Parked != 0 {
					t.Errorf("summary = %+v, want all pending", s)
				}
				return
			}
			if s.Parked != s.Files || len(s.ParkedUntil) != 1 || s.ParkedUntil[0].Day != "2098-07-01" || s.ParkedUntil[0].Files != s.Files {
				t.Errorf("summary = %+v, want all parked until %v", s, release)
			}
			for uri, f := range r.files() {
				if f.Reason != queue.ReasonNotPublic || !f.DueAt.Equal(release) {
					t.Errorf("%s is %s %s until %v", uri, f.State, f.Reason, f.DueAt)
				}
			}
		})
	}
}

func TestPlanRefusesNames(t *testing.T) {
	t.Parallel()
	const obs = "jw01345001001_02101_00001_nrcb1"
	var files []masttest.File
	for _, name := range []string{obs + "_cal.fits", obs + "_CAL.fits", "-rf.fits", ".hidden", "a b.fits", "con.fits", "x\x1b[2J.fits", strings.Repeat("n", 256)} {
		files = append(files, masttest.File{Name: name, ObsID: obs, Program: "1345", Instrument: "NIRCAM", Level: 2, Type: "SCIENCE"})
	}
	files = append(files, masttest.File{Name: "ok.json", ObsID: "../../etc", Program: "1345", Instrument: "NIRCAM", Level: 2, Type: "INFO"})
	cat, err := masttest.Custom(files...)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, masttest.Config{Catalog: cat})
	s := r.plan(query.Query{Programs: []string{"1345"}})
	if s.Files != int64(len(files)) || s.Pending != 1 || s.Failed != int64(len(files)-1) {
		t.Errorf("summary = %+v, want one good file of %d", s, len(files))
	}
	collisions := 0
	for uri, f := range r.files() {
		switch {
		case f.Reason == queue.ReasonCollision && strings.HasSuffix(strings.ToLower(uri), "_cal.fits"):
			collisions++
		case f.State == queue.Failed && f.Reason != queue.ReasonRefusedName:
			t.Errorf("%q failed for %s", uri, f.Reason)
		case strings.ContainsAny(f.Detail, "\x1b\n"):
			t.Errorf("detail %q has control characters", f.Detail)
		}
	}
	if collisions != 1 {
		t.Errorf("%d collisions, want 1", collisions)
	}
}

// TestPlanKeywords counts the keyword requests: by programme where many files are wanted, by name where few are.
func TestPlanKeywords(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 520, PerProgram: 260})})
	r.plan(query.Query{Programs: []string{firstProgram}})
	if n := r.requests("Mast.Jwst.Filtered.Nircam"); n != 2 {
		t.Errorf("%d requests for the keywords of a programme, want a count and a list", n)
	}
	before := len(r.srv.Requests())
	s := r.plan(query.Query{Programs: []string{"10002"}, Suffixes: []string{"cal.fits"}})
	n := 0
	for _, q := range r.srv.Requests()[before:] {
		if q.Service == "Mast.Jwst.Filtered.Miri" {
			n++
		}
	}
	if want := (int(s.Files) + 199) / 200; n != want || want < 2 {
		t.Errorf("%d requests for the keywords of %d files, want %d", n, s.Files, want)
	}
	for uri, f := range r.files() {
		if strings.HasSuffix(uri, "_cal.fits") && !f.Exact {
			t.Errorf("%s was not joined", uri)
		}
	}
}

// TestPlanGuideStars takes guide-star files when asked to, with their keywords.
func TestPlanGuideStars(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 5})})
	s := r.plan(query.Query{Programs: []string{firstProgram}, GuideStars: true})
	want := truth(r.srv, func(masttest.File) bool { return true })
	if int(s.Files) != len(want) || len(s.LeftOut) != 0 {
		t.Errorf("planned %d files and left out %+v, want all %d", s.Files, s.LeftOut, len(want))
	}
	for uri, f := range r.files() {
		if strings.Contains(uri, "_gs-") && strings.HasSuffix(uri, ".fits") && !f.Exact {
			t.Errorf("%s was not joined", uri)
		}
	}
}
