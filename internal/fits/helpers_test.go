package fits_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"jwstbulk/internal/fits"
)

// part is one HDU of a file under test: its header and its data, fill added by file.
type part struct {
	head *fits.Header
	data []byte
	seal bool
	fill byte
}

// file renders HDUs and fails the test if a header cannot be built.
func file(tb testing.TB, parts ...part) []byte {
	tb.Helper()
	var out []byte
	for _, p := range parts {
		build := p.head.Bytes
		if p.seal {
			build = func() ([]byte, error) { return p.head.Seal(p.data) }
		}
		head, err := build()
		if err != nil {
			tb.Fatalf("building a header: %v", err)
		}
		out = append(out, head...)
		out = append(out, p.data...)
		out = append(out, bytes.Repeat([]byte{p.fill}, int(fits.Padding(int64(len(p.data)))))...)
	}
	return out
}

// noise is n bytes that are the same in every run.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// jwst is a file as the JWST pipeline writes it: an empty primary, a SCI image, a table and the ASDF tree in a table.
func jwst(tb testing.TB, seal bool) []byte {
	tb.Helper()
	asdf := append([]byte("#ASDF 1.0.0\n"), noise(700)...)
	head := fits.Primary(8).
		String("TELESCOP", "JWST", "Telescope used to acquire the data").
		String("DATE", "2024-02-03T04:05:06.789", "").
		String("CAL_VER", "1.13.4", "Calibration software version number").
		String("CRDS_CTX", "jwst_1188.pmap", "").
		String("CRDS_VER", "11.17.15", "").
		String("SDP_VER", "2023_4a", "").
		String("PROGRAM", "01345", "").
		String("DATAMODL", "ImageModel", "").
		String("INSTRUME", "NIRCAM", "").
		String("FILENAME", "jw01345001001_02201_00001_nrca1_cal.fits", "")
	return file(tb,
		part{head: head, seal: seal},
		part{head: fits.Image("SCI", -32, 32, 33), data: noise(4 * 32 * 33), seal: seal},
		part{head: fits.BinTable("HDRTAB", 7, 0, "10A", "D", "2J"), data: noise(7 * 26), seal: seal},
		part{head: fits.BinTable("ASDF", 1, 0, "712B"), data: asdf, seal: seal})
}

// check runs one check over b in pieces of at most step bytes; 0 means in one piece.
func check(tb testing.TB, c fits.Check, b []byte, step int) fits.Report {
	tb.Helper()
	if step == 0 {
		step = max(len(b), 1)
	}
	for i := 0; i < len(b); i += step {
		p := b[i:min(len(b), i+step)]
		if n, err := c.Write(p); n != len(p) || err != nil {
			tb.Fatalf("Write of %d bytes = %d, %v", len(p), n, err)
		}
	}
	return c.Finish()
}

// structure returns the *StructureError of a report, nil if there is none.
func structure(tb testing.TB, r fits.Report) *fits.StructureError {
	tb.Helper()
	if r.Err == nil {
		return nil
	}
	var e *fits.StructureError
	if !errors.As(r.Err, &e) {
		tb.Fatalf("Report.Err is a %T, want *StructureError: %v", r.Err, r.Err)
	}
	return e
}
