package planner_test

import (
	"testing"

	"jwstbulk/planner"
	"jwstbulk/queue"
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
