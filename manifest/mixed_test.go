package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/manifest"
)

func TestMixed(t *testing.T) {
	t.Parallel()
	of := func(name, program, instrument, cal, crds string) manifest.Entry {
		e := entry("JWST/x", name, []byte(name))
		e.Program, e.Instrument, e.CalVer, e.CRDSCtx = program, instrument, cal, crds
		return e
	}
	got, err := manifest.Mixed(all(
		of("a", "1345", "NIRCAM", "1.13.4", "jwst_1188.pmap"), of("b", "1345", "NIRCAM", "1.19.1", "jwst_1188.pmap"),
		of("c", "1345", "NIRCAM", "1.19.1", "jwst_1188.pmap"), of("d", "1345", "NIRCAM", "", ""),
		of("e", "1345", "MIRI", "1.19.1", "jwst_1413.pmap"), of("f", "1345", "MIRI", "1.19.1", "jwst_1413.pmap"),
		of("g", "998", "MIRI", "1.19.1", "jwst_1413.pmap"), of("h", "998", "MIRI", "1.19.1", "jwst_1464.pmap")))
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.Mix{
		{Program: "998", Instrument: "MIRI", CalVer: []manifest.VersionCount{{Name: "1.19.1", Files: 2}},
			CRDSCtx: []manifest.VersionCount{{Name: "jwst_1413.pmap", Files: 1}, {Name: "jwst_1464.pmap", Files: 1}}},
		{Program: "1345", Instrument: "NIRCAM", CalVer: []manifest.VersionCount{{Name: "1.13.4", Files: 1}, {Name: "1.19.1", Files: 2}},
			CRDSCtx: []manifest.VersionCount{{Name: "jwst_1188.pmap", Files: 3}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Mixed (-want +got):\n%s", diff)
	}
}
