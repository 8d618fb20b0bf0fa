package planner_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
)

// recordedRows reads real keyword rows as plain text: no code of the planner or the simulated archive takes part.
func recordedRows(t *testing.T) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "internal", "masttest", "testdata", "keyword-rows.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, v := range row {
			m[rows[0][i]] = v
		}
		out = append(out, m)
	}
	return out
}

// Ten queries of real files, asked by both routes: they agree with each other and with a plain look at the rows.
func TestPlanRecorded(t *testing.T) {
	t.Parallel()
	programs := []string{"5408", "6350", "7890", "9438", "4866"}
	cat, err := masttest.Recorded(masttest.RecordedConfig{Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	rows := recordedRows(t)
	srv := masttest.Start(t, masttest.Config{Catalog: cat, MetadataOnly: true})
	has := func(column string, values ...string) func(map[string]string) bool {
		return func(r map[string]string) bool { return slices.Contains(values, r[column]) }
	}
	suffix := func(values ...string) func(map[string]string) bool {
		return func(r map[string]string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.HasSuffix(r["filename"], "_"+v+".fits") })
		}
	}
	for _, tc := range []struct {
		q    query.Query
		keep []func(map[string]string) bool
	}{
		{query.Query{Programs: []string{"5408"}}, []func(map[string]string) bool{has("program", "5408")}},
		{query.Query{Programs: []string{"06350", "7890"}}, []func(map[string]string) bool{has("program", "6350", "7890")}},
		{query.Query{Programs: []string{"9438"}, Levels: []string{"2b"}}, []func(map[string]string) bool{has("program", "9438"), has("productLevel", "2b")}},
		{query.Query{Programs: programs, Instruments: []string{"NIRSPEC"}}, []func(map[string]string) bool{has("program", programs...), has("instrume", "NIRSPEC")}},
		{query.Query{Programs: programs, Instruments: []string{"NIRCAM", "MIRI"}}, []func(map[string]string) bool{has("program", programs...), has("instrume", "NIRCAM", "MIRI")}},
		{query.Query{Programs: []string{"4866"}, Suffixes: []string{"cal"}}, []func(map[string]string) bool{has("program", "4866"), suffix("cal")}},
		{query.Query{Programs: programs, Suffixes: []string{"rate", "i2d"}}, []func(map[string]string) bool{has("program", programs...), suffix("rate", "i2d")}},
		{query.Query{Programs: programs, Detectors: []string{"nrs1", "nrca1"}}, []func(map[string]string) bool{has("program", programs...),
			func(r map[string]string) bool {
				return strings.Contains(r["filename"], "_nrs1_") || strings.Contains(r["filename"], "_nrca1_")
			}}},
		{query.Query{Programs: programs, Include: []string{"*_nrca*", "*_nrs*"}}, []func(map[string]string) bool{has("program", programs...),
			func(r map[string]string) bool {
				return strings.Contains(r["filename"], "_nrca") || strings.Contains(r["filename"], "_nrs")
			}}},
		{query.Query{Obs: []string{"5408:1", "9438:2"}}, []func(map[string]string) bool{func(r map[string]string) bool {
			return slices.ContainsFunc([]string{"jw05408001", "jw05408-o001", "jw09438002", "jw09438-o002"}, func(p string) bool { return strings.HasPrefix(r["filename"], p) })
		}}},
	} {
		t.Run(fmt.Sprint(tc.q.Programs, tc.q.Obs, tc.q.Instruments, tc.q.Levels, tc.q.Suffixes, tc.q.Detectors, tc.q.Include), func(t *testing.T) {
			t.Parallel()
			want := map[string]bool{}
			for _, r := range rows {
				if !slices.ContainsFunc(tc.keep, func(f func(map[string]string) bool) bool { return !f(r) }) {
					want[r["uri"]] = true
				}
			}
			byObs, byKey := newRigOn(t, srv), newRigOn(t, srv)
			byObs.plan(tc.q)
			tc.q.Via = "keywords"
			byKey.plan(tc.q)
			one, two := fitsFacts(byObs), fitsFacts(byKey)
			if d := cmp.Diff(one, two); d != "" {
				t.Errorf("the routes differ (-observations +keywords):\n%.3000s", d)
			}
			got := map[string]bool{}
			for uri := range two {
				got[uri] = true
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("files (-rows +keywords):\n%.3000s", d)
			}
			t.Logf("%d files", len(got))
		})
	}
}
