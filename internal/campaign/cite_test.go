package campaign_test

import (
	"testing"

	"jwstbulk/internal/campaign"
)

func TestProgramsAreEntitled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	list, observations, err := campaign.Programs(c.Recorded())
	if err != nil || len(list) != 1 || list[0].ID != "10001" || len(list[0].Instruments) == 0 || observations == 0 {
		t.Fatalf("Programs = %+v, %d, %v", list, observations, err)
	}
	if n := int64(len(w.entries(c))); list[0].Files != n {
		t.Errorf("%d files, want %d", list[0].Files, n)
	}
	w.server.ForgetRequests()
	if err := campaign.Entitle(t.Context(), w.archive(), list); err != nil {
		t.Fatal(err)
	}
	if list[0].Title == "" || list[0].PI == "" {
		t.Errorf("%+v has no title or PI", list[0])
	}
	if n := len(w.server.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
