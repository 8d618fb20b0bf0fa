package query_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
)

func normalOf(t *testing.T, q query.Query) query.Normal {
	t.Helper()
	n, err := q.Normal()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestObservations: what the archive's wider pattern matched, and what is excluded, is told apart.
func TestObservations(t *testing.T) {
	t.Parallel()
	wanted := normalOf(t, query.Query{Obs: []string{"jw01345-o01?"}, Where: []string{"target_name!=*DARK*"}}).Observations()
	for _, tc := range []struct {
		obs  mast.Observation
		want bool
	}{
		{mast.Observation{ObsName: "jw01345-o012", Target: "M-31"}, true},
		{mast.Observation{ObsName: "jw01345-o012_t001", Target: "M-31"}, false},
		{mast.Observation{ObsName: "jw01345-o012", Target: "dark field"}, false},
	} {
		if got := wanted(&tc.obs); got != tc.want {
			t.Errorf("Observations of %s, %s = %v, want %v", tc.obs.ObsName, tc.obs.Target, got, tc.want)
		}
	}
}

// TestFiles: a guide-star file belongs to what its visit observed.
func TestFiles(t *testing.T) {
	t.Parallel()
	wanted := normalOf(t, query.Query{Obs: []string{"1345:1"}, Via: "keywords"}).Files()
	for _, tc := range []struct {
		obsID, name string
		want        bool
	}{
		{"jw01345001001_02101_00001_nrcb1", "jw01345001001_02101_00001_nrcb1_cal.fits", true},
		{"jw01345002001_02101_00001_nrcb1", "jw01345002001_02101_00001_nrcb1_cal.fits", false},
		{"", "jw01345001001_gs-acq1_2022123123456_cal.fits", true},
		{"", "jw01345002001_gs-acq1_2022123123456_cal.fits", false},
	} {
		if got := wanted(tc.obsID, tc.name); got != tc.want {
			t.Errorf("Files of %q, %s = %v, want %v", tc.obsID, tc.name, got, tc.want)
		}
	}
}

func TestWantsType(t *testing.T) {
	t.Parallel()
	n := normalOf(t, query.Query{Programs: []string{"1"}, ExpTypes: []string{"nrc_*", "MIR_IMAGE"}})
	for expType, want := range map[string]bool{"NRC_GRISM": true, "MIR_IMAGE": true, "MIR_MRS": false, "": false} {
		if got := n.WantsType(expType); got != want {
			t.Errorf("WantsType(%q) = %v, want %v", expType, got, want)
		}
	}
}

// TestCriteria: each criterion can be dropped, and the questions that are left lack its column.
func TestCriteria(t *testing.T) {
	t.Parallel()
	n := normalOf(t, query.Query{Programs: []string{"2733"}, Filters: []string{"F150W"}, Where: []string{"calib_level!=3"}, Limit: "10"})
	want := []query.Criterion{{"--program", "2733", false}, {"--filter", "F150W", false}, {"--where", "calib_level!=3", true}}
	if d := cmp.Diff(want, n.Criteria()); d != "" {
		t.Errorf("Criteria (-want +got):\n%s", d)
	}
	columns := func(q mast.Query) (out []string) {
		for _, f := range q.Filters {
			out = append(out, f.Column)
		}
		return out
	}
	for i, want := range [][]string{{"obs_collection", "filters"}, {"obs_collection", "proposal_id"}, {"obs_collection", "proposal_id", "filters"}} {
		left := n.Without(i)
		if len(left) != 1 {
			t.Fatalf("Without(%d) = %d questions, want 1", i, len(left))
		}
		if d := cmp.Diff(want, columns(left[0])); d != "" {
			t.Errorf("columns of Without(%d) (-want +got):\n%s", i, d)
		}
	}
	if n.MostFiles() != 10 || n.ByKeywords() {
		t.Errorf("MostFiles, ByKeywords = %d, %v, want 10, false", n.MostFiles(), n.ByKeywords())
	}
}

func ExampleQuery_Normal() {
	n, err := query.Query{Programs: []string{"01345"}, Instruments: []string{"nircam", "MIRI"}, Via: "keywords"}.Normal()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range n.Branches() {
		fmt.Println(b.Service, b.Query.Filters[0].Column, b.Query.Filters[0].Values)
	}
	// Output:
	// Miri program [1345]
	// Nircam program [1345]
}
