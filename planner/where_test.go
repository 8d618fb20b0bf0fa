package planner_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"jwstbulk/internal/masttest"
	"jwstbulk/planner"
	"jwstbulk/queue"
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
		b, err := planner.Query{Programs: []string{"1"}, Where: []string{tc.in}}.Canonical()
		if want := `{"program":["1"],"where":["` + tc.want + `"]}`; err != nil || string(b) != want {
			t.Errorf("Canonical of %q = %s, %v, want %s", tc.in, b, err, want)
		}
	}
	one, err1 := planner.Query{PIs: []string{"Pontoppidan, Klaus"}, Categories: []string{"go"}, Released: []string{"2023-01-01"}}.Canonical()
	two, err2 := planner.Query{Where: []string{"proposal_type=GO", "t_obs_release=2023-01-01", "proposal_pi=*Pontoppidan*Klaus*"}}.Canonical()
	if err1 != nil || err2 != nil || !strings.Contains(string(one), "proposal_pi=*Pontoppidan*Klaus*") || string(one) != string(two) {
		t.Errorf("two ways of saying one thing: %s, %v; %s, %v", one, err1, two, err2)
	}
}

func TestQueryRefusesWords(t *testing.T) {
	t.Parallel()
	p := []string{"1345"}
	for _, tc := range []struct {
		q    planner.Query
		flag string
		want string
	}{
		{planner.Query{Where: []string{"tagret_name=x"}}, "--where", "did you mean target_name?"},
		{planner.Query{Where: []string{"target_name"}}, "--where", "COLUMN=VALUE"},
		{planner.Query{Where: []string{"target_name="}}, "--where", "a value for target_name"},
		{planner.Query{Where: []string{"target_name=*"}}, "--where", "any part"},
		{planner.Query{Where: []string{"calib_level=2*"}}, "--where", "exact"},
		{planner.Query{Where: []string{"mtFlag=perhaps"}}, "--where", "true or false"},
		{planner.Query{Where: []string{"t_exptime=a..b"}}, "--where", "a range"},
		{planner.Query{Where: []string{"t_exptime=5..1"}}, "--where", "a range"},
		{planner.Query{Where: []string{"t_exptime=NaN"}}, "--where", "a range"},
		{planner.Query{Where: []string{"t_exptime=.."}}, "--where", "a range"},
		{planner.Query{Where: []string{"t_min=1..2"}}, "--where", "--date"},
		{planner.Query{Where: []string{"wavelength_region!=INFRARED"}}, "--where", "not excluded"},
		{planner.Query{Where: []string{"t_exptime=1", "t_exptime=2"}}, "--where", "one condition"},
		{planner.Query{Where: []string{"proposal_id=1"}, Programs: p}, "--where", "--program gives already"},
		{planner.Query{Where: []string{"target_name!=x"}}, "query", "at least one"},
		{planner.Query{Programs: p, MinSize: "x"}, "--min-size", "bytes"},
		{planner.Query{Programs: p, MinSize: "2M", MaxSize: "1M"}, "--max-size", "no less"},
		{planner.Query{Programs: p, Detectors: []string{"a b"}}, "--detector", "nrca1"},
		{planner.Query{Programs: p, Categories: []string{"G O"}}, "--category", "GTO"},
		{planner.Query{PIs: []string{"*"}}, "--pi", "name"},
		{planner.Query{Released: []string{"soon"}}, "--released", "a range"},
		{planner.Query{Objects: []string{"Io*"}}, "--object", "fixed target"},
		{planner.Query{Objects: []string{"M 31"}, Radius: "far"}, "--radius", "degrees"},
		{planner.Query{Programs: p, Radius: "3m"}, "--radius", "--object"},
	} {
		var usage *planner.UsageError
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
		q := planner.Query{Programs: []string{"1"}, Where: []string{s}}
		b, err := q.Canonical()
		if err != nil {
			return
		}
		q.Where = planner.NormalWhere(q)
		if again, err := q.Canonical(); err != nil || string(again) != string(b) {
			t.Errorf("Canonical of %q = %s, of that %s, %v", s, b, again, err)
		}
	})
}

func TestDetectorOf(t *testing.T) {
	t.Parallel()
	q := planner.Query{Programs: []string{"1"}, Detectors: []string{"nrca*", "mirimage"}}
	for name, rule := range map[string]string{
		"jw02733002001_02103_00001_mirimage_o002_crf.fits":      "",
		"jw01345001001_02101_00001_nrcalong_cal.fits":           "",
		"jw01345001001_02101_00001_nrcb1_cal.fits":              planner.RuleDetector,
		"jw02733-o002_t001_miri_f1130w_i2d.fits":                planner.RuleDetector,
		"jw02734001001_02101_00001-seg001_nis_cal.fits":         planner.RuleDetector,
		"jw01345-o001_20230528t163605_tso-spec2_00005_asn.json": planner.RuleDetector,
		"jw01345001001_02101_00001_nrca1_cal_thumb.jpg":         "",
		"jw01345001001_02101_00001-seg002_nrca1_rateints.fits":  "",
	} {
		if got := planner.RuleOf(q, name, queue.Facts{}); got != rule {
			t.Errorf("RuleOf(%s) = %q, want %q", name, got, rule)
		}
	}
}

// Each condition lists what a plain look at the catalogue finds.
func TestPlanWhere(t *testing.T) {
	t.Parallel()
	cfg := masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 24})}
	srv := masttest.Start(t, cfg)
	for _, tc := range []struct {
		name  string
		where []string
		keep  func(masttest.Observation) bool
	}{
		{"excluded instrument", []string{"instrument_name!=MIRI*"}, func(o masttest.Observation) bool { return !strings.HasPrefix(o.Instrument, "MIRI") }},
		{"excluded level", []string{"calib_level!=3"}, func(o masttest.Observation) bool { return o.Level != 3 }},
		{"level", []string{"calib_level=3"}, func(o masttest.Observation) bool { return o.Level == 3 }},
		{"range", []string{"s_dec=-5..5"}, func(o masttest.Observation) bool { return o.Dec >= -5 && o.Dec <= 5 }},
		{"excluded range", []string{"s_dec!=-5..5"}, func(o masttest.Observation) bool { return o.Dec < -5 || o.Dec > 5 }},
		{"excluded times", []string{"t_min!=59800..59900"}, func(o masttest.Observation) bool { return o.TMin < 59800 || o.TMin > 59900 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := int64(0)
			for o := range srv.Observations() {
				if tc.keep(o) {
					want++
				}
			}
			r := newRig(t, cfg)
			s, err := r.planner().Plan(t.Context(), planner.Query{Programs: []string{"10001"}, Where: tc.where})
			var empty *planner.EmptyError
			if err != nil && !errors.As(err, &empty) || s.Observations != want {
				t.Errorf("Plan(%q) = %d observations, %v, want %d", tc.where, s.Observations, err, want)
			}
		})
	}
}

func TestPlanObject(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 4})})
	var at masttest.Observation
	for at = range r.srv.Observations() {
		break
	}
	var usage *planner.UsageError
	if _, err := r.planner().Plan(t.Context(), planner.Query{Objects: []string{"X"}}); !errors.As(err, &usage) {
		t.Errorf("Plan without a resolver = %v, want *UsageError", err)
	}
	r.cfg.Resolve = func(_ context.Context, name string) (float64, float64, string, error) {
		if name != "Somewhere" {
			return 0, 0, "", fs.ErrNotExist
		}
		return at.RA, at.Dec, "SW 1", nil
	}
	s := r.plan(planner.Query{Objects: []string{"Somewhere"}, Radius: "30s"})
	if s.Observations == 0 || len(s.Resolved) != 1 || s.Resolved[0].Canonical != "SW 1" || !strings.Contains(string(s.Query), `"cone"`) {
		t.Errorf("Plan = %+v", s)
	}
	if _, err := r.planner().Plan(t.Context(), planner.Query{Objects: []string{"Nowhere"}}); !errors.As(err, &usage) || usage.Flag != "--object" {
		t.Errorf("Plan of an unknown name = %v, want *UsageError", err)
	}
}
