package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/manifest"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	named := func(name, body string, edit func(*manifest.Entry)) manifest.Entry {
		e := entry("JWST/x", name, []byte(body))
		e.CalVer, e.CRDSCtx = "1.13.4", "jwst_1188.pmap"
		if edit != nil {
			edit(&e)
		}
		return e
	}
	old := []manifest.Entry{named("a", "1", nil), named("b", "1", nil), named("c", "1", nil), named("d", "1", nil),
		named("e", "1", nil), named("f", "1", nil), named("g", "1", nil)}
	cur := []manifest.Entry{
		named("b", "2", func(e *manifest.Entry) { e.CalVer, e.CRDSCtx = "1.19.1", "jwst_1413.pmap" }),
		named("c", "2", func(e *manifest.Entry) { e.CRDSCtx = "jwst_1413.pmap" }),
		named("d", "22", nil),
		named("e", "2", func(e *manifest.Entry) { e.CalVer = "" }),
		named("f", "1", func(e *manifest.Entry) { e.Path = "JWST/y/f"; e.Proof = "size" }),
		named("g", "1", func(e *manifest.Entry) { e.Proof = "size" }),
		named("h", "1", nil)}
	var got []string
	for c, err := range manifest.Compare(all(old...), all(cur...)) {
		if err != nil {
			t.Fatal(err)
		}
		line := c.URI[strings.LastIndexByte(c.URI, '/')+1:] + " " + string(c.Kind)
		if c.Cause != "" {
			line += ", " + string(c.Cause)
		}
		if c.SameSize() {
			line += ", same size"
		}
		got = append(got, line)
	}
	want := []string{"a withdrawn", "b reprocessed, new pipeline, same size", "c reprocessed, new reference files, same size",
		"d reprocessed, new data", "e reprocessed, unknown, same size", "f moved", "h added"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Compare (-want +got):\n%s", diff)
	}
}

func TestCompareReportsTheSideOfAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	bad := func(yield func(manifest.Entry, error) bool) { yield(manifest.Entry{}, broken) }
	for _, c := range manifestPairs(bad) {
		var got error
		for _, err := range manifest.Compare(c.old, c.cur) {
			got = err
		}
		if !errors.Is(got, broken) || !strings.Contains(got.Error(), c.side) {
			t.Errorf("error of the %s side: %v", c.side, got)
		}
	}
}

type pair struct {
	side     string
	old, cur func(func(manifest.Entry, error) bool)
}

func manifestPairs(bad func(func(manifest.Entry, error) bool)) []pair {
	return []pair{{"older", bad, all(full())}, {"newer", all(full()), bad}}
}

func TestChangeWhy(t *testing.T) {
	t.Parallel()
	c := manifest.Change{Kind: manifest.KindReprocessed, Old: &manifest.FileVersion{Size: 2880, CalVer: "1.13.4"},
		New: &manifest.FileVersion{Size: 5760, CalVer: "1.19.1"}}
	if got, want := c.Why(), "cal_ver 1.13.4 → 1.19.1, 2880 → 5760 bytes"; got != want {
		t.Errorf("Why() = %q, want %q", got, want)
	}
}

// BenchmarkCompare measures two manifests of b.N entries.
func BenchmarkCompare(b *testing.B) {
	n := 0
	for _, err := range manifest.Compare(many(b.N), many(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	if n != 0 {
		b.Errorf("%d differences between a manifest and itself", n)
	}
}
