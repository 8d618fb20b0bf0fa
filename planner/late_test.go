package planner_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// names are the sorted URIs of a campaign's files.
func (r *rig) names() []string { return slices.Sorted(maps.Keys(r.files())) }

func leftOut(s planner.Summary, rule string) int64 {
	for _, t := range s.LeftOut {
		if t.Key == rule {
			return t.Files
		}
	}
	return 0
}

// TestPlanLimit: the first files by name are offered by any route, the same ones when the question is asked again, and the
// rest is counted as left out.
func TestPlanLimit(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 4})})
	cal := func(f masttest.File) bool {
		return wanted(f) && strings.HasSuffix(f.Name, "_cal.fits") && f.Program == firstProgram
	}
	all := slices.Sorted(maps.Keys(truth(srv, cal)))
	list, err := filelist.Parse(strings.NewReader(strings.Join(all, "\n")), "list")
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list.Items) // the order of names counts, not that of the list
	q := query.Query{Programs: []string{firstProgram}, Suffixes: []string{"cal.fits"}, Limit: "3"}
	keywords := q
	keywords.Via = "keywords"
	for name, plan := range map[string]func(*rig) (planner.Summary, error){
		"observations": func(r *rig) (planner.Summary, error) { return r.planner().Plan(t.Context(), q) },
		"keywords":     func(r *rig) (planner.Summary, error) { return r.planner().Plan(t.Context(), keywords) },
		"list": func(r *rig) (planner.Summary, error) {
			return r.planner().PlanList(t.Context(), list, query.Query{Limit: "3"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, srv)
			for again := range 2 {
				s, err := plan(r)
				if err != nil {
					t.Fatal(err)
				}
				if want := int64(3 * (1 - again)); s.Files != want || s.Pending != want {
					t.Errorf("plan %d: %d files, %d pending, want %d", again, s.Files, s.Pending, want)
				}
				if n := leftOut(s, query.RuleLimit); n != int64(len(all))-3 {
					t.Errorf("plan %d: %d files left out by the limit, want %d", again, n, len(all)-3)
				}
				if !strings.Contains(string(s.Query), `"limit":"3"`) {
					t.Errorf("the stored query is %s", s.Query)
				}
				if d := cmp.Diff(all[:3], r.names()); d != "" {
					t.Errorf("plan %d: files (-want +got):\n%s", again, d)
				}
			}
			if rule, ok, err := r.q.Omission(t.Context(), all[len(all)-1]); err != nil || !ok || rule != query.RuleLimit {
				t.Errorf("the last file was left out by %q, %v, %v", rule, ok, err)
			}
			c, err := r.q.Counts(t.Context())
			if err != nil || c.Total().Files != 3 {
				t.Errorf("the campaign counts %+v, %v, want 3 files", c, err)
			}
			// Without the limit the rest comes.
			r.plan(query.Query{Programs: []string{firstProgram}, Suffixes: []string{"cal.fits"}})
			if d := cmp.Diff(all, r.names()); d != "" {
				t.Errorf("without the limit (-want +got):\n%s", d)
			}
		})
	}
}

// TestPlanExposureTypes: by observations, files of other exposure types are left out once the keywords have told, and so are
// those of which nobody tells a type.
func TestPlanExposureTypes(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 12, PerProgram: 4})})
	types, programs := map[string]int{}, map[string]bool{}
	for f := range srv.Files(func(f masttest.File) bool { return wanted(f) && f.Product != "" }) {
		types[f.ExpType]++
		programs[f.Program] = true
	}
	if len(types) < 2 {
		t.Fatalf("the catalogue has types %v, want several", types)
	}
	for typ := range types {
		want := slices.Sorted(maps.Keys(truth(srv, func(f masttest.File) bool {
			return wanted(f) && f.Product != "" && f.ExpType == typ
		})))
		r := newRigOn(t, srv)
		q := query.Query{Programs: slices.Sorted(maps.Keys(programs)), ExpTypes: []string{strings.ToLower(typ[:len(typ)-2]) + "*"}}
		s := r.plan(q)
		if d := cmp.Diff(want, r.names()); d != "" {
			t.Errorf("%s: files (-want +got):\n%s", typ, d)
		}
		if s.Files != int64(len(want)) || leftOut(s, query.RuleExpType) == 0 {
			t.Errorf("%s: %d files, left out %+v", typ, s.Files, s.LeftOut)
		}
		for _, f := range r.files() {
			if f.State != queue.Pending {
				t.Errorf("%s is %s, want pending", f.URI, f.State)
			}
		}
	}
	r := newRigOn(t, srv)
	var empty *planner.EmptyError
	if _, err := r.planner().Plan(t.Context(), query.Query{Programs: []string{firstProgram}, ExpTypes: []string{"X_*"}}); !errors.As(err, &empty) || len(empty.LeftOut) == 0 {
		t.Errorf("Plan of an unknown exposure type = %v, want *EmptyError that counts what it left out", err)
	}
	var usage *query.UsageError
	if err := (query.Query{ExpTypes: []string{"NRC_*"}}).Validate(); !errors.As(err, &usage) {
		t.Errorf("Validate of an exposure type alone = %v, want *UsageError", err)
	}
}

// TestPlanExposureTypesUnanswered: files whose type the archive did not tell this time are neither offered nor left out; the
// plan that asks again decides.
func TestPlanExposureTypesUnanswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 3})})
	archive := r.cfg.Archive
	r.cfg.Archive = hooked{archive, func(op string, _ []int64) error {
		if strings.Contains(op, "keywords") {
			return &mast.Error{Err: mast.ErrService}
		}
		return nil
	}}
	q := query.Query{Programs: []string{firstProgram}, ExpTypes: []string{"NRC_*"}}
	s := r.plan(q)
	if s.Complete() || s.Pending != 0 {
		t.Errorf("Plan = %d pending, failed %+v; want none offered and the plan unfinished", s.Pending, s.FailedChunks)
	}
	r.cfg.Archive = archive
	if s = r.plan(q); !s.Complete() || s.Pending == 0 || !s.Resumed {
		t.Errorf("Plan again = %d pending, failed %+v", s.Pending, s.FailedChunks)
	}
	for _, f := range r.files() {
		if f.State != queue.Pending || !strings.Contains(f.URI, "nrc") && !strings.Contains(f.URI, "nircam") {
			t.Errorf("%s is %s", f.URI, f.State)
		}
	}
}

// TestPlanGuideStarsViaKeywords: both routes find the same guide-star files, whatever is asked of the observations.
func TestPlanGuideStarsViaKeywords(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 12})})
	guides := func(r *rig) (out []string) {
		for _, uri := range r.names() {
			if strings.Contains(uri, "_gs-") && strings.HasSuffix(uri, ".fits") {
				out = append(out, uri)
			}
		}
		return out
	}
	exposure := ""
	for f := range srv.Files(func(f masttest.File) bool { return wanted(f) && strings.HasSuffix(f.Name, "_cal.fits") }) {
		exposure = f.ObsID
		break
	}
	for name, q := range map[string]query.Query{
		"programme":   {Programs: []string{firstProgram}},
		"observation": {Obs: []string{firstProgram + ":2"}},
		"exposure":    {Obs: []string{exposure}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q.GuideStars, q.Include = true, []string{"*_gs-*.fits"}
			one, two := newRigOn(t, srv), newRigOn(t, srv)
			one.plan(q)
			q.Via = "keywords"
			two.plan(q)
			if d := cmp.Diff(guides(one), guides(two)); d != "" || len(guides(one)) == 0 {
				t.Errorf("guide stars (-observations +keywords):\n%s", d)
			}
			for _, f := range two.files() {
				if !f.Exact || f.Checksum == nil {
					t.Errorf("%s has no exact size and checksum", f.URI)
				}
			}
		})
	}
}

// TestPlanDisagreement: where both routes know a file they must agree on it; if not, the summary counts it, its history says what
// each stated, and the keyword services' size stands.
func TestPlanDisagreement(t *testing.T) {
	t.Parallel()
	const name = "jw10001001001_02101_00001_nrcb1_cal.fits"
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 2}),
		Faults: []masttest.Fault{{URI: name, Do: masttest.DoProduct, Value: "+2880"}}})
	truth := truth(srv, func(f masttest.File) bool { return f.Name == name })["mast:JWST/product/"+name]
	for _, via := range [][]string{{""}, {"", ""}, {"keywords", ""}, {"", "keywords"}} {
		r := newRigOn(t, srv)
		var s planner.Summary
		for _, v := range via {
			s = r.plan(query.Query{Programs: []string{firstProgram}, Include: []string{name}, Via: v})
		}
		last := via[len(via)-1]
		if want := 1 - min(len(last), 1); len(s.Disagree) != want || want == 1 && (s.Disagree[0].Key != "size" || s.Disagree[0].Files != 1) {
			t.Errorf("%q: the summary counts %+v", via, s.Disagree)
		}
		f := r.files()[truth.URI]
		if !f.Exact || f.Size != truth.Size {
			t.Errorf("%q: size %d, exact %v, want %d", via, f.Size, f.Exact, truth.Size)
		}
		events, err := r.q.Events(t.Context(), f.ID)
		if err != nil || len(events) != 1 || events[0].Kind != "disagree" || !strings.Contains(events[0].Detail, fmt.Sprintf("keyword service %d", truth.Size)) {
			t.Errorf("%q: events %+v, %v", via, events, err)
		}
	}
}

// A product list that calls a file public which the keyword service releases later contradicts it, too.
func TestPlanDisagreementAboutRights(t *testing.T) {
	t.Parallel()
	past := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC) // by the archive's clock everything is exclusive
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 2}), Now: func() time.Time { return past }})
	s := r.plan(query.Query{Programs: []string{firstProgram}, Suffixes: []string{"cal.fits"}})
	if len(s.Disagree) != 1 || s.Disagree[0].Key != "rights" || s.Disagree[0].Files != s.Files {
		t.Errorf("the summary counts %+v of %d files", s.Disagree, s.Files)
	}
}

// TestPlanLateKilled stops a plan with a limit and exposure types before and after every request: it ends as one that was
// never stopped.
func TestPlanLateKilled(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 3, PerProgram: 1})})
	q := query.Query{Programs: []string{"10001", "10002", "10003"}, ExpTypes: []string{"NRC_*", "MIR_*"}, Limit: "7"}
	run := func(stopAt int, after bool) (string, planner.Summary, int) {
		r := newRigOn(t, srv)
		r.cfg.FirstObsids = 2
		s, n := r.planStopped(q, stopAt, after)
		return r.dump(), s, n
	}
	want, s, requests := run(0, false)
	if s.Files != 7 || leftOut(s, query.RuleLimit) == 0 || leftOut(s, query.RuleExpType) == 0 {
		t.Fatalf("the whole plan found %d files and left out %+v", s.Files, s.LeftOut)
	}
	for k := 1; k <= requests; k++ {
		got, again, _ := run(k, k%2 == 0)
		if got != want {
			t.Fatalf("a plan stopped at request %d of %d ends differently", k, requests)
		}
		if d := cmp.Diff(s.LeftOut, again.LeftOut); d != "" || again.Files != s.Files || again.Rows != s.Rows {
			t.Errorf("a plan stopped at request %d counts otherwise (-whole +resumed):\n%s", k, d)
		}
	}
}
