package fits_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cases are the damaged files of this package, whole ones, and the samples, by name: with and without checksums.
func cases(t *testing.T) map[string][]byte {
	t.Helper()
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
	return cases
}

// TestCases makes sure that there are enough different cases to hold other programs against (oracle_test.go).
func TestCases(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, b := range cases(t) {
		seen[string(b)] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d cases, want 60 or more for a comparison", len(seen))
	}
}
