package campaign_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/filelist"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// encode writes a manifest of some entries.
func (w *world) encode(name string, entries ...manifest.Entry) {
	w.t.Helper()
	seq := func(yield func(manifest.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	h := manifest.Header{Complete: true}
	var err error
	var text bytes.Buffer
	if h.Files, h.Bytes, h.Root, err = manifest.Sum(seq); err == nil {
		err = manifest.Encode(&text, h, seq)
	}
	if err == nil {
		err = os.WriteFile(name, text.Bytes(), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// copyOf is the campaign's manifest in a file outside of it.
func (w *world) copyOf(c *campaign.Campaign) string {
	w.t.Helper()
	name := filepath.Join(w.t.TempDir(), "cited.jsonl")
	if err := os.WriteFile(name, w.read(c, manifest.Name), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return name
}

func TestFrozenGivesTheSameBytesAndTheManifestItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	cited := w.copyOf(first)
	dir := filepath.Join(t.TempDir(), "again")
	c := w.open(dir)
	if _, err := c.PlanManifest(t.Context(), cited, true, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	h := w.fetch(c)
	for _, name := range []string{manifest.Name, manifest.SumsName} {
		if got, want := w.read(c, name), w.read(first, name); !bytes.Equal(got, want) {
			t.Errorf("%s differs:\n%s\n%s", name, got, want)
		}
	}
	for _, e := range w.entries(c) {
		if !bytes.Equal(w.read(c, e.Path), w.read(first, e.Path)) {
			t.Errorf("%s differs", e.Path)
		}
	}
	if err := campaign.CheckOrigin(dir, h.Root); err != nil {
		t.Errorf("the same directory is refused: %v", err)
	}
	var other *campaign.OriginError
	if err := campaign.CheckOrigin(dir, strings.Repeat("0", 64)); !errors.As(err, &other) || other.Has != h.Root {
		t.Errorf("another root: %v, want an OriginError", err)
	}
	if err := campaign.CheckOrigin(first.Dir, h.Root); !errors.As(err, &other) {
		t.Errorf("a campaign begun from a query: %v, want an OriginError", err)
	}
}

func TestFrozenRefusesOtherBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	cited := w.copyOf(first)
	gone := w.some(first, "_cal.fits", 1)[0]
	w.server.Reprocess(gone.URI)
	c := w.open(filepath.Join(t.TempDir(), "again"))
	if _, err := c.PlanManifest(t.Context(), cited, true, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	if h := w.fetch(c); h.Complete || h.Missing != 1 {
		t.Errorf("%d files missing, want the one that was reprocessed", h.Missing)
	}
	if _, err := os.Lstat(filepath.Join(c.Dir, gone.Path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("other bytes stand at the final name: %v", err)
	}
	n := 0
	for ch, err := range c.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if ch.URI != gone.URI || ch.Kind != manifest.KindReprocessed || ch.New == nil {
			t.Errorf("difference %+v", ch)
		}
	}
	if n != 1 {
		t.Errorf("%d differences, want 1", n)
	}
	found := w.survey(first)
	held := 0
	for _, err := range campaign.Held(t.Context(), campaign.Config{Dir: first.Dir}, func(yield func(manifest.Change, error) bool) {
		for _, ch := range found {
			if !yield(ch, nil) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		held++
	}
	if len(found) != 1 || held != 0 {
		t.Errorf("%d changes, %d of files that are not held; want 1 and 0", len(found), held)
	}
}

func TestThawedTakesTheNewVersionAndRecordsBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	cited := w.copyOf(first)
	e := w.some(first, "_cal.fits", 1)[0]
	w.server.Reprocess(e.URI)
	c := w.open(filepath.Join(t.TempDir(), "again"))
	if _, err := c.PlanManifest(t.Context(), cited, false, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	w.fetch(c)
	w.wantServed(c)
	for ch, err := range c.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.RecordVersion(t.Context(), ch); err != nil {
				t.Fatal(err)
			}
		}
	}
	for f, err := range c.Queue.Files(t.Context(), queue.Filter{URI: e.URI}) {
		if err != nil {
			t.Fatal(err)
		}
		events, err := c.Queue.Events(t.Context(), f.ID)
		if err != nil || len(events) != 1 || !strings.Contains(events[0].Detail, manifest.VersionOf(e).SHA256) {
			t.Errorf("events of the reprocessed file: %v, %v; want one with both digests", events, err)
		}
	}
}

func TestPlanManifestRefusesRenamedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	text := strings.ReplaceAll(string(w.read(c, manifest.Name)), `_cal.fits","size"`, `_renamed.fits","size"`)
	name := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := w.open(filepath.Join(t.TempDir(), "again"))
	var list *filelist.Error
	if _, err := d.PlanManifest(t.Context(), name, true, planner.Config{}); !errors.As(err, &list) || list.Line < 2 {
		t.Errorf("PlanManifest: %v, want a *filelist.Error with a line", err)
	}
}

// TestManifestIsNotGivenBackWhileWorkIsLeft adds to a campaign that holds all its manifest records.
func TestManifestIsNotGivenBackWhileWorkIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.got()
	part := filepath.Join(t.TempDir(), "part.jsonl")
	w.encode(part, w.some(first, "_cal.fits", 2)...)
	c := w.open(filepath.Join(t.TempDir(), "again"))
	if _, err := c.PlanManifest(t.Context(), part, false, planner.Config{}); err != nil {
		t.Fatal(err)
	}
	if h := w.fetch(c); !h.Complete || h.Files != 2 {
		t.Fatalf("%d files, complete: %v", h.Files, h.Complete)
	}
	w.plan(c)
	if h, err := c.WriteManifest(t.Context()); err != nil || h.Complete || h.Missing == 0 {
		t.Errorf("with files to come: %+v, %v; want a manifest that says so", h, err)
	}
}
