package query_test

import (
	"errors"
	"testing"

	"jwstbulk/internal/query"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		preset string
		f      query.Candidate
		takes  []string
		leaves []string
	}{
		{"stage1", query.Candidate{}, []string{"jw01345001001_02101_00001_nrca1_uncal.fits"}, []string{"jw01345001001_02101_00001_nrca1_uncal.jpg", "jw01345001001_02101_00001_nrca1_rate.fits"}},
		{"stage2", query.Candidate{}, []string{"jw01345001001_02101_00001_nrca1_rate.fits", "jw01345001001_02101_00001_nrs1_rateints.fits",
			"jw01345-o001_20230528t163605_image2_00005_asn.json", "jw01345001001_01_msa.fits"}, []string{"jw01345001001_02101_00001_nrca1_rate.jpg", "jw01345001001_02101_00001_nrca1_cal.fits"}},
		{"stage3", query.Candidate{}, []string{"jw01345001001_02101_00001_nrca1_cal.fits", "jw01345001001_02101_00001_nis_calints.fits",
			"jw01345-o001_20230528t163605_image3_00005_asn.json"}, []string{"jw01345001001_02101_00001_nrca1_cal.jpg", "jw01345-o001_t001_nircam_clear-f150w_i2d.fits"}},
		{"quicklook", query.Candidate{ProductType: "PREVIEW"}, []string{"jw01345-o001_t001_nircam_clear-f150w_i2d.jpg"}, nil},
		{"quicklook", query.Candidate{ProductType: "SCIENCE"}, nil, []string{"jw01345-o001_t001_nircam_clear-f150w_i2d.fits"}},
	} {
		q := query.Query{Programs: []string{"1345"}, For: []string{tc.preset}}
		for _, name := range tc.takes {
			if rule := query.RuleOf(q, name, tc.f); rule != "" {
				t.Errorf("%s leaves out %s: %s", tc.preset, name, rule)
			}
		}
		for _, name := range tc.leaves {
			if rule := query.RuleOf(q, name, tc.f); rule == "" {
				t.Errorf("%s takes %s", tc.preset, name)
			}
		}
	}
	for _, bad := range [][]string{{"stage4"}, {"quicklook", "stage1"}} {
		var usage *query.UsageError
		if err := (query.Query{Programs: []string{"1"}, For: bad}).Validate(); !errors.As(err, &usage) || usage.Flag != "--for" {
			t.Errorf("Validate(--for %q) = %v, want *UsageError", bad, err)
		}
	}
}
