package queue_test

import (
	"strings"
	"testing"

	"jwstbulk/queue"
)

func TestHashes(t *testing.T) {
	t.Parallel()
	paths := []string{"JWST/jw01345001001_02101_00001_nrca1/jw01345001001_02101_00001_nrca1_Rate.fits", "a_b", "_", "a", "A/B/c_D_e",
		"dir_with/none", "ÄÖ/ünÏ_İ.fits", "x/_y", "1345/İ_a/Ω_B"}
	seen := map[int64]string{}
	for _, p := range paths {
		h := queue.PathHash(p)
		if want := queue.NearHash(strings.ToLower(p)); h != want || h <= 0 {
			t.Errorf("hash of path %q = %d, want %d", p, h, want)
		}
		upper, lower := strings.ToUpper(p), strings.ToLower(p)
		if back := strings.ToLower(upper); back == lower && queue.PathHash(upper) != h {
			t.Errorf("hash of path %q = %d, of %q %d", p, h, upper, queue.PathHash(upper))
		}
		if seen[h] != "" {
			t.Errorf("%q and %q have one hash", p, seen[h])
		}
		seen[h] = p
	}
	// Files of a visit lie together, those of another elsewhere.
	const visit = "mast:JWST/product/jw01345001001"
	a, b, c := queue.NearHash(visit+"_02101_00001_nrca1_cal.fits"), queue.NearHash(visit+"_gs-id_2022_cal.fits"), queue.NearHash("mast:JWST/product/jw09999001001_02101_cal.fits")
	if a>>43 != b>>43 || a == b || a>>43 == c>>43 {
		t.Errorf("hashes %x and %x of a visit, %x of another", a, b, c)
	}
}
