package masttest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/masttest"
)

func TestRecordedCatalogue(t *testing.T) {
	t.Parallel()
	scaled, err := masttest.Recorded(masttest.RecordedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	real, err := masttest.Recorded(masttest.RecordedConfig{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	files, versions, sameSize := 0, 0, 0
	for f := range scaled.Files() {
		files++
		versions += f.Version
		if f.Size%2880 != 0 || f.Size == 0 {
			t.Errorf("%s has %d bytes", f.Name, f.Size)
		}
		if f.Version == 1 {
			continue
		}
		old, _ := scaled.File(f.URI, 1)
		r1, _ := real.File(f.URI, 1)
		r2, _ := real.File(f.URI, 2)
		if (old.Size == f.Size) != (r1.Size == r2.Size) || (old.Size < f.Size) != (r1.Size < r2.Size) {
			t.Errorf("%s: sizes %d, %d for recorded %d, %d", f.Name, old.Size, f.Size, r1.Size, r2.Size)
		}
		if r1.Size == r2.Size {
			sameSize++
		}
		if r1.ArchiveID >= r2.ArchiveID {
			t.Errorf("%s: versions in the wrong order", f.Name)
		}
	}
	if files != 14_653 || versions != 16_653 || sameSize != 954 {
		t.Errorf("%d files, %d versions, %d of the same size; want 14653, 16653, 954", files, versions, sameSize)
	}
	checkRows(t, scaled)
}

// checkRows checks that the product lists name known files, and all of them.
func checkRows(t *testing.T, cat masttest.Catalog) {
	t.Helper()
	listed := map[string]bool{}
	for o := range cat.Observations() {
		n := 0
		for p := range cat.Products(o.Obsid) {
			n++
			if p.Parent != o.Obsid {
				t.Fatalf("%s: parent %d, want %d", p.Name, p.Parent, o.Obsid)
			}
			if !listed[p.URI] {
				if f, ok := cat.File(p.URI, 0); !ok || f != p.File {
					t.Fatalf("File(%s) = %+v, want %+v", p.URI, f, p.File)
				}
			}
			listed[p.URI] = true
		}
		if n != cat.Rows(o.Obsid) {
			t.Fatalf("%s: %d rows, Rows says %d", o.ObsID, n, cat.Rows(o.Obsid))
		}
	}
	for f := range cat.Files() {
		if !listed[f.URI] {
			t.Fatalf("%s is in no product list", f.Name)
		}
		delete(listed, f.URI)
	}
	if len(listed) > 0 {
		t.Errorf("%d listed files are not among Files", len(listed))
	}
}

func TestProgramme2733(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Programme2733()
	if err != nil {
		t.Fatal(err)
	}
	observations, files, total := 0, 0, int64(0)
	for o := range cat.Observations() {
		observations++
		if n := cat.Rows(o.Obsid); (n == 80) != (o.ObsID == "jw02733-o002_t001_miri_f1130w") {
			t.Errorf("%s has %d rows", o.ObsID, n)
		}
	}
	for f := range cat.Files() {
		files++
		total += f.Size
		if !strings.HasPrefix(f.Name, f.ObsID) || !strings.HasSuffix(f.ObsID, "_mirimage") {
			t.Errorf("%s is in %s", f.Name, f.ObsID)
		}
	}
	if observations != 12 || files != 80 || total/10_000_000 != 243 {
		t.Errorf("%d observations, %d files, %d bytes; want 12, 80, 2.44 GB", observations, files, total)
	}
	checkRows(t, cat)
}

func TestSyntheticCatalogue(t *testing.T) {
	t.Parallel()
	for _, cfg := range []masttest.SyntheticConfig{
		{}, {Observations: 130, PerProgram: 20, Exclusive: 3, Planned: 9, Seed: 5}, {Observations: 10, Rows: 200, Scale: 100},
		{Observations: 10, Rows: 50, Distinct: true},
	} {
		cat := masttest.Synthetic(cfg)
		checkRows(t, cat)
		rows, n := 0, 0
		for o := range cat.Observations() {
			if o.Level >= 0 {
				rows += cat.Rows(o.Obsid)
				n++
			}
			if (o.Level < 0) != (o.TMin == 0) || (o.Level < 0) != o.ReleaseAt.IsZero() {
				t.Errorf("%s: level %d, t_min %v, release %v", o.ObsID, o.Level, o.TMin, o.ReleaseAt)
			}
		}
		if want := max(67, cfg.Rows); !cfg.Distinct && (rows/n < want-10 || rows/n > want+10) {
			t.Errorf("%+v: %d rows an observation, want about %d", cfg, rows/n, want)
		}
	}
}

func TestSyntheticDistinct(t *testing.T) {
	t.Parallel()
	cat := masttest.Synthetic(masttest.SyntheticConfig{Observations: 10, Rows: 50, Distinct: true})
	listed := map[string]int{}
	for o := range cat.Observations() {
		for p := range cat.Products(o.Obsid) {
			listed[p.URI]++
		}
	}
	files := 0
	for f := range cat.Files() {
		if files++; listed[f.URI] != 1 || strings.Contains(f.Name, "_gs-") {
			t.Errorf("%s is listed %d times", f.URI, listed[f.URI])
		}
	}
	if want := 2 * (4*50 + 9); files != want || len(listed) != want {
		t.Errorf("%d files, %d listed, want %d", files, len(listed), want)
	}
}

func TestSyntheticIsLazy(t *testing.T) {
	t.Parallel()
	cat := masttest.Synthetic(masttest.SyntheticConfig{Observations: 150_000, PerProgram: 1000})
	last := int64(200_000_000 + 149_999)
	var uri string
	for p := range cat.Products(last) {
		uri = p.URI
	}
	f, ok := cat.File(uri, 3)
	if !ok || f.Version != 3 || cat.Rows(last) != 96 || cat.Rows(last+1) != 0 {
		t.Errorf("File = %+v, %v; rows %d", f, ok, cat.Rows(last))
	}
	for _, u := range []string{"", "mast:JWST/product/", "mast:HST/product/x.fits", uri + "x", strings.Replace(uri, "jw1", "jw9", 1)} {
		if _, ok := cat.File(u, 0); ok {
			t.Errorf("File(%q) is known", u)
		}
	}
}

func TestCustomRefusesNamelessFiles(t *testing.T) {
	t.Parallel()
	if _, err := masttest.Custom(masttest.File{}); err == nil {
		t.Error("no error")
	}
	if _, err := masttest.Recorded(masttest.RecordedConfig{Scale: -1}); err == nil {
		t.Error("no error for a negative scale")
	}
}

func TestDigestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "digests.jsonl")
	cat := masttest.Synthetic(masttest.SyntheticConfig{Observations: 5})
	var want []string
	for round := range 2 {
		s, err := masttest.New(masttest.Config{Catalog: cat, DigestFile: path})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for f := range s.Files(nil) {
			got = append(got, s.MD5(f.URI))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			want = got
			// A line cut short by a kill must cost one computation and nothing else.
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b[:len(b)-10], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Join(got, "") != strings.Join(want, "") {
			t.Errorf("round %d: other digests", round)
		}
	}
}

func TestMetadataOnly(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Recorded(masttest.RecordedConfig{Scale: 1, Programs: []string{"1216"}})
	if err != nil {
		t.Fatal(err)
	}
	s := masttest.Start(t, masttest.Config{Catalog: cat, MetadataOnly: true})
	r := invoke(t, s, "Mast.Jwst.Filtered.Nirspec", `{"columns":"fileSize,checksum",`+
		`"filters":[{"paramName":"filename","values":["jw01216202001_02101_00001_nrs1_cal.fits"]}]}`)
	if len(r.Data) != 1 || r.Data[0]["fileSize"] != 203065920.0 || r.Data[0]["checksum"] != "26634762cedcce2fec8cdaa2c24f5b12" {
		t.Errorf("%+v, want the recorded row", r.Data)
	}
	if r := ask(t, "GET", s.URL+fileURL+base+"jw01216202001_02101_00001_nrs1_cal.fits"); r.StatusCode != 404 {
		t.Errorf("download: %d, want 404", r.StatusCode)
	}
}

func TestOldVersionsUntilReprocessed(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Recorded(masttest.RecordedConfig{Old: true, Programs: []string{"7126"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := masttest.New(masttest.Config{Catalog: cat, Now: func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for f := range s.Files(func(f masttest.File) bool { _, two := cat.File(f.URI, 2); return two }) {
		if f.Version != 1 {
			t.Fatalf("%s is served in version %d", f.Name, f.Version)
		}
		s.Reprocess(f.URI)
		want, _ := cat.File(f.URI, 2)
		for g := range s.Files(func(g masttest.File) bool { return g.URI == f.URI }) {
			if g != want {
				t.Errorf("after Reprocess: %+v, want %+v", g, want)
			}
		}
		return
	}
}
