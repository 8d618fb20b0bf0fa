package filelist_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/filelist"
	"jwstbulk/manifest"
)

// TestExportedFormsAreLists reads back every form in which a manifest is exported: the same files in the same folders.
func TestExportedFormsAreLists(t *testing.T) {
	t.Parallel()
	var entries []manifest.Entry
	var want [][2]string
	for _, name := range []string{"jw01345-o001_t021_nircam_clear-f115w_i2d.fits", "jw01345001001_02201_00001_nrca1_cal.fits"} {
		folder := name[:strings.LastIndexByte(name, '_')]
		entries = append(entries, manifest.Entry{URI: "mast:JWST/product/" + name, Path: "JWST/" + folder + "/" + name, Size: 1,
			SHA256: sha256.Sum256([]byte(name)), Proof: "size", Level: manifest.LevelUnknown})
		want = append(want, [2]string{"mast:JWST/product/" + name, folder})
	}
	seq := func(yield func(manifest.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	formats := map[manifest.ExportFormat]string{manifest.ExportSums: "sha256sums", manifest.ExportAria2: "aria2", manifest.ExportMetalink: "metalink4",
		manifest.ExportCurl: "curl-config", manifest.ExportBash: "jwstbulk-script", manifest.ExportCSV: "table", manifest.ExportECSV: "table"}
	for _, f := range manifest.ExportFormats() {
		for _, mirror := range []func(string) string{nil, func(string) string { return "https://stpubdata.s3.amazonaws.com/jwst/public/x.fits" }} {
			var text bytes.Buffer
			if err := manifest.Export(&text, f, manifest.ExportConfig{Archive: "https://mast.stsci.edu", Mirror: mirror}, manifest.Header{}, seq); err != nil {
				t.Fatal(err)
			}
			l, err := filelist.Parse(&text, "exported")
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			var got [][2]string
			for _, it := range l.Items {
				got = append(got, [2]string{it.URI, it.Folder})
			}
			if diff := cmp.Diff(want, got); diff != "" || l.Format != formats[f] {
				t.Errorf("%s is read as %s (-want +got):\n%s", f, l.Format, diff)
			}
		}
	}
}

func TestExportedFormsThatAreRefused(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0", 64)
	for _, tt := range []struct {
		name, in string
		line     int
		why      string
	}{
		{"sums of something else", sum + "  notes.txt\n", 1, "not the name of a JWST product"},
		{"a broken line of sums", sum + "  jw01_cal.fits\nhello\n", 2, "sha256sum"},
		{"aria2 from another host", "https://example.org/a.fits\n  out=JWST/o/a.fits\n", 1, "not a download URL"},
		{"curl from another host", "url = \"https://example.org/a.fits\"\n", 1, "not a download URL"},
		{"metalink from another host", `<metalink xmlns="urn:ietf:params:xml:ns:metalink">` + "\n" + `<file name="a"><url>https://example.org/a</url></file></metalink>`, 2, "not a download URL"},
		{"metalink without addresses", `<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a"/></metalink>`, 1, "no address"},
		{"metalink cut short", `<metalink xmlns="urn:ietf:params:xml:ns:metalink">` + "\n<file name=\"a\">", 2, "damaged"},
		{"script with a broken line", "#!/usr/bin/env bash\n# Downloads 1 files. Root of the manifest: x\nget " + sum + "\n", 3, "want a digest"},
	} {
		_, err := filelist.Parse(strings.NewReader(tt.in), "l")
		var le *filelist.Error
		if !errors.As(err, &le) || le.Line != tt.line || !strings.Contains(le.Why, tt.why) {
			t.Errorf("%s: %v, want line %d, %q", tt.name, err, tt.line, tt.why)
		}
	}
	for _, hostile := range []string{sum + "  ../../jw01_cal.fits\n",
		"https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/jw01_cal.fits\n  out=JWST/../jw01_cal.fits\n"} {
		l, err := filelist.Parse(strings.NewReader(hostile), "l")
		if err != nil || len(l.Items) != 1 || l.Items[0].Folder != "" {
			t.Errorf("%q: %+v, %v; want a file without a folder", hostile, l, err)
		}
	}
}

// TestConfigOutputs: an output gives a folder to its own file and to no other, where outputs come first or an address was left out.
func TestConfigOutputs(t *testing.T) {
	t.Parallel()
	url := func(name string) string {
		return "url = \"https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/" + name + "\"\n"
	}
	out := func(folder, name string) string { return "output = \"JWST/" + folder + "/" + name + "\"\n" }
	for name, tt := range map[string]struct{ in, want string }{
		"addresses first": {url("jw01_cal.fits") + out("a", "jw01_cal.fits") + url("jw02_cal.fits") + out("b", "jw02_cal.fits"), "jw01_cal.fits a, jw02_cal.fits b, "},
		"outputs first":   {out("a", "jw01_cal.fits") + url("jw01_cal.fits") + out("b", "jw02_cal.fits") + url("jw02_cal.fits"), "jw01_cal.fits , jw02_cal.fits , "},
		"one left out":    {url("jw01_cal.fits") + "url = \"https://example.org/jw02_cal.fits\"\n" + out("b", "jw02_cal.fits"), "jw01_cal.fits , "},
	} {
		l, err := filelist.Read(strings.NewReader(tt.in), filelist.Config{SkipBad: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for _, it := range l.Items {
			got += strings.TrimPrefix(it.URI, "mast:JWST/product/") + " " + it.Folder + ", "
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func FuzzReadExport(f *testing.F) {
	sum := strings.Repeat("0", 64)
	f.Add(sum + "  JWST/o/jw01_cal.fits\n")
	f.Add("https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/a.fits\n  out=JWST/o/a.fits\n")
	f.Add("url = \"https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/a.fits\"\noutput = \"JWST/o/a.fits\"\n")
	f.Add(`<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="JWST/o/a"><url>mast:JWST/product/a</url></file></metalink>`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := filelist.Parse(strings.NewReader(text), "l")
		if err != nil {
			return
		}
		for _, it := range l.Items {
			if !strings.HasPrefix(it.URI, "mast:JWST/product/") || strings.Contains(it.Folder, "/") {
				t.Errorf("%+v", it)
			}
		}
	})
}
