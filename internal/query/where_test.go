package query_test

import (
	"errors"
	"strings"
	"testing"

	"jwstbulk/internal/query"
)

func TestWhereCanonical(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"TARGET_NAME = M-31 , Io*", "target_name=Io*,M-31"},
		{"t_exptime=100..2000,5", "t_exptime=5,100..2000"},
		{"t_exptime=..20", "t_exptime=..20"},
		{"t_exptime!=20.50", "t_exptime!=20.5"},
		{"s_dec=-30..-10", "s_dec=-30..-10"},
		{"t_max=2023-01-01..", "t_max=59945..100000"},
		{"t_obs_release=59945..2e5", "t_obs_release=59945..200000"},
		{"mtflag=TRUE", "mtFlag=true"},
		{"calib_level=3,2,3", "calib_level=2,3"},
		{"t_min!=59945..59946", "t_min!=59945..59946"},
	} {
		// A programme makes exclusions alone a query.
		b, err := query.Query{Programs: []string{"1"}, Where: []string{tc.in}}.Canonical()
		if want := `{"program":["1"],"where":["` + tc.want + `"]}`; err != nil || string(b) != want {
			t.Errorf("Canonical of %q = %s, %v, want %s", tc.in, b, err, want)
		}
	}
	one, err1 := query.Query{PIs: []string{"Pontoppidan, Klaus"}, Categories: []string{"go"}, Released: []string{"2023-01-01"}}.Canonical()
	two, err2 := query.Query{Where: []string{"proposal_type=GO", "t_obs_release=2023-01-01", "proposal_pi=*Pontoppidan*Klaus*"}}.Canonical()
	if err1 != nil || err2 != nil || !strings.Contains(string(one), "proposal_pi=*Pontoppidan*Klaus*") || string(one) != string(two) {
		t.Errorf("two ways of saying one thing: %s, %v; %s, %v", one, err1, two, err2)
	}
}

func TestQueryRefusesWords(t *testing.T) {
	t.Parallel()
	p := []string{"1345"}
	for _, tc := range []struct {
		q    query.Query
		flag string
		want string
	}{
		{query.Query{Where: []string{"tagret_name=x"}}, "--where", "did you mean target_name?"},
		{query.Query{Where: []string{"target_name"}}, "--where", "COLUMN=VALUE"},
		{query.Query{Where: []string{"target_name="}}, "--where", "a value for target_name"},
		{query.Query{Where: []string{"target_name=*"}}, "--where", "any part"},
		{query.Query{Where: []string{"calib_level=2*"}}, "--where", "exact"},
		{query.Query{Where: []string{"mtFlag=perhaps"}}, "--where", "true or false"},
		{query.Query{Where: []string{"t_exptime=a..b"}}, "--where", "a range"},
		{query.Query{Where: []string{"t_exptime=5..1"}}, "--where", "a range"},
		{query.Query{Where: []string{"t_exptime=NaN"}}, "--where", "a range"},
		{query.Query{Where: []string{"t_exptime=.."}}, "--where", "a range"},
		{query.Query{Where: []string{"t_min=1..2"}}, "--where", "--date"},
		{query.Query{Where: []string{"wavelength_region!=INFRARED"}}, "--where", "not excluded"},
		{query.Query{Where: []string{"t_exptime=1", "t_exptime=2"}}, "--where", "one condition"},
		{query.Query{Where: []string{"proposal_id=1"}, Programs: p}, "--where", "--program gives already"},
		{query.Query{Where: []string{"target_name!=x"}}, "query", "at least one"},
		{query.Query{Programs: p, MinSize: "x"}, "--min-size", "bytes"},
		{query.Query{Programs: p, MinSize: "2M", MaxSize: "1M"}, "--max-size", "no less"},
		{query.Query{Programs: p, Detectors: []string{"a b"}}, "--detector", "nrca1"},
		{query.Query{Programs: p, Categories: []string{"G O"}}, "--category", "GTO"},
		{query.Query{PIs: []string{"*"}}, "--pi", "name"},
		{query.Query{Released: []string{"soon"}}, "--released", "a range"},
		{query.Query{Objects: []string{"Io*"}}, "--object", "fixed target"},
		{query.Query{Objects: []string{"M 31"}, Radius: "far"}, "--radius", "degrees"},
		{query.Query{Programs: p, Radius: "3m"}, "--radius", "--object"},
	} {
		var usage *query.UsageError
		if err := tc.q.Validate(); !errors.As(err, &usage) || usage.Flag != tc.flag || !strings.Contains(usage.Want, tc.want) {
			t.Errorf("Validate(%+v) = %v, want %s, %q", tc.q, err, tc.flag, tc.want)
		}
	}
}

func FuzzWhere(f *testing.F) {
	for _, s := range []string{"t_exptime=100..2000", "target_name!=Io*,x", "t_max=2023-01-01..", "mtFlag=true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := query.Query{Programs: []string{"1"}, Where: []string{s}}
		b, err := q.Canonical()
		if err != nil {
			return
		}
		q.Where = query.NormalWhere(q)
		if again, err := q.Canonical(); err != nil || string(again) != string(b) {
			t.Errorf("Canonical of %q = %s, of that %s, %v", s, b, again, err)
		}
	})
}

func TestDetectors(t *testing.T) {
	t.Parallel()
	q := query.Query{Programs: []string{"1"}, Detectors: []string{"nrca*", "mirimage"}}
	for name, rule := range map[string]string{
		"jw02733002001_02103_00001_mirimage_o002_crf.fits":      "",
		"jw01345001001_02101_00001_nrcalong_cal.fits":           "",
		"jw01345001001_02101_00001_nrcb1_cal.fits":              query.RuleDetector,
		"jw02733-o002_t001_miri_f1130w_i2d.fits":                query.RuleDetector,
		"jw02734001001_02101_00001-seg001_nis_cal.fits":         query.RuleDetector,
		"jw01345-o001_20230528t163605_tso-spec2_00005_asn.json": query.RuleDetector,
		"jw01345001001_02101_00001_nrca1_cal_thumb.jpg":         "",
		"jw01345001001_02101_00001-seg002_nrca1_rateints.fits":  "",
	} {
		if got := query.RuleOf(q, name, query.Candidate{}); got != rule {
			t.Errorf("RuleOf(%s) = %q, want %q", name, got, rule)
		}
	}
}
