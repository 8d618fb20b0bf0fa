package product_test

import (
	"fmt"
	"strings"
	"testing"

	"jwstbulk/internal/product"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, suffix, inst, obsID string
	}{
		{"jw02733002002_02103_00008_mirimage_i2d.fits", "i2d", "MIRI", "jw02733002002_02103_00008_mirimage"},
		{"jw02733002001_02103_00001_mirimage_o002_crf.fits", "crf", "MIRI", "jw02733002001_02103_00001_mirimage"},
		{"jw02734001001_02101_00001-seg001_nis_uncal.fits", "uncal", "NIRISS", "jw02734001001_02101_00001-seg001_nis"},
		{"jw01216202001_02101_00001_nrs1_cal.fits", "cal", "NIRSPEC", "jw01216202001_02101_00001_nrs1"},
		{"jw01895001001_02101_00001_nrcalong_rate.fits", "rate", "NIRCAM", "jw01895001001_02101_00001_nrcalong"},
		{"jw01895001001_02101_00001_guider1_cal.fits", "cal", "FGS", "jw01895001001_02101_00001_guider1"},
		{"jw01039-o004_t001_miri_ch3-long_s3d.fits", "s3d", "MIRI", "jw01039-o004_t001_miri_ch3-long"},
		{"jw02733-o002_t001_miri_f1130w_cat.ecsv", "cat", "MIRI", "jw02733-o002_t001_miri_f1130w"},
		{"jw01093-c1000_t001_niriss_f480m-nrm-sub80_ami-oi.fits", "ami-oi", "NIRISS", "jw01093-c1000_t001_niriss_f480m-nrm-sub80"},
		{"jw01039-o004_20220702t204540_spec3_001_asn.json", "asn", "", ""},
		{"jw01039_20220702t204540_pool.csv", "pool", "", ""},
		{"jw01234001001_gs-acq1_2022123123456_cal.fits", "cal", "FGS", ""},
		{"jw01234001001_gs-id_1_image-uncal.fits", "image-uncal", "FGS", ""},
		{"x", "", "", ""},
	} {
		suffix, _ := product.Suffix(tc.name)
		if suffix != tc.suffix {
			t.Errorf("Suffix(%q) = %q, want %q", tc.name, suffix, tc.suffix)
		}
		if got := product.Instrument(tc.name); got != tc.inst {
			t.Errorf("Instrument(%q) = %q, want %q", tc.name, got, tc.inst)
		}
		if got := product.ObsID(tc.name); got != tc.obsID {
			t.Errorf("ObsID(%q) = %q, want %q", tc.name, got, tc.obsID)
		}
	}
	if got := product.Folder("jw02731001001_02101_00001", "jw02731001001_02101_00001_nrcb1_cal.fits"); got != "jw02731001001_02101_00001_nrcb1" {
		t.Errorf("Folder = %q", got)
	}
	if got := product.Folder("jw01039-o004_t001_miri", "other.fits"); got != "jw01039-o004_t001_miri" {
		t.Errorf("Folder = %q", got)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, program, detector string }{
		{"jw01216202001_02101_00001_nrs1_cal.fits", "1216", "nrs1"},
		{"jw02734001001_02101_00001-seg001_nis_uncal.fits", "2734", "nis"},
		{"jw01039-o004_t001_miri_ch3-long_s3d.fits", "1039", ""},
		{"jw01234001001_gs-acq1_2022123123456_cal.fits", "1234", ""},
		{"jwabcde001001_02101_00001_nrs1_cal.fits", "", ""},
		{"x", "", ""},
	} {
		if got := product.Program(tc.name); got != tc.program {
			t.Errorf("Program(%q) = %q, want %q", tc.name, got, tc.program)
		}
		if got := product.Detector(tc.name); got != tc.detector {
			t.Errorf("Detector(%q) = %q, want %q", tc.name, got, tc.detector)
		}
	}
}

func TestMayBeObs(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"jw01345-o012_t001_nircam_clear-f150w": true, "83254329": true, "jw01345-o0*": true,
		"": false, "a b": false, "a/b": false, `a\b`: false, "a%": false, "a;b": false, "'a'": false,
	} {
		if got := product.MayBeObs(s); got != want {
			t.Errorf("MayBeObs(%q) = %v, want %v", s, got, want)
		}
	}
}

func ExampleSuffix() {
	const name = "jw01345-o001_t021_nircam_clear-f115w_cat.ecsv"
	suffix, ext := product.Suffix(name)
	fmt.Println(product.Program(name), product.Instrument(name), suffix, ext)
	// Output: 1345 NIRCAM cat ecsv
}

func TestSafeName(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"jw02733-o002_t001_miri_f1130w_i2d.fits", "a", "9", "a+b.c_d-e", "CONSOLE", "COM10", "com", strings.Repeat("a", 255)} {
		if !product.SafeName(s) {
			t.Errorf("SafeName(%q) = false", s)
		}
	}
	for _, s := range []string{"", ".", "..", ".x", "-x", "_x", "a/b", "a\\b", "a b", "a\n", "a\x1b", "ä", "con", "NUL.fits", "com1", "LPT9.txt", "aux.", strings.Repeat("a", 256)} {
		if product.SafeName(s) {
			t.Errorf("SafeName(%q) = true", s)
		}
	}
}
