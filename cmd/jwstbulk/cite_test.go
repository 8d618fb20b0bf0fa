package main

import (
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
)

// TestCitation holds what is cited against the words that STScI asks for.
func TestCitation(t *testing.T) {
	t.Parallel()
	const asked = "under NASA contract NAS 5-03127 for JWST."
	one := []campaign.Program{{ID: "1345", Title: "CEERS & more", PI: "Finkelstein", Instruments: []string{"MIRI", "NIRCAM"}, Files: 3}}
	two := append(one, campaign.Program{ID: "2736"}, campaign.Program{Files: 1})
	for _, tt := range []struct {
		list []campaign.Program
		end  string
	}{
		{nil, asked}, {two[2:], asked}, {one, asked + " These observations are associated with program #1345."},
		{two, asked + " These observations are associated with programs #1345, #2736."},
	} {
		if got := acknowledgement(tt.list); !strings.HasSuffix(got, tt.end) {
			t.Errorf("acknowledgement: %s\nwant at its end: %s", got, tt.end)
		}
	}
	c := citation{Root: strings.Repeat("0123456789abcdef", 4), Files: 4, Observations: doiLimit + 1, Programs: two, Acknowledgement: acknowledgement(two), DOI: doiPage}
	for _, want := range []string{c.Root, "  1345    MIRI, NIRCAM, 3 files\n          CEERS & more (PI: Finkelstein)\n", "  unknown no instrument, 1 file\n", doiPage, "10,000 observations"} {
		if got := citeText(c); !strings.Contains(got, want) {
			t.Errorf("the text has no %q:\n%s", want, got)
		}
	}
	for _, want := range []string{"@misc{jwst-0123456789ab,\n", "of programs 1345, 2736: 4 files}", `programs \#1345, \#2736.`} {
		if got := citeBibTeX(c); !strings.Contains(got, want) {
			t.Errorf("BibTeX has no %q:\n%s", want, got)
		}
	}
}
