package planner_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"jwstbulk/planner"
	"jwstbulk/queue"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, suffix, inst, exposure, service string
		level                                 int
	}{
		{"jw02733002002_02103_00008_mirimage_i2d.fits", "i2d", "MIRI", "jw02733002002_02103_00008_mirimage", "Miri", 2},
		{"jw02733002001_02103_00001_mirimage_o002_crf.fits", "crf", "MIRI", "jw02733002001_02103_00001_mirimage", "Miri", 2},
		{"jw02734001001_02101_00001-seg001_nis_uncal.fits", "uncal", "NIRISS", "jw02734001001_02101_00001-seg001_nis", "Niriss", 1},
		{"jw01216202001_02101_00001_nrs1_cal.fits", "cal", "NIRSPEC", "jw01216202001_02101_00001_nrs1", "Nirspec", 2},
		{"jw01895001001_02101_00001_nrcalong_rate.fits", "rate", "NIRCAM", "jw01895001001_02101_00001_nrcalong", "Nircam", 2},
		{"jw01895001001_02101_00001_guider1_cal.fits", "cal", "FGS", "jw01895001001_02101_00001_guider1", "Fgs", 2},
		{"jw01039-o004_t001_miri_ch3-long_s3d.fits", "s3d", "MIRI", "jw01039-o004_t001_miri_ch3-long", "Miri", 3},
		{"jw02733-o002_t001_miri_f1130w_cat.ecsv", "cat", "MIRI", "jw02733-o002_t001_miri_f1130w", "", 3},
		{"jw01093-c1000_t001_niriss_f480m-nrm-sub80_ami-oi.fits", "ami-oi", "NIRISS", "jw01093-c1000_t001_niriss_f480m-nrm-sub80", "Niriss", 3},
		{"jw01039-o004_20220702t204540_spec3_001_asn.json", "asn", "", "", "", -2},
		{"jw01039_20220702t204540_pool.csv", "pool", "", "", "", -2},
		{"jw01234001001_gs-acq1_2022123123456_cal.fits", "cal", "FGS", "", "GuideStar", -2},
		{"jw01234001001_gs-id_1_image-uncal.fits", "image-uncal", "FGS", "", "GuideStar", -2},
		{"x", "", "", "", "", -2},
	} {
		suffix, _ := planner.SplitSuffix(tc.name)
		if suffix != tc.suffix {
			t.Errorf("SplitSuffix(%q) = %q, want %q", tc.name, suffix, tc.suffix)
		}
		if got := planner.InstrumentOf(tc.name); got != tc.inst {
			t.Errorf("InstrumentOf(%q) = %q, want %q", tc.name, got, tc.inst)
		}
		if got := planner.ExposurePart(tc.name); got != tc.exposure {
			t.Errorf("ExposurePart(%q) = %q, want %q", tc.name, got, tc.exposure)
		}
		if got := planner.ServiceOf(tc.name); got != tc.service {
			t.Errorf("ServiceOf(%q) = %q, want %q", tc.name, got, tc.service)
		}
		if got := planner.LevelOf(tc.name); got != tc.level {
			t.Errorf("LevelOf(%q) = %d, want %d", tc.name, got, tc.level)
		}
	}
	if got := planner.FolderOf("jw02731001001_02101_00001", "jw02731001001_02101_00001_nrcb1_cal.fits"); got != "jw02731001001_02101_00001_nrcb1" {
		t.Errorf("FolderOf = %q", got)
	}
	if got := planner.FolderOf("jw01039-o004_t001_miri", "other.fits"); got != "jw01039-o004_t001_miri" {
		t.Errorf("FolderOf = %q", got)
	}
}

func TestSafeName(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"jw02733-o002_t001_miri_f1130w_i2d.fits", "a", "9", "a+b.c_d-e", "CONSOLE", "COM10", "com", strings.Repeat("a", 255)} {
		if !planner.SafeName(s) {
			t.Errorf("SafeName(%q) = false", s)
		}
	}
	for _, s := range []string{"", ".", "..", ".x", "-x", "_x", "a/b", "a\\b", "a b", "a\n", "a\x1b", "ä", "con", "NUL.fits", "com1", "LPT9.txt", "aux.", strings.Repeat("a", 256)} {
		if planner.SafeName(s) {
			t.Errorf("SafeName(%q) = true", s)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	p := []string{"1"}
	cal := "jw01216202001_02101_00001_nrs1_cal.fits"
	i2d := "jw02733-o002_t001_miri_f1130w_i2d.fits"
	for _, tc := range []struct {
		q    planner.Query
		name string
		f    queue.Facts
		want string
	}{
		{planner.Query{Programs: p}, cal, queue.Facts{Level: 2}, ""},
		{planner.Query{Programs: p}, "jw01234001001_gs-acq1_2022123123456_cal.fits", queue.Facts{}, planner.RuleGuideStars},
		{planner.Query{Programs: p, GuideStars: true}, "jw01234001001_gs-acq1_2022123123456_cal.fits", queue.Facts{}, ""},
		{planner.Query{Programs: p, Levels: []string{"3"}}, cal, queue.Facts{Level: 2}, planner.RuleLevel},
		{planner.Query{Programs: p, Levels: []string{"2b"}}, cal, queue.Facts{Level: 2}, ""},
		{planner.Query{Programs: p, Levels: []string{"2b"}}, i2d, queue.Facts{Level: 3}, planner.RuleLevel},
		{planner.Query{Programs: p, Levels: []string{"2b"}}, i2d, queue.Facts{Level: 2}, ""},
		{planner.Query{Programs: p, Levels: []string{"2a"}}, cal, queue.Facts{Level: 2}, planner.RuleLevel},
		{planner.Query{Programs: p, Levels: []string{"2a", "3"}}, i2d, queue.Facts{Level: 3}, ""},
		{planner.Query{Programs: p, Suffixes: []string{"i2d"}}, cal, queue.Facts{}, planner.RuleSuffix},
		{planner.Query{Programs: p, Suffixes: []string{"_cal"}}, cal, queue.Facts{}, ""},
		{planner.Query{Programs: p, Suffixes: []string{"cal.fits"}}, cal, queue.Facts{}, ""},
		{planner.Query{Programs: p, Suffixes: []string{"cal.jpg"}}, cal, queue.Facts{}, planner.RuleSuffix},
		{planner.Query{Programs: p, ProductTypes: []string{"science"}}, cal, queue.Facts{ProductType: "SCIENCE"}, ""},
		{planner.Query{Programs: p, ProductTypes: []string{"info"}}, cal, queue.Facts{ProductType: "SCIENCE"}, planner.RuleProductType},
		{planner.Query{Programs: p, Rights: "public"}, cal, queue.Facts{Rights: "EXCLUSIVE_ACCESS"}, planner.RuleRights},
		{planner.Query{Programs: p, Rights: "exclusive"}, cal, queue.Facts{Rights: "EXCLUSIVE_ACCESS"}, ""},
		{planner.Query{Programs: p, Rights: "exclusive"}, cal, queue.Facts{Rights: "PUBLIC"}, planner.RuleRights},
		{planner.Query{Programs: p, Include: []string{"*nrs2*"}}, cal, queue.Facts{}, planner.RuleInclude},
		{planner.Query{Programs: p, Include: []string{"*nrs1*"}, Exclude: []string{"*_cal.fits"}}, cal, queue.Facts{}, planner.RuleExclude},
	} {
		if got := planner.RuleOf(tc.q, tc.name, tc.f); got != tc.want {
			t.Errorf("rule of %q under %+v = %q, want %q", tc.name, tc.q, got, tc.want)
		}
	}
}

func TestCheckSpace(t *testing.T) {
	t.Parallel()
	counts := queue.Counts{State: map[queue.State]queue.Count{
		queue.Pending: {Files: 10, Bytes: 1000}, queue.Done: {Files: 100, Bytes: 1 << 40}, queue.Parked: {Files: 5, Bytes: 1 << 40},
	}}
	free := func(b, i uint64) func() (uint64, uint64, error) {
		return func() (uint64, uint64, error) { return b, i, nil }
	}
	if err := planner.CheckSpace(counts, 2, free(1020, 12)); err != nil {
		t.Errorf("CheckSpace = %v, want nil", err)
	}
	if err := planner.CheckSpace(counts, 2, free(1020, math.MaxUint64)); err != nil {
		t.Errorf("CheckSpace = %v, want nil", err)
	}
	for _, f := range [][2]uint64{{1019, 12}, {1020, 11}} {
		var space *planner.SpaceError
		if err := planner.CheckSpace(counts, 2, free(f[0], f[1])); !errors.As(err, &space) || space.NeedBytes != 1020 || space.NeedInodes != 12 {
			t.Errorf("CheckSpace with %v free = %v, want a SpaceError", f, err)
		}
	}
	bad := errors.New("no")
	if err := planner.CheckSpace(counts, 0, func() (uint64, uint64, error) { return 0, 0, bad }); !errors.Is(err, bad) {
		t.Errorf("CheckSpace = %v, want %v", err, bad)
	}
	if err := planner.CheckSpace(queue.Counts{}, 0, func() (uint64, uint64, error) { return 0, 0, bad }); err != nil {
		t.Errorf("CheckSpace of nothing = %v, want nil", err)
	}
}
