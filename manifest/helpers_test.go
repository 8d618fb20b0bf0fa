package manifest_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path"
	"strings"
	"testing"

	"jwstbulk/manifest"
)

// all is the sequence of some entries.
func all(entries ...manifest.Entry) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// entry is the manifest's entry of a body of that name in that directory.
func entry(dir, name string, body []byte) manifest.Entry {
	return manifest.Entry{URI: "mast:JWST/product/" + name, Path: path.Join(dir, name), Size: int64(len(body)),
		SHA256: sha256.Sum256(body), MD5: md5.Sum(body), Proof: "archive", Level: manifest.LevelUnknown}
}

// full is an entry with every field set, and bare one with every field unknown that may be.
func full() manifest.Entry {
	e := entry("JWST/jw01345001001_02201_00001_nrca1", "jw01345001001_02201_00001_nrca1_cal.fits", []byte("bytes"))
	e.CalVer, e.CRDSCtx, e.SDPVer, e.Date, e.Datamodl = "1.13.4", "jwst_1188.pmap", "2023_4a", "2024-02-03T04:05:06.789", "ImageModel"
	e.Program, e.Instrument, e.Level = "1345", "NIRCAM", 2
	e.Obs = []string{"jw01345-o001_t021_nircam_clear-f115w", "jw01345001001_02201_00001_nrca1"}
	return e
}

func bare() manifest.Entry {
	e := entry("JWST/x", "jw01345-o001_asn.json", []byte("{}"))
	e.MD5, e.Proof = [16]byte{}, "size"
	return e
}

// sealed fills in what a header must say of entries.
func sealed(tb testing.TB, h manifest.Header, entries ...manifest.Entry) manifest.Header {
	tb.Helper()
	var err error
	h.Files, h.Bytes, h.Root, err = manifest.Sum(all(entries...))
	if err != nil {
		tb.Fatalf("Sum: %v", err)
	}
	return h
}

// encoded is the manifest of entries as text.
func encoded(tb testing.TB, entries ...manifest.Entry) string {
	tb.Helper()
	h := sealed(tb, manifest.Header{Complete: true, Query: []json.RawMessage{json.RawMessage(`{"program":["1345"]}`)}}, entries...)
	var out bytes.Buffer
	if err := manifest.Encode(&out, h, all(entries...)); err != nil {
		tb.Fatalf("Encode: %v", err)
	}
	return out.String()
}

// decode reads a manifest to its end.
func decode(text string) (manifest.Header, []manifest.Entry, error) {
	r, err := manifest.Open(strings.NewReader(text))
	if err != nil {
		return manifest.Header{}, nil, err
	}
	var entries []manifest.Entry
	for e, err := range r.Entries() {
		if err != nil {
			return r.Header(), entries, err
		}
		entries = append(entries, e)
	}
	return r.Header(), entries, nil
}

func openRoot(tb testing.TB, dir string) *os.Root {
	tb.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := root.Close(); err != nil {
			tb.Error(err)
		}
	})
	return root
}

// many yields n entries like those of a real campaign without keeping them.
func many(n int) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		for i := range n {
			name := fmt.Sprintf("jw01345%03d001_02201_%07d_nrca1_cal.fits", i%7, i)
			e := manifest.Entry{URI: fmt.Sprintf("mast:JWST/product/jw%08d_%s", i, name), Path: "JWST/" + name[:28] + "/" + name, Size: 117_573_120,
				Proof: "archive", CalVer: "1.13.4", CRDSCtx: "jwst_1188.pmap", SDPVer: "2023_4a", Date: "2024-02-03T04:05:06.789",
				Datamodl: "ImageModel", Program: "1345", Instrument: "NIRCAM", Level: 2,
				Obs: []string{"jw01345-o001_t021_nircam_clear-f115w", "jw01345001001_02201_00001_nrca1"}}
			e.SHA256[0], e.SHA256[1], e.SHA256[2], e.SHA256[3] = byte(i), byte(i>>8), byte(i>>16), 1
			e.MD5 = [16]byte(e.SHA256[:16])
			if !yield(e, nil) {
				return
			}
		}
	}
}
