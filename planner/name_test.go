package planner_test

import (
	"testing"

	"jwstbulk/planner"
)

// TestTold holds what the planner concludes from names: the keyword service that lists a file, and its level.
func TestTold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, service string
		level         int
	}{
		{"jw02733002002_02103_00008_mirimage_i2d.fits", "Miri", 2},
		{"jw02733002001_02103_00001_mirimage_o002_crf.fits", "Miri", 2},
		{"jw02734001001_02101_00001-seg001_nis_uncal.fits", "Niriss", 1},
		{"jw01216202001_02101_00001_nrs1_cal.fits", "Nirspec", 2},
		{"jw01895001001_02101_00001_nrcalong_rate.fits", "Nircam", 2},
		{"jw01895001001_02101_00001_guider1_cal.fits", "Fgs", 2},
		{"jw01039-o004_t001_miri_ch3-long_s3d.fits", "Miri", 3},
		{"jw02733-o002_t001_miri_f1130w_cat.ecsv", "", 3},
		{"jw01093-c1000_t001_niriss_f480m-nrm-sub80_ami-oi.fits", "Niriss", 3},
		{"jw01039-o004_20220702t204540_spec3_001_asn.json", "", -2},
		{"jw01039_20220702t204540_pool.csv", "", -2},
		{"jw01234001001_gs-acq1_2022123123456_cal.fits", "GuideStar", -2},
		{"jw01234001001_gs-id_1_image-uncal.fits", "GuideStar", -2},
		{"x", "", -2},
	} {
		if got := planner.ServiceOf(tc.name); got != tc.service {
			t.Errorf("ServiceOf(%q) = %q, want %q", tc.name, got, tc.service)
		}
		if got := planner.LevelOf(tc.name); got != tc.level {
			t.Errorf("LevelOf(%q) = %d, want %d", tc.name, got, tc.level)
		}
	}
}
