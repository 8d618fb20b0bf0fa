package query_test

import (
	"testing"

	"jwstbulk/internal/query"
)

func TestRules(t *testing.T) {
	t.Parallel()
	p := []string{"1"}
	cal := "jw01216202001_02101_00001_nrs1_cal.fits"
	i2d := "jw02733-o002_t001_miri_f1130w_i2d.fits"
	for _, tc := range []struct {
		q    query.Query
		name string
		f    query.Candidate
		want string
	}{
		{query.Query{Programs: p}, cal, query.Candidate{Level: 2}, ""},
		{query.Query{Programs: p}, "jw01234001001_gs-acq1_2022123123456_cal.fits", query.Candidate{}, query.RuleGuideStars},
		{query.Query{Programs: p, GuideStars: true}, "jw01234001001_gs-acq1_2022123123456_cal.fits", query.Candidate{}, ""},
		{query.Query{Programs: p, Levels: []string{"3"}}, cal, query.Candidate{Level: 2}, query.RuleLevel},
		{query.Query{Programs: p, Levels: []string{"2b"}}, cal, query.Candidate{Level: 2}, ""},
		{query.Query{Programs: p, Levels: []string{"2b"}}, i2d, query.Candidate{Level: 3}, query.RuleLevel},
		{query.Query{Programs: p, Levels: []string{"2b"}}, i2d, query.Candidate{Level: 2}, ""},
		{query.Query{Programs: p, Levels: []string{"2a"}}, cal, query.Candidate{Level: 2}, query.RuleLevel},
		{query.Query{Programs: p, Levels: []string{"2a", "3"}}, i2d, query.Candidate{Level: 3}, ""},
		{query.Query{Programs: p, Suffixes: []string{"i2d"}}, cal, query.Candidate{}, query.RuleSuffix},
		{query.Query{Programs: p, Suffixes: []string{"_cal"}}, cal, query.Candidate{}, ""},
		{query.Query{Programs: p, Suffixes: []string{"cal.fits"}}, cal, query.Candidate{}, ""},
		{query.Query{Programs: p, Suffixes: []string{"cal.jpg"}}, cal, query.Candidate{}, query.RuleSuffix},
		{query.Query{Programs: p, ProductTypes: []string{"science"}}, cal, query.Candidate{ProductType: "SCIENCE"}, ""},
		{query.Query{Programs: p, ProductTypes: []string{"info"}}, cal, query.Candidate{ProductType: "SCIENCE"}, query.RuleProductType},
		{query.Query{Programs: p, Rights: "public"}, cal, query.Candidate{Rights: "EXCLUSIVE_ACCESS"}, query.RuleRights},
		{query.Query{Programs: p, Rights: "exclusive"}, cal, query.Candidate{Rights: "EXCLUSIVE_ACCESS"}, ""},
		{query.Query{Programs: p, Rights: "exclusive"}, cal, query.Candidate{Rights: "PUBLIC"}, query.RuleRights},
		{query.Query{Programs: p, Include: []string{"*nrs2*"}}, cal, query.Candidate{}, query.RuleInclude},
		{query.Query{Programs: p, Include: []string{"*nrs1*"}, Exclude: []string{"*_cal.fits"}}, cal, query.Candidate{}, query.RuleExclude},
	} {
		if got := query.RuleOf(tc.q, tc.name, tc.f); got != tc.want {
			t.Errorf("rule of %q under %+v = %q, want %q", tc.name, tc.q, got, tc.want)
		}
	}
}
