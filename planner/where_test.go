package planner_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
)

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
			s, err := r.planner().Plan(t.Context(), query.Query{Programs: []string{"10001"}, Where: tc.where})
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
	var usage *query.UsageError
	if _, err := r.planner().Plan(t.Context(), query.Query{Objects: []string{"X"}}); !errors.As(err, &usage) {
		t.Errorf("Plan without a resolver = %v, want *UsageError", err)
	}
	r.cfg.Resolve = func(_ context.Context, name string) (float64, float64, string, error) {
		if name != "Somewhere" {
			return 0, 0, "", fs.ErrNotExist
		}
		return at.RA, at.Dec, "SW 1", nil
	}
	s := r.plan(query.Query{Objects: []string{"Somewhere"}, Radius: "30s"})
	if s.Observations == 0 || len(s.Resolved) != 1 || s.Resolved[0].Canonical != "SW 1" || !strings.Contains(string(s.Query), `"cone"`) {
		t.Errorf("Plan = %+v", s)
	}
	if _, err := r.planner().Plan(t.Context(), query.Query{Objects: []string{"Nowhere"}}); !errors.As(err, &usage) || usage.Flag != "--object" {
		t.Errorf("Plan of an unknown name = %v, want *UsageError", err)
	}
}
