package filelist_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/filelist"
)

func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var fileNames = regexp.MustCompile(`jw[0-9a-z_-]+\.[a-z]+`)

// namesByLine finds file names by their look, line by line: the answer that the readers must give.
func namesByLine(b []byte) (names []string) {
	for line := range strings.Lines(string(b)) {
		if n := fileNames.FindString(line); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func TestReadRecorded(t *testing.T) {
	t.Parallel()
	const uri = "mast:JWST/product/"
	for _, tc := range []struct {
		file, format string
		first        filelist.Item
		n            int
	}{
		{"fresco-001.uris.txt", "uri-list", filelist.Item{URI: uri + "jw01895001001_02101_00001_nrca1_rate.fits", Line: 1}, 512},
		{"s3-keys.txt", "uri-list", filelist.Item{URI: uri + "jw09255-o008_t007-s000000014_nirspec_f290lp-g395m-s1600a1_x1d.fits", Line: 1}, 8},
		{"mission-search-export.csv", "table", filelist.Item{URI: uri + "jw02734001001_02101_00001-seg001_nis_cal.fits",
			Folder: "jw02734001001_02101_00001-seg001_nis", Line: 2}, 5},
		{"products-2733.csv", "table", filelist.Item{URI: uri + "jw02733002001_02103_00001_mirimage_o002_crf.fits", Line: 2}, 80},
		{"astroquery-products.csv", "table", filelist.Item{URI: uri + "jw02733002002_02103_00004_mirimage_o002_crf.fits",
			Folder: "jw02733002002_02103_00004_mirimage", Line: 2}, 12},
		{"astroquery-products.ecsv", "table", filelist.Item{URI: uri + "jw02733002002_02103_00004_mirimage_o002_crf.fits",
			Folder: "jw02733002002_02103_00004_mirimage", Line: 26}, 12},
		{"astroquery-products.vot", "votable", filelist.Item{URI: uri + "jw02733002002_02103_00004_mirimage_o002_crf.fits",
			Folder: "jw02733002002_02103_00004_mirimage", Line: 15}, 12},
		{"subscription.json", "events", filelist.Item{URI: uri + "jw05893001001_02201_00001_mirimage_o001_crf.fits",
			Folder: "jw05893001001_02201_00001_mirimage", Line: 2}, 3},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			b := readFixture(t, tc.file)
			l, err := filelist.Read(iotest.HalfReader(bytes.NewReader(b)), filelist.Config{Name: tc.file})
			if err != nil {
				t.Fatal(err)
			}
			if l.Format != tc.format || len(l.Obs) != 0 || l.Skipped != 0 || len(l.Items) != tc.n {
				t.Errorf("Read = format %q, %d files, %d observations, %d left out; want %q, %d files", l.Format, len(l.Items), len(l.Obs), l.Skipped, tc.format, tc.n)
			}
			if d := cmp.Diff(tc.first, l.Items[0]); d != "" {
				t.Errorf("first item (-want +got):\n%s", d)
			}
			var got []string
			for _, it := range l.Items {
				got = append(got, strings.TrimPrefix(it.URI, uri))
				if line := bytes.Split(b, []byte("\n"))[it.Line-1]; (l.Format == "table" || l.Format == "uri-list") && !bytes.Contains(line, []byte(got[len(got)-1])) {
					t.Errorf("line %d does not name %s", it.Line, it.URI)
				}
			}
			if d := cmp.Diff(namesByLine(b), got); d != "" {
				t.Errorf("names (-in the file +read):\n%s", d)
			}
		})
	}
}

func TestReadObservations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file    string
		skip    bool
		n       int
		skipped int64
		has     string
		why     string
	}{
		{"observations-obsid.csv", false, 15, 0, "83254329", ""},
		{"astroquery-observations.ecsv", false, 4, 0, "87602306", ""},
		{"observations-2733.csv", false, 0, 0, "", `observations-2733.csv:2: the row belongs to "OPO", not to JWST`},
		{"observations-2733.csv", true, 10, 2, "jw02733-o002_t001_miri_f1130w", ""},
	} {
		l, err := filelist.Read(bytes.NewReader(readFixture(t, tc.file)), filelist.Config{Name: tc.file, SkipBad: tc.skip})
		if tc.why != "" {
			if err == nil || err.Error() != tc.why {
				t.Errorf("Read(%s) = %v, want %s", tc.file, err, tc.why)
			}
			continue
		}
		if err != nil || len(l.Obs) != tc.n || l.Skipped != tc.skipped || len(l.Items) != 0 || !slices.Contains(l.Obs, tc.has) {
			t.Errorf("Read(%s) = %+v, %v, want %d observations, %s among them", tc.file, l, err, tc.n, tc.has)
		}
	}
}

// Every damaged list is refused with its line, or read without it; what cannot be read on from is refused always.
func TestReadDamaged(t *testing.T) {
	t.Parallel()
	const vot = "<?xml version='1.0'?>\n<VOTABLE><RESOURCE><TABLE><FIELD name='uri'/><FIELD name='x'/><DATA><TABLEDATA>\n"
	for _, tc := range []struct {
		name, in string
		line     int
		why      string
		skips    int64 // with SkipBad; -1: refused all the same
	}{
		{"short row", "filename,a\njw1_cal.fits,1\njw2_cal.fits\njw3_cal.fits,2\n", 3, "another number of columns", 1},
		{"open quote", "filename,a\njw1_cal.fits,1\n\"jw2_cal.fits,1\njw3", 3, "damaged", 1},
		{"stray quote", "filename,a\njw\"1_cal.fits,1\njw2_cal.fits,2\n", 2, "damaged", 1},
		{"empty cell", "a\tfilename\n1\t--\n2\tjw2_cal.fits\n", 2, "names no file", 1},
		{"cut by pandas", "idx,filename\n0,jw1_cal.fits\n...,...\n", 3, "not the name of a JWST product", 1},
		{"other mission's file", "filename\nibvd01010_raw.fits\njw2_cal.fits\n", 2, "not the name of a JWST product", 1},
		{"other mission's uri", "dataURI\nmast:HST/product/x.fits\nmast:JWST/product/y.fits\n", 2, "not a JWST product", 1},
		{"traversal", "filename\njw/../../x.fits\njw2_cal.fits\n", 2, "not a JWST product", 1},
		{"glob as observation", "obs_id\njw*\njw01345-o001\n", 2, "not an observation", 1},
		{"unknown columns in ECSV", "# %ECSV 1.0\n# ---\na b\n1 2\n", 3, "no column names files", -1},
		{"nothing but a header", "filename\n", 0, "names no file", -1},
		{"nothing but bad rows", "filename\nx\n", 2, "not the name", -1},
		{"votable cells", vot + "<TR><TD>mast:JWST/product/a.fits</TD></TR>\n<TR><TD>mast:JWST/product/b.fits</TD><TD/></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>", 3, "1 cells, the table 2", 1},
		{"votable cut", vot + "<TR><TD>mast:JWST/product/a.fits</TD><TD/></TR>\n", 4, "damaged", -1},
		{"votable columns", "<VOTABLE><TABLE><FIELD name='a'/><TR>", 1, "no column", -1},
		{"binary votable", string(readFixture(t, "astroquery-binary2.vot")), 10, "BINARY2", -1},
		{"web page", "<!DOCTYPE html><html>", 0, "web page", -1},
		{"fits", "SIMPLE  =                    T", 0, "FITS file", -1},
		{"event type", `[{"filename":"jw1_cal.fits","event_type":"Deleted"},` + "\n" + `{"filename":"jw2_cal.fits","event_type":"New"}]`, 1, `"Deleted"`, 1},
		{"event of another mission", "[\n\n" + `{"mission":"HST","filename":"jw1_cal.fits","event_type":"New"},{"filename":"jw2_cal.fits","event_type":"New"}]`, 3, "belongs to", 1},
		{"event without a name", `[{"event_type":"New"},{"filename":"jw2_cal.fits","event_type":"New"}]`, 1, "no filename", 1},
		{"number as event", "[\n1,\n" + `{"filename":"jw2_cal.fits","event_type":"New"}]`, 2, "want an object", 1},
		{"json cut", "[\n" + `{"filename":"jw2_cal.fits","event_type":"New"},` + "\n" + `{"filename"`, 3, "ends in the middle", -1},
		{"json damaged", "[\n" + `{"filename":"jw2_cal.fits","event_type":"New"},` + "\n" + `{"filename" "x"}]`, 3, "damaged", -1},
		{"json not closed", "[\n" + `{"filename":"jw2_cal.fits","event_type":"New"}` + "\n", 3, "ends in the middle", -1},
		{"uri", "mast:JWST/product/a.fits\nhello\n", 2, "neither", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := filelist.Read(strings.NewReader(tc.in), filelist.Config{Name: "l"})
			var le *filelist.Error
			if !errors.As(err, &le) || le.Line != tc.line || !strings.Contains(le.Why, tc.why) {
				t.Errorf("Read = %v, want line %d, %q", err, tc.line, tc.why)
			}
			l, err := filelist.Read(strings.NewReader(tc.in), filelist.Config{Name: "l", SkipBad: true})
			if tc.skips < 0 {
				if !errors.As(err, &le) {
					t.Errorf("Read, leaving out = %+v, %v, want *Error", l, err)
				}
				return
			}
			if err != nil || l.Skipped != tc.skips || len(l.Bad) != int(tc.skips) || l.Bad[0].Line != tc.line {
				t.Errorf("Read, leaving out = %+v, %v, want %d left out", l, err, tc.skips)
			}
		})
	}
	broken := errors.New("disk")
	for _, head := range []string{"filename\njw", "[{", "<VOTABLE>", "mast:JWST/product/a\n"} {
		// The failure comes after what is looked at to tell the format.
		r := strings.NewReader(head + strings.Repeat(" ", 9000))
		if _, err := filelist.Parse(&failing{r, broken}, "l"); !errors.Is(err, broken) {
			t.Errorf("Parse(%q, then an error) = %v, want %v", head, err, broken)
		}
	}
}

// failing is a reader that ends in an error.
type failing struct {
	r   *strings.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, f.err
	}
	return f.r.Read(p)
}

// Whatever is read: no panic, entries are products, and leaving out bad lines never loses what is read without it.
func fuzzList(f *testing.F, seeds ...string) {
	for _, s := range seeds {
		b, err := os.ReadFile(filepath.Join("testdata", s))
		if err != nil {
			b = []byte(s)
		}
		f.Add(b[:min(len(b), 6000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		strict, err := filelist.Read(bytes.NewReader(b), filelist.Config{})
		var le *filelist.Error
		if err != nil && !errors.As(err, &le) {
			t.Fatalf("Read = %v, want *Error", err)
		}
		lenient, lerr := filelist.Read(bytes.NewReader(b), filelist.Config{SkipBad: true})
		if err == nil {
			if lerr != nil || lenient.Skipped != 0 || !cmp.Equal(strict.Items, lenient.Items) || !cmp.Equal(strict.Obs, lenient.Obs) {
				t.Errorf("leaving out bad lines changes a list without any: %v", lerr)
			}
		}
		if lerr != nil {
			return
		}
		for _, it := range lenient.Items {
			name, ok := strings.CutPrefix(it.URI, "mast:JWST/product/")
			if !ok || name == "" || strings.ContainsAny(name, "/\\") || strings.Contains(it.Folder, "/") || it.Line < 1 {
				t.Errorf("item = %+v", it)
			}
		}
	})
}

func FuzzReadTable(f *testing.F) {
	fuzzList(f, "mission-search-export.csv", "astroquery-products.csv", "astroquery-products.ecsv", "observations-2733.csv",
		"filename\t\"x\njw\"\n", "# %ECSV 1.0\nobs_id \"a\"\"b\"\njw1 2")
}

func FuzzReadVOTable(f *testing.F) {
	fuzzList(f, "astroquery-products.vot", "astroquery-binary2.vot", "<VOTABLE><TABLE><FIELD name='obsid'/><TR><TD>1</TD></TR></TABLE></VOTABLE>")
}

func FuzzReadEvents(f *testing.F) {
	fuzzList(f, "subscription.json", `[{"filename":"jw1_cal.fits","event_type":"New"},null,{}]`)
}
