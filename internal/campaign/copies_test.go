package campaign_test

import (
	"net/http"
	"testing"

	"jwstbulk/internal/campaign"
)

func TestCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	w.server.ForgetRequests()
	copies, err := campaign.OpenCopies(w.archive(), w.server.URL+"/stpubdata")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range copies.Entries(t.Context(), c.Recorded()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		resp, err := http.Head(copies.Address(e.URI))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // nothing is in it
		if resp.StatusCode != http.StatusOK || resp.ContentLength != e.Size {
			t.Errorf("%s: %s, %d bytes, want %d", copies.Address(e.URI), resp.Status, resp.ContentLength, e.Size)
		}
	}
	if want := len(w.entries(c)); n != want {
		t.Errorf("%d entries, want %d", n, want)
	}
	if got := copies.Address("mast:JWST/product/unknown.fits"); got != "" {
		t.Errorf("an unknown file is at %q", got)
	}
	if err := copies.Close(); err != nil {
		t.Error(err)
	}
}
