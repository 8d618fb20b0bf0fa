package planner_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
)

// Both routes list the same FITS files, with the same facts, and those are what a plain look at the catalogue finds.
func TestPlanViaKeywords(t *testing.T) {
	t.Parallel()
	cfg := masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 24, PerProgram: 12})}
	srv := masttest.Start(t, cfg)
	for i, tc := range []struct {
		q    query.Query
		keep func(masttest.File) bool
	}{
		{query.Query{Programs: []string{"10001"}}, func(f masttest.File) bool { return f.Program == "10001" }},
		{query.Query{Programs: []string{"10001", "10002"}, Instruments: []string{"NIRCAM"}}, func(f masttest.File) bool { return f.Instrument == "NIRCAM" }},
		{query.Query{Programs: []string{"10002"}, Suffixes: []string{"cal", "i2d"}}, func(f masttest.File) bool {
			return f.Program == "10002" && (strings.HasSuffix(f.Name, "_cal.fits") || strings.HasSuffix(f.Name, "_i2d.fits"))
		}},
		{query.Query{Programs: []string{"10001"}, Levels: []string{"3"}}, func(f masttest.File) bool { return f.Program == "10001" && f.Product == "3" }},
		{query.Query{Programs: []string{"10001"}, Levels: []string{"1b", "2a"}}, func(f masttest.File) bool {
			return f.Program == "10001" && (f.Product == "1b" || f.Product == "2a")
		}},
		{query.Query{Programs: []string{"10001"}, Detectors: []string{"nrcb*"}}, func(f masttest.File) bool {
			return f.Program == "10001" && strings.Contains(f.Name, "_nrcb")
		}},
		{query.Query{Obs: []string{"10001:1"}}, func(f masttest.File) bool {
			return strings.HasPrefix(f.Name, "jw10001001") || strings.HasPrefix(f.Name, "jw10001-o001")
		}},
		{query.Query{Programs: []string{"10001"}, Exclude: []string{"*_uncal.fits"}}, func(f masttest.File) bool {
			return f.Program == "10001" && !strings.HasSuffix(f.Name, "_uncal.fits")
		}},
		{query.Query{Programs: []string{"10001"}, Categories: []string{"GO"}, Rights: "public"}, func(f masttest.File) bool { return f.Program == "10001" }},
		{query.Query{Programs: []string{"10001"}, MinSize: "100k"}, func(f masttest.File) bool { return f.Program == "10001" && f.Size >= 100_000 }},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			byObs, byKey := newRigOn(t, srv), newRigOn(t, srv)
			byObs.plan(tc.q)
			q := tc.q
			q.Via = "keywords"
			byKey.plan(q)
			want := map[string]bool{}
			for n := range truth(byKey.srv, func(f masttest.File) bool { return wanted(f) && strings.HasSuffix(f.Name, ".fits") && tc.keep(f) }) {
				want[n] = true
			}
			one, two := fitsFacts(byObs), fitsFacts(byKey)
			if d := cmp.Diff(one, two); d != "" {
				t.Errorf("the routes differ (-observations +keywords):\n%s", d)
			}
			got := map[string]bool{}
			for n := range two {
				got[n] = true
			}
			if d := cmp.Diff(want, got); d != "" || len(got) == 0 {
				t.Errorf("files (-catalogue +keywords):\n%s", d)
			}
		})
	}
}

// fitsFacts says of each FITS file of a campaign what must not depend on the route.
func fitsFacts(r *rig) map[string]string {
	out := map[string]string{}
	for uri, f := range r.files() {
		if strings.HasSuffix(uri, ".fits") {
			out[uri] = fmt.Sprintf("%s %d %v %x %s %s %d %s %s", f.Path, f.Size, f.Exact, f.Checksum, f.Program, f.Instrument, f.Level, f.Rights, f.State)
		}
	}
	return out
}

// Above the limit of rows a service is asked by time, and nothing is lost.
func TestPlanViaKeywordsSplits(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 12})})
	whole, split := newRigOn(t, srv), newRigOn(t, srv)
	split.cfg.MaxRows = 40
	q := query.Query{Programs: []string{"10001"}, Via: "keywords"}
	whole.plan(q)
	if s := split.plan(q); !s.Complete() || s.Requests < 5 {
		t.Errorf("Plan = %d requests, %+v", s.Requests, s.FailedChunks)
	}
	if n := split.requests("Mast.Caom.Filtered") + split.requests("Mast.Caom.Products"); n != 0 {
		t.Errorf("%d requests for observations or products", n)
	}
	if one, two := slices.Sorted(maps.Keys(whole.files())), slices.Sorted(maps.Keys(split.files())); !slices.Equal(one, two) {
		t.Errorf("%d files whole, %d split", len(one), len(two))
	}
}

func TestPlanViaKeywordsExposureTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 12})})
	s := r.plan(query.Query{Programs: []string{"10001"}, ExpTypes: []string{"NRC_*"}, Via: "keywords"})
	for uri := range r.files() {
		if !strings.Contains(uri, "nrc") && !strings.Contains(uri, "nircam") {
			t.Errorf("%s is no NRC_ exposure", uri)
		}
	}
	if s.Files == 0 {
		t.Error("no files")
	}
	var empty *planner.EmptyError
	if _, err := r.planner().Plan(t.Context(), query.Query{Programs: []string{"10001"}, ExpTypes: []string{"X_*"}, Via: "keywords"}); !errors.As(err, &empty) || empty.Observations != 0 || len(empty.Criteria) != 2 {
		t.Errorf("Plan of an unknown exposure type = %v, want *EmptyError", err)
	}
	for _, q := range []query.Query{
		{Programs: []string{"1"}, Via: "pigeon"},
		{Programs: []string{"1"}, Via: "keywords", Targets: []string{"x"}},
		{Programs: []string{"1"}, Via: "keywords", Where: []string{"t_exptime=1"}},
		{Programs: []string{"1"}, Via: "keywords", Where: []string{"t_obs_release!=1"}},
		{Programs: []string{"1"}, Via: "keywords", Instruments: []string{"NIRCAM/IMAGE"}},
		{Obs: []string{"123"}, Via: "keywords"},
		{Via: "keywords"},
	} {
		var usage *query.UsageError
		if err := q.Validate(); !errors.As(err, &usage) {
			t.Errorf("Validate(%+v) = %v, want *UsageError", q, err)
		}
	}
}
