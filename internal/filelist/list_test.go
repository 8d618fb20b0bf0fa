package filelist_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/filelist"
)

const recordedScript = "testdata/mastDownload_20230125125957.sh"

func TestParseRecordedScript(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(recordedScript)
	if err != nil {
		t.Fatal(err)
	}
	l, err := filelist.Parse(bytes.NewReader(b), "script.sh")
	if err != nil || l.Format != "curl-script" || len(l.Items) != 80 {
		t.Fatalf("Parse = %+v, %v, want 80 files", l, err)
	}
	for _, it := range l.Items {
		name := strings.TrimPrefix(it.URI, "mast:JWST/product/")
		if it.Folder == "" || !strings.HasPrefix(name, it.Folder) || it.Line == 0 {
			t.Errorf("item = %+v", it)
		}
	}
	const uri = "mast:JWST/product/jw02733002002_02103_00008_mirimage_i2d.fits"
	if !slices.ContainsFunc(l.Items, func(it filelist.Item) bool {
		return it.URI == uri && it.Folder == "jw02733002002_02103_00008_mirimage"
	}) {
		t.Errorf("%s is not in the list", uri)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const uri = "mast:JWST/product/jw01_x_cal.fits"
	for _, tc := range []struct {
		name, in, format string
		want             []filelist.Item
	}{
		{"uris", "# c\n\n" + uri + "\r\n mast:jwst/PRODUCT/a.json \n", "uri-list",
			[]filelist.Item{{URI: uri, Line: 3}, {URI: "mast:JWST/product/a.json", Line: 4}}},
		{"bom", "\ufeff" + uri, "uri-list", []filelist.Item{{URI: uri, Line: 1}}},
		{"urls", "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AJWST%2Fproduct%2Fjw01_x_cal.fits\n" +
			"https://mast.stsci.edu/portal/Download/file/JWST/product/b.fits\n" +
			"http://127.0.0.1:8080/jwst/api/v0.1/Download/file?bundle_name=x.sh&uri=mast:JWST/product/c.fits\n", "uri-list",
			[]filelist.Item{{URI: uri, Line: 1}, {URI: "mast:JWST/product/b.fits", Line: 2}, {URI: "mast:JWST/product/c.fits", Line: 3}}},
		{"token and options", "#!/bin/bash\ncurl -H \"Authorization: token $MAST_API_TOKEN\" --globoff -f $CONT --output ./${DOWNLOAD_FOLDER}'/JWST/obs1/a.fits' " +
			"'https://mast.stsci.edu/api/v0.1/Download/file?bundle_name=M.sh&uri=mast:JWST/product/a.fits'\n", "curl-script",
			[]filelist.Item{{URI: "mast:JWST/product/a.fits", Folder: "obs1", Line: 2}}},
		{"missions", "#!/bin/bash\ncurl -H \"Authorization: token $MAST_API_TOKEN\" -C - -L -X GET " +
			"\"https://mast.stsci.edu/search/jwst/api/v0.1/retrieve_product?product_name=jw02731001001_02101_00001%2Fjw02731001001_02101_00001_nrcb1_cal.fits\" --output \"x/y.fits\" --fail --create-dirs\n", "curl-script",
			[]filelist.Item{{URI: "mast:JWST/product/jw02731001001_02101_00001_nrcb1_cal.fits", Folder: "jw02731001001_02101_00001_nrcb1", Line: 2}}},
		{"continued and here-document", "curl -f \\\n  -o a/JWST/obs/a.fits \\\n  https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/a.fits\n" +
			"cat >x <<'END'\ncurl https://evil.example/\nEND\n", "curl-script", []filelist.Item{{URI: "mast:JWST/product/a.fits", Folder: "obs", Line: 1}}},
		{"hostile folder", "curl -o ./JWST/../a.fits https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/a.fits", "curl-script",
			[]filelist.Item{{URI: "mast:JWST/product/a.fits", Line: 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, err := filelist.Parse(iotest.OneByteReader(strings.NewReader(tc.in)), "l")
			if err != nil {
				t.Fatal(err)
			}
			if l.Format != tc.format {
				t.Errorf("Format = %q, want %q", l.Format, tc.format)
			}
			if d := cmp.Diff(tc.want, l.Items); d != "" {
				t.Errorf("Items (-want +got):\n%s", d)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		line     int
		why      string
	}{
		{"empty", " \n", 0, "empty"},
		{"comments", "# a\nmast:JWST/product/", 2, "want mast:JWST/product/"},
		{"no file", "#!/bin/bash\nexit 0\n", 0, "names no file"},
		{"json", "{\"a\": 1}", 0, "unknown format"},
		{"telemetry", "mast:JWST/product/a.fits\nmast:jwstedb/SA_ZATTEST2-20220202T222458-20220202T222459.csv\n", 2, "telemetry"},
		{"telemetry url", "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:jwstedb/X.csv", 1, "telemetry"},
		{"other mission", "mast:HST/product/a.fits", 1, "not a JWST product"},
		{"traversal", "mast:JWST/product/../../a.fits", 1, "not a JWST product"},
		{"word", "mast:JWST/product/a.fits\nhello", 2, "neither"},
		{"other host", "https://example.org/api/v0.1/Download/file?uri=mast:JWST/product/a.fits", 1, "not a download URL"},
		{"other host in a script", "#!/bin/sh\ncurl https://169.254.169.254/Download/file?uri=mast:JWST/product/a.fits", 2, "not a download URL"},
		{"no url", "#!/bin/sh\ncurl -f", 2, "without a URL"},
		{"open quote", "#!/bin/sh\ncurl 'https://x", 2, "not closed"},
		{"long line", "mast:JWST/product/a\n" + strings.Repeat("x", 70_000), 2, "longer than"},
		{"control characters", "mast:JWST/product/a\nfoo\x1b]0;x\a", 2, `\x1b`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := filelist.Parse(strings.NewReader(tc.in), "l.txt")
			var le *filelist.Error
			if !errors.As(err, &le) || le.Line != tc.line || !strings.Contains(le.Why, tc.why) || !strings.HasPrefix(err.Error(), "l.txt:") {
				t.Errorf("Parse = %v, want line %d, %q", err, tc.line, tc.why)
			}
		})
	}
	broken := errors.New("disk")
	if _, err := filelist.Parse(iotest.ErrReader(broken), "l"); !errors.Is(err, broken) {
		t.Errorf("Parse = %v, want %v", err, broken)
	}
}

func FuzzParse(f *testing.F) {
	if b, err := os.ReadFile(recordedScript); err == nil {
		f.Add(b[:6000])
	}
	f.Add(readFixture(f, "s3-keys.txt"))
	f.Add(readFixture(f, "fresco-001.uris.txt")[:600])
	f.Add([]byte("#!/bin/sh\ncurl -o 'a' \"b\" https://mast.stsci.edu/Download/file?uri=mast:JWST/product/a \\\n c"))
	f.Add([]byte("mast:JWST/product/a.fits\n# x\nhttps://mast.stsci.edu/portal/Download/file/JWST/product/b.fits"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := filelist.Parse(bytes.NewReader(b), "l")
		if err != nil {
			return
		}
		if len(l.Items) == 0 {
			t.Error("no items and no error")
		}
		for _, it := range l.Items {
			name, ok := strings.CutPrefix(it.URI, "mast:JWST/product/")
			if !ok || name == "" || strings.ContainsAny(name, "/\\") {
				t.Errorf("URI = %q", it.URI)
			}
			if strings.Contains(it.Folder, "/") && it.Folder != "" {
				t.Errorf("Folder = %q", it.Folder)
			}
		}
	})
}

func TestID(t *testing.T) {
	t.Parallel()
	a := filelist.List{Name: "a", Items: []filelist.Item{{URI: "mast:JWST/product/x", Line: 1}}}
	b := filelist.List{Name: "a", Items: []filelist.Item{{URI: "mast:JWST/product/x", Line: 7}}}
	if a.ID() != b.ID() {
		t.Error("the line of an item changes the list's ID")
	}
	b.Items[0].Folder = "f"
	if a.ID() == b.ID() {
		t.Error("the folder of an item does not change the list's ID")
	}
}

func ExampleParse() {
	l, err := filelist.Parse(strings.NewReader("# my files\nmast:JWST/product/jw01895001001_02101_00001_nrca1_rate.fits\n"), "files.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Format, l.Items[0].URI, "line", l.Items[0].Line)
	// Output: uri-list mast:JWST/product/jw01895001001_02101_00001_nrca1_rate.fits line 2
}
