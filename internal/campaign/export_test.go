package campaign

import (
	"context"
	"iter"
	"testing"

	"jwstbulk/fetcher"
)

// Candidates searches directories for files of the campaign.
func (c *Campaign) Candidates(t *testing.T, dirs ...string) iter.Seq2[fetcher.Candidate, error] {
	t.Helper()
	s, err := newSearch(c.Queue.Reader, nil, Adopt{Dirs: dirs}, func(warning string) { t.Error(warning) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.candidates(context.WithoutCancel(t.Context()))
}

// BeginThaw does what is on disk of a thaw that was killed after its first step.
func (c *Campaign) BeginThaw(t *testing.T) {
	t.Helper()
	if err := c.beginThaw(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// SweepScratch tells which directories count as left behind.
var SweepScratch = sweepScratch
