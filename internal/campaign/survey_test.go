package campaign_test

import (
	"path"
	"strings"
	"testing"

	"jwstbulk/manifest"
)

func TestSurveyFindsNothingInAnUnchangedArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	if found := w.survey(c); len(found) != 0 {
		t.Errorf("%d changes in an archive that did not change: %v", len(found), found)
	}
}

func TestSurveyNamesExactlyWhatWasReprocessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	want := map[string]bool{}
	for _, uri := range w.server.Reprocess("*_cal.fits") {
		want[uri] = true
	}
	w.server.ForgetRequests()
	found := w.survey(c)
	if n := len(w.server.Requests()); n > 5 {
		t.Errorf("the survey took %d requests", n)
	}
	if n := len(w.server.BodyRequests("*")); n != 0 {
		t.Errorf("the survey downloaded %d files", n)
	}
	fits := 0
	for _, e := range w.entries(c) {
		if !want[e.URI] {
			continue
		}
		fits++
		ch, ok := found[e.URI]
		if !ok || ch.Kind != manifest.KindReprocessed || ch.Cause == "" || ch.New.Ingest.IsZero() || ch.New.Checksum == ch.Old.Checksum {
			t.Errorf("%s was reprocessed; the survey says %+v", path.Base(e.URI), ch)
		}
	}
	if fits == 0 || len(found) != fits {
		t.Errorf("%d changes found, %d files of the manifest were reprocessed", len(found), fits)
	}
}

func TestSurveyRefusesWhatIsNotTheArchives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	e := w.entries(c)[0]
	e.URI = "http://example.org/x.fits"
	_, err := surveyOf(t, w, e)
	if err == nil || !strings.Contains(err.Error(), "example.org") {
		t.Errorf("a foreign host: %v", err)
	}
}
