package campaign_test

import (
	"errors"
	"path"
	"testing"

	"jwstbulk/internal/filelist"
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
	for _, uri := range []string{"http://example.org/x.fits", "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/jw01_x.fits",
		"mast:HST/product/x.fits", "mast:jwst/product/x.fits"} {
		e := w.entries(c)[0]
		e.URI = uri
		_, err := surveyOf(t, w, e)
		var list *filelist.Error
		if !errors.As(err, &list) || list.Line != 2 {
			t.Errorf("%s: %v, want a *filelist.Error of line 2", uri, err)
		}
	}
}
