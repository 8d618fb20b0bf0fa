package fits_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/fits"
)

// TestWriteCases writes the damaged files of this package, whole ones and the samples to the directory named by
// FITS_CASES, with our verdicts in verdicts.tsv (name, ok or error or sum, complaint), so that other checkers (fitsverify,
// astropy's fitscheck) can be held against them. Without the variable it only makes sure that the cases can be made.
func TestWriteCases(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("FITS_CASES")
	if dir == "" {
		dir = t.TempDir()
	}
	cases := map[string][]byte{"whole": jwst(t, false), "whole_with_sums": jwst(t, true)}
	for _, seal := range []bool{false, true} {
		for _, d := range damages() {
			name := strings.ReplaceAll(d.name, " ", "_")
			if seal {
				name += "_with_sums"
			}
			cases[name] = d.edit(bytes.Clone(jwst(t, seal)))
		}
	}
	flipped := jwst(t, true)
	flipped[2*2880+100] ^= 1
	cases["pixel_flipped_with_sums"] = flipped
	cases["cut_between_HDUs"] = jwst(t, false)[:len(flipped)-2*2880]
	samples, err := filepath.Glob(filepath.Join("testdata", "fits", "*.fits"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range samples {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		cases["sample_"+strings.TrimSuffix(filepath.Base(p), ".fits")] = b
	}
	var verdicts bytes.Buffer
	for name, b := range cases {
		r := check(t, fits.New(), b, 0)
		switch {
		case r.Err != nil:
			fmt.Fprintf(&verdicts, "%s.fits\terror\t%v\n", name, r.Err)
		case r.Sum == fits.SumBad:
			fmt.Fprintf(&verdicts, "%s.fits\tsum\t%v\n", name, r.SumErr)
		default:
			fmt.Fprintf(&verdicts, "%s.fits\tok\t%s\n", name, strings.Join(r.Notes, "; "))
		}
		if err := os.WriteFile(filepath.Join(dir, name+".fits"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "verdicts.tsv"), verdicts.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Errorf("%d cases, want 60 or more for a comparison", len(cases))
	}
}
