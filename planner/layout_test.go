package planner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func TestParseLayout(t *testing.T) {
	t.Parallel()
	exposure := queue.File{URI: "mast:JWST/product/jw01345001001_02101_00001_nrcb1_cal.fits", ObsID: "jw01345001001_02101_00001_nrcb1",
		Facts: queue.Facts{Program: "1345", Instrument: "NIRCAM/IMAGE", Level: 2}}
	pool := queue.File{URI: "mast:JWST/product/x.csv", Facts: queue.Facts{Level: -2}}
	for _, tc := range []struct {
		layout string
		file   queue.File
		want   string
	}{
		{"", exposure, "JWST/jw01345001001_02101_00001_nrcb1"},
		{"mast", pool, "JWST/_other"},
		{"FLAT", exposure, ""},
		{"{name}", exposure, ""},
		{"program", exposure, "1345/jw01345001001_02101_00001_nrcb1"},
		{"JWST/{obs_id}/{name}", exposure, "JWST/jw01345001001_02101_00001_nrcb1"},
		{"p{program}/{instrument}-{level}/{suffix}/{detector}/{name}", exposure, "p1345/nircam-2/cal/nrcb1"},
		{"{program}/{instrument}/{level}/{suffix}/{detector}/{name}", pool, "_other/_other/_other/_other/_other"},
	} {
		layout, err := planner.ParseLayout(tc.layout)
		if err != nil {
			t.Errorf("ParseLayout(%q) = %v", tc.layout, err)
			continue
		}
		if got := layout(tc.file); got != tc.want {
			t.Errorf("layout %q of %s = %q, want %q", tc.layout, tc.file.URI, got, tc.want)
		}
	}
	for _, bad := range []string{"tree", "{program}", "/{name}", "/x/{name}", "../{name}", "a/../{name}", "./{name}", "a//{name}", `a\b/{name}`,
		"{program}/{name}.fits", "x{name}", "{name}/{name}", "{target}/{name}", "{program/{name}", "}/{name}", ".jwstbulk/{name}", "a b/{name}",
		"con/{name}", "-{program}/{name}", "{name}/", "\x00/{name}", strings.Repeat("x", 300) + "/{name}"} {
		var usage *query.UsageError
		if _, err := planner.ParseLayout(bad); !errors.As(err, &usage) || usage.Flag != "--layout" {
			t.Errorf("ParseLayout(%q) = %v, want *UsageError", bad, err)
		}
	}
}

func FuzzParseLayout(f *testing.F) {
	for _, s := range []string{"program", "{program}/{obs_id}/{name}", "../{name}", "{a{program}/{name}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		layout, err := planner.ParseLayout(s)
		if err != nil {
			return
		}
		dir := layout(queue.File{URI: "mast:JWST/product/jw1_cal.fits", Facts: queue.Facts{Program: "1"}})
		for part := range strings.SplitSeq(dir, "/") {
			if dir != "" && part != "_other" && !product.SafeName(part) {
				t.Errorf("layout %q gives %q", s, dir)
			}
		}
	})
}

// Files that a layout would put on one path, on our own files or on unsafe names are refused, and nothing else is.
func TestPlanLayout(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 6})})
	layout, err := planner.ParseLayout("{program}/{instrument}/{level}/{name}")
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Layout = layout
	s := r.plan(query.Query{Programs: []string{"10001"}, Suffixes: []string{"cal.fits"}})
	if s.Files == 0 || s.Pending != s.Files {
		t.Errorf("Plan = %+v", s)
	}
	for name, f := range r.files() {
		if !strings.HasPrefix(f.Path, "10001/") || !strings.Contains(f.Path, "/2/") {
			t.Errorf("path of %s = %q", name, f.Path)
		}
	}
	flat, err := planner.ParseLayout("flat")
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Layout = flat
	l, err := filelist.Parse(strings.NewReader("mast:JWST/product/jw1_a.fits\nmast:JWST/product/JW1_A.fits\nmast:JWST/product/sha256sums\n"), "l")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.planner().PlanList(t.Context(), l, query.Query{}); err != nil || s.Files != 3 || s.Failed != 2 || s.Pending != 1 {
		t.Errorf("PlanList = %+v, %v, want one pending and two refused", s, err)
	}
	reasons := map[queue.Reason]int{}
	for _, f := range r.files() {
		reasons[f.Reason]++
	}
	if reasons[queue.ReasonCollision] != 1 || reasons[queue.ReasonRefusedName] != 1 {
		t.Errorf("reasons = %v", reasons)
	}
}

func ExampleParseLayout() {
	layout, err := planner.ParseLayout("{program}/{instrument}/{name}")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(layout(queue.File{URI: "mast:JWST/product/jw01345001001_02101_00001_nrcb1_cal.fits",
		Facts: queue.Facts{Program: "1345", Instrument: "NIRCAM"}}))
	// Output: 1345/nircam
}
