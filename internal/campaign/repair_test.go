package campaign_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// spoil damages a file of a campaign, keeping its length.
func (w *world) spoil(c *campaign.Campaign, e manifest.Entry) {
	w.t.Helper()
	b := w.read(c, e.Path)
	b[len(b)/2] ^= 1
	if err := os.WriteFile(filepath.Join(c.Dir, e.Path), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// wrong verifies the campaign and returns what is not ok.
func (w *world) wrong(c *campaign.Campaign) []manifest.Result {
	w.t.Helper()
	f, err := os.Open(filepath.Join(c.Dir, manifest.Name))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	m, err := manifest.Open(f)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []manifest.Result
	_, err = manifest.Verify(w.t.Context(), c.Root, m, manifest.VerifyConfig{Report: func(r manifest.Result) {
		if r.State != manifest.StateOK {
			out = append(out, r)
		}
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// some returns the first entries of the manifest whose names end so.
func (w *world) some(c *campaign.Campaign, suffix string, n int) []manifest.Entry {
	w.t.Helper()
	var out []manifest.Entry
	for _, e := range w.entries(c) {
		if strings.HasSuffix(e.URI, suffix) && len(out) < n {
			out = append(out, e)
		}
	}
	if len(out) < n {
		w.t.Fatalf("%d files end in %s, want %d", len(out), suffix, n)
	}
	return out
}

func TestRepairBringsTheSameBytesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	before := w.read(c, manifest.Name)
	files := w.some(c, "_cal.fits", 3)
	w.spoil(c, files[0])
	for _, e := range files[1:2] {
		if err := os.Remove(filepath.Join(c.Dir, e.Path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(c.Dir, files[2].Path), 17); err != nil {
		t.Fatal(err)
	}
	w.server.ForgetRequests()
	r, err := c.Requeue(t.Context(), w.archive(), w.wrong(c))
	if err != nil || len(r.Requeued) != 3 || len(r.Drifted)+len(r.Unknown) != 0 {
		t.Fatalf("Requeue = %+v, %v; want 3 files requeued", r, err)
	}
	w.fetch(c)
	if n := len(w.server.BodyRequests("*")); n != 3 {
		t.Errorf("%d files were fetched, want the 3 that were wrong", n)
	}
	same, other, err := c.Returned(t.Context(), r.Requeued)
	if err != nil || same != 3 || len(other) != 0 {
		t.Errorf("Returned = %d, %v, %v; want 3 files as recorded", same, other, err)
	}
	if after := w.read(c, manifest.Name); !bytes.Equal(before, after) {
		t.Errorf("the manifest is another after the repair:\n%s\n%s", before, after)
	}
	if left := w.wrong(c); len(left) != 0 {
		t.Errorf("after the repair: %v", left)
	}
}

func TestRepairLeavesAloneWhatTheArchiveReprocessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	files := w.some(c, "_cal.fits", 2)
	w.spoil(c, files[0])
	w.spoil(c, files[1])
	w.server.Reprocess(files[0].URI)
	r, err := c.Requeue(t.Context(), w.archive(), w.wrong(c))
	if err != nil || len(r.Requeued) != 1 || len(r.Drifted) != 1 || r.Drifted[0].URI != files[0].URI {
		t.Fatalf("Requeue = %+v, %v; want one file requeued, one reported", r, err)
	}
	counts, err := c.Queue.Counts(t.Context())
	if err != nil || counts.State[queue.Pending].Files != 1 {
		t.Errorf("%d files pending (%v), want 1", counts.State[queue.Pending].Files, err)
	}
}

// TestRepairGoesOnAfterAStop ends a repair before it fetched anything; the next one takes the same files.
func TestRepairGoesOnAfterAStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	before := w.read(c, manifest.Name)
	for _, e := range w.some(c, "_cal.fits", 2) {
		w.spoil(c, e)
	}
	for range 2 {
		r, err := c.Requeue(t.Context(), w.archive(), w.wrong(c))
		if err != nil || len(r.Requeued) != 2 || len(r.Unknown) != 0 {
			t.Fatalf("Requeue = %+v, %v; want 2 files", r, err)
		}
	}
	w.fetch(c)
	if after := w.read(c, manifest.Name); !bytes.Equal(before, after) || len(w.wrong(c)) != 0 {
		t.Errorf("after the repair %d files are wrong, the manifest is:\n%s", len(w.wrong(c)), after)
	}
}
