package manifest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/manifest"
)

// hostile has a path full of what the exported forms must quote.
func hostile() manifest.Entry {
	e := entry(`JWST/a 'b' "c" &<$(d)\`, "x.fits", []byte("1"))
	e.Path = `JWST/a 'b' "c" &<$(d)%,\e/x.fits`
	return e
}

func export(t *testing.T, f manifest.ExportFormat, entries ...manifest.Entry) string {
	t.Helper()
	var out bytes.Buffer
	if err := manifest.Export(&out, f, manifest.ExportConfig{Archive: "https://mast.stsci.edu"}, sealed(t, manifest.Header{}, entries...), all(entries...)); err != nil {
		t.Fatalf("Export(%s): %v", f, err)
	}
	return out.String()
}

func TestExportQuotes(t *testing.T) {
	t.Parallel()
	e := hostile()
	for _, tt := range []struct {
		format manifest.ExportFormat
		want   string
	}{
		{manifest.ExportSums, `  JWST/a 'b' "c" &<$(d)%,\\e/x.fits` + "\n"},
		{manifest.ExportAria2, "\n  out=" + e.Path + "\n"},
		{manifest.ExportCurl, `output = "JWST/a 'b' \"c\" &<$(d)%,\\e/x.fits"`},
		{manifest.ExportBash, ` './JWST/a '\''b'\'' "c" &<$(d)%,\e/x.fits'` + "\n"},
	} {
		if got := export(t, tt.format, e); !strings.Contains(got, tt.want) {
			t.Errorf("%s has no %s:\n%s", tt.format, tt.want, got)
		}
	}
}

func TestExportMetalinkIsXML(t *testing.T) {
	t.Parallel()
	var doc struct {
		XMLName xml.Name `xml:"urn:ietf:params:xml:ns:metalink metalink"`
		File    []struct {
			Name string `xml:"name,attr"`
			Size int64  `xml:"size"`
			Hash []struct {
				Type  string `xml:"type,attr"`
				Value string `xml:",chardata"`
			} `xml:"hash"`
			URL string `xml:"url"`
		} `xml:"file"`
	}
	e := hostile()
	if err := xml.Unmarshal([]byte(export(t, manifest.ExportMetalink, bare(), e)), &doc); err != nil {
		t.Fatal(err)
	}
	v := manifest.VersionOf(e)
	if len(doc.File) != 2 || doc.File[1].Name != e.Path || doc.File[1].Size != 1 || len(doc.File[0].Hash) != 1 ||
		doc.File[1].Hash[0].Type != "sha-256" || doc.File[1].Hash[0].Value != v.SHA256 || doc.File[1].Hash[1].Value != v.Checksum {
		t.Errorf("metalink: %+v", doc)
	}
}

func TestExportTables(t *testing.T) {
	t.Parallel()
	e := hostile()
	rows, err := csv.NewReader(strings.NewReader(export(t, manifest.ExportCSV, bare(), e))).ReadAll()
	if err != nil || len(rows) != 3 || rows[2][2] != e.URI || rows[2][8] != e.Path {
		t.Errorf("csv: %q, %v", rows, err)
	}
	if text := export(t, manifest.ExportECSV, e); !strings.HasPrefix(text, "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: obs_id, datatype: string}\n") {
		t.Errorf("ecsv: %.200s", text)
	}
}

func TestExportedObservation(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"JWST/x/jw01345001001_02201_00001_nrca1_cal.fits":      "x",
		"jw01345001001_02201_00001_nrca1_cal.fits":             "jw01345001001_02201_00001_nrca1",
		"1345/NIRCAM/jw01345001001_02201_00001_nrca1_cal.fits": "jw01345001001_02201_00001_nrca1",
		"JWST/jw01345001001_02201_00001_nrca1_cal.fits":        "jw01345001001_02201_00001_nrca1",
	} {
		e := full()
		e.Path = path
		rows, err := csv.NewReader(strings.NewReader(export(t, manifest.ExportCSV, e))).ReadAll()
		if err != nil || rows[1][0] != want {
			t.Errorf("%s: obs_id %q, %v, want %q", path, rows[1][0], err, want)
		}
	}
	e := bare()
	e.Path = "flat.json"
	if text := export(t, manifest.ExportCSV, e); !strings.Contains(text, "\n,JWST,mast:") {
		t.Errorf("a file of no known observation:\n%s", text)
	}
}

func TestExportReportsErrors(t *testing.T) {
	t.Parallel()
	if err := manifest.Export(&bytes.Buffer{}, "tar", manifest.ExportConfig{}, manifest.Header{}, all()); err == nil {
		t.Error("an unknown format is taken")
	}
	broken := errors.New("broken")
	bad := func(yield func(manifest.Entry, error) bool) { yield(manifest.Entry{}, broken) }
	for _, f := range manifest.ExportFormats() {
		if err := manifest.Export(&bytes.Buffer{}, f, manifest.ExportConfig{}, manifest.Header{}, bad); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the error of the entries", f, err)
		}
		if err := manifest.Export(closedWriter{}, f, manifest.ExportConfig{}, manifest.Header{}, all(hostile())); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v, want the error of the writer", f, err)
		}
	}
}

// closedWriter is a writer that takes nothing.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteBag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := hostile()
	err := manifest.WriteBag(t.Context(), openRoot(t, dir), manifest.Bag{Archive: "https://mast.stsci.edu"}, sealed(t, manifest.Header{}, e), func() iter.Seq2[manifest.Entry, error] { return all(e) })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bagit.txt":           "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
		"bag-info.txt":        "Payload-Oxum: 1.1\n",
		"manifest-sha256.txt": manifest.VersionOf(e).SHA256 + "  data/" + strings.ReplaceAll(e.Path, "%", "%25") + "\n",
		"fetch.txt":           "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AJWST%2Fproduct%2Fx.fits 1 data/JWST/",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s is %q (%v), want %q at its beginning", name, got, err, want)
		}
	}
}

func TestExportNamesPublicCopies(t *testing.T) {
	t.Parallel()
	a, b := bare(), full()
	cfg := manifest.ExportConfig{Archive: "https://mast.stsci.edu", Mirror: func(uri string) string {
		if uri == b.URI {
			return "https://stpubdata.s3.amazonaws.com/jwst/public/x&y.fits"
		}
		return ""
	}}
	for format, want := range map[manifest.ExportFormat][]string{
		manifest.ExportAria2: {"https://stpubdata.s3.amazonaws.com/jwst/public/x&y.fits\thttps://mast.stsci.edu/api", "\nhttps://mast.stsci.edu/api"},
		manifest.ExportMetalink: {`<url priority="1">https://stpubdata.s3.amazonaws.com/jwst/public/x&amp;y.fits</url>`, `<url priority="2">https://mast.stsci.edu/`,
			`<url priority="1">https://mast.stsci.edu/`},
	} {
		var out bytes.Buffer
		if err := manifest.Export(&out, format, cfg, sealed(t, manifest.Header{}, a, b), all(a, b)); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s has no %s:\n%s", format, w, out.String())
			}
		}
	}
}

func TestWriteBagWithPayload(t *testing.T) {
	t.Parallel()
	body := []byte("12345")
	e := entry("JWST/o", "a%b.fits", body)
	write := func(bytes []byte) (string, error) {
		dir := t.TempDir()
		bag := manifest.Bag{Payload: func(root *os.Root, name string, _ *manifest.Entry) error { return root.WriteFile(name, bytes, 0o600) }}
		return dir, manifest.WriteBag(t.Context(), openRoot(t, dir), bag, sealed(t, manifest.Header{}, e), func() iter.Seq2[manifest.Entry, error] { return all(e) })
	}
	dir, err := write(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fetch.txt")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a bag with its payload has a fetch.txt: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "data/JWST/o/a%b.fits")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("payload %q, %v", got, err)
	}
	var size *manifest.SizeError
	if _, err := write(body[:4]); !errors.As(err, &size) {
		t.Errorf("a short file: %v, want a SizeError", err)
	}
	var sum *manifest.DigestError
	if _, err := write([]byte("12346")); !errors.As(err, &sum) {
		t.Errorf("other bytes: %v, want a DigestError", err)
	}
}
