package campaign_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func TestFetchRefusesAHalfFrozenCampaign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	if err := c.Queue.SetMeta(t.Context(), "frozen", strings.Repeat("0", 64)); err != nil {
		t.Fatal(err)
	}
	if err := w.fetchError(c); !errors.Is(err, campaign.ErrUnfinishedFreeze) {
		t.Errorf("Fetch: %v, want ErrUnfinishedFreeze", err)
	}
}

// frozen makes a campaign from the manifest of first and fetches what the archive still has of it.
func (w *world) frozen(first *campaign.Campaign) *campaign.Campaign {
	w.t.Helper()
	c := w.open(filepath.Join(w.t.TempDir(), "again"))
	if _, err := c.PlanManifest(w.t.Context(), w.copyOf(first), true, planner.Config{}); err != nil {
		w.t.Fatal(err)
	}
	w.fetch(c)
	return c
}

func TestFrozenStaysSoWithoutTheFlag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	c := w.frozen(first)
	if _, err := c.PlanManifest(t.Context(), w.copyOf(first), false, planner.Config{}); !errors.Is(err, campaign.ErrFrozen) {
		t.Errorf("PlanManifest: %v, want ErrFrozen", err)
	}
	if p, _ := w.update(c, campaign.UpdateConfig{}); len(p.Changes) != 0 {
		t.Fatalf("%d changes", len(p.Changes))
	}
	if root, err := c.Frozen(t.Context()); err != nil || root == "" {
		t.Errorf("Frozen = %q, %v: an update that found nothing freed it", root, err)
	}
}

// TestFrozenSurvivesALostQueue loses the queue of a frozen campaign of which the archive reprocessed a file that is still to
// come: its new version must not get in.
func TestFrozenSurvivesALostQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	cited := w.copyOf(first)
	w.server.Reprocess(w.some(first, "_cal.fits", 1)[0].URI)
	c := w.loseQueue(w.frozen(first))
	if _, err := c.PlanManifest(t.Context(), cited, false, planner.Config{}); !errors.Is(err, campaign.ErrFrozen) {
		t.Errorf("PlanManifest without frozen: %v, want ErrFrozen", err)
	}
	if err := w.fetchError(c); !errors.Is(err, campaign.ErrUnfinishedFreeze) {
		t.Errorf("Fetch: %v, want ErrUnfinishedFreeze", err)
	}
	if _, err := c.PlanManifest(t.Context(), cited, true, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	if h := w.fetch(c); h.Missing != 1 {
		t.Errorf("%d files are missing, want the reprocessed one", h.Missing)
	}
}

// TestFreedStaysSoAfterALostQueue takes a new version into a frozen campaign, which frees it, and loses the queue.
func TestFreedStaysSoAfterALostQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	c := w.frozen(first)
	w.server.Reprocess(w.some(first, "_cal.fits", 1)[0].URI)
	w.update(c, campaign.UpdateConfig{})
	c = w.loseQueue(c)
	if root, err := c.Frozen(t.Context()); err != nil || root != "" {
		t.Errorf("Frozen = %q, %v", root, err)
	}
}

// TestUpdateFreesAFrozenCampaign takes the new versions of files that failed for the demand, and of some still to come.
func TestUpdateFreesAFrozenCampaign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	w.server.Reprocess(w.some(first, "_cal.fits", 1)[0].URI)
	c := w.frozen(first)
	counts, err := c.Queue.Counts(t.Context())
	if err != nil || counts.State[queue.Failed].Files != 1 {
		t.Fatalf("%+v, %v; want one failed file", counts, err)
	}
	w.update(c, campaign.UpdateConfig{})
	w.wantServed(c)
	if got, want := len(w.entries(c)), len(w.entries(first)); got != want {
		t.Errorf("%d files, want %d", got, want)
	}
	if root, err := c.Frozen(t.Context()); err != nil || root != "" {
		t.Errorf("Frozen = %q, %v", root, err)
	}
}

// TestFetchEndsAnInterruptedThaw leaves demands of digests in a campaign that is free: one that was wholly frozen before, and
// one that was not.
func TestFetchEndsAnInterruptedThaw(t *testing.T) {
	t.Parallel()
	for _, wholly := range []bool{true, false} {
		w := newWorld(t)
		first := w.got()
		w.server.Reprocess(w.some(first, "_cal.fits", 1)[0].URI)
		c := w.frozen(first)
		if !wholly {
			if err := c.Queue.SetMeta(t.Context(), "frozen-wanted", ""); err != nil {
				t.Fatal(err)
			}
		}
		c.BeginThaw(t)
		if h := w.fetch(c); !h.Complete {
			t.Errorf("wholly frozen %v: %d files are missing", wholly, h.Missing)
		}
		w.wantServed(c)
	}
}

// TestFreezingFetchesOtherBytesAgain freezes a campaign that took from one archive what the manifest did not record.
func TestFreezingFetchesOtherBytesAgain(t *testing.T) {
	t.Parallel()
	w, now := newWorld(t), newWorld(t)
	now.server.Reprocess("*_cal.fits")
	cited := now.copyOf(now.got())
	dir := filepath.Join(t.TempDir(), "again")
	c := w.open(dir)
	if _, err := c.PlanManifest(t.Context(), cited, false, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	w.fetch(c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = now.open(dir)
	if _, err := c.PlanManifest(t.Context(), cited, true, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	if h := now.fetch(c); !h.Complete {
		t.Errorf("%d files are missing", h.Missing)
	}
	now.wantServed(c)
	for ch, err := range c.Differences(t.Context()) {
		t.Errorf("%+v, %v", ch, err)
	}
}
