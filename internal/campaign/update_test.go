package campaign_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// update runs all of an update; it returns what was planned and how many old versions were disposed of.
func (w *world) update(c *campaign.Campaign, cfg campaign.UpdateConfig) (campaign.UpdatePlan, int64) {
	w.t.Helper()
	cfg.Archive = w.archive()
	p, err := c.BeginUpdate(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.AskAgain(w.t.Context(), planner.Config{}); err != nil {
		w.t.Fatal(err)
	}
	w.fetch(c)
	d := w.finish(c, cfg.KeepOld)
	if d.Waiting != 0 || d.Unkept != 0 {
		w.t.Fatalf("FinishUpdate = %+v, want nothing left", d)
	}
	return p, d.Removed + d.Kept
}

func (w *world) finish(c *campaign.Campaign, keepOld string) campaign.Disposal {
	w.t.Helper()
	d, err := c.FinishUpdate(w.t.Context(), keepOld)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// begin begins an update and fetches, as one that is killed before its end.
func (w *world) begin(c *campaign.Campaign, keepOld string) campaign.UpdatePlan {
	w.t.Helper()
	p, err := c.BeginUpdate(w.t.Context(), campaign.UpdateConfig{Archive: w.archive(), KeepOld: keepOld})
	if err != nil {
		w.t.Fatal(err)
	}
	w.fetch(c)
	return p
}

// below lists the files below a directory of a campaign.
func below(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return nil
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUpdateEqualsAFreshDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	w.server.Reprocess("*_cal.fits")
	w.server.ForgetRequests()
	p, replaced := w.update(c, campaign.UpdateConfig{})
	if len(p.Changes) == 0 || replaced < int64(len(p.Changes)) {
		t.Errorf("%d changes, %d files replaced", len(p.Changes), replaced)
	}
	if n, most := len(w.server.BodyRequests("*")), len(p.Changes)+int(p.Companions); n > most {
		t.Errorf("%d files fetched, %d changed or belong to these", n, most)
	}
	fresh := w.got()
	for _, name := range []string{manifest.Name, manifest.SumsName} {
		if diff := cmp.Diff(string(w.read(fresh, name)), string(w.read(c, name))); diff != "" {
			t.Errorf("%s is not that of a fresh download (-fresh +updated):\n%s", name, diff)
		}
	}
	w.wantServed(c)
	if left := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(left) > 0 {
		t.Errorf("old versions left behind: %v", left)
	}
	if p, _ := w.update(c, campaign.UpdateConfig{}); len(p.Changes) != 0 {
		t.Errorf("a second update finds %d changes", len(p.Changes))
	}
}

func TestUpdateKeepsOldVersionsWhereAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	files := w.some(c, "_cal.fits", 2)
	old := w.read(c, files[0].Path)
	for _, e := range files {
		w.server.Reprocess(e.URI)
	}
	keep := filepath.Join(t.TempDir(), "old", "versions")
	announced, err := campaign.ParseAnnounced(strings.NewReader(`[{"filename":"` + filepath.Base(files[0].Path) + `","event_type":"Reprocessed"}]`))
	if err != nil || announced.New {
		t.Fatalf("ParseAnnounced = %+v, %v", announced, err)
	}
	if _, n := w.update(c, campaign.UpdateConfig{KeepOld: keep, Only: announced.Accepts}); n != 1 {
		t.Errorf("%d files replaced, want the one that was announced", n)
	}
	if diff := cmp.Diff([]string{files[0].Path}, below(t, keep)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if got, err := os.ReadFile(filepath.Join(keep, files[0].Path)); err != nil || !bytes.Equal(got, old) {
		t.Errorf("what was kept is not the old version: %v", err)
	}
}

// TestUpdateGoesOnAfterAStop ends an update after each of its steps and lets another finish it. A file of the user's among
// the replaced ones is left alone.
func TestUpdateGoesOnAfterAStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	e := w.some(c, "_cal.fits", 1)[0]
	w.server.Reprocess(e.URI)
	users := filepath.Join(c.Dir, ".jwstbulk/replaced", e.Path)
	if err := os.MkdirAll(filepath.Dir(users), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(users, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.BeginUpdate(t.Context(), campaign.UpdateConfig{Archive: w.archive()}); err != nil {
		t.Fatal(err)
	}
	if d := w.finish(c, ""); d.Waiting < 1 || d.Removed != 0 {
		t.Errorf("before the fetch: %+v; want the old version and its companions to stay", d)
	}
	if got := manifest.VersionOf(e).SHA256; w.sum(c, e.Path) != got {
		t.Error("the old version is gone before the new one is there")
	}
	if p, err := c.BeginUpdate(t.Context(), campaign.UpdateConfig{Archive: w.archive()}); err != nil || len(p.Changes) != 0 {
		t.Errorf("BeginUpdate again: %d changes, %v; want none beside what is queued", len(p.Changes), err)
	}
	w.fetch(c)
	if d := w.finish(c, ""); d != (campaign.Disposal{Removed: 1}) {
		t.Errorf("after the fetch: %+v; want one removed", d)
	}
	w.wantServed(c)
	if got := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(got) != 1 {
		t.Errorf("among the replaced files: %v; want the user's alone", got)
	}
}

// TestUpdateAfterASecondReprocessing kills an update before its end; then the archive has yet another version.
func TestUpdateAfterASecondReprocessing(t *testing.T) {
	t.Parallel()
	for _, keep := range []string{"", filepath.Join(t.TempDir(), "old")} {
		w := newWorld(t)
		c := w.got()
		e := w.some(c, "_cal.fits", 1)[0]
		var olds []string
		for range 2 {
			olds = append(olds, w.sum(c, e.Path))
			w.server.Reprocess(e.URI)
			w.begin(c, keep)
		}
		w.wantServed(c)
		d := w.finish(c, keep)
		if d.Removed+d.Kept != 2 || d.Waiting+d.Unkept+d.Changed != 0 {
			t.Errorf("FinishUpdate = %+v, want two versions disposed of", d)
		}
		if left := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if keep == "" {
			continue
		}
		if diff := cmp.Diff([]string{e.Path, e.Path + "." + olds[1][:12]}, below(t, keep)); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	}
}

// TestKeepingIsRepeated ends FinishUpdate where the old version is kept and still among the replaced files.
func TestKeepingIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	e := w.some(c, "_cal.fits", 1)[0]
	w.server.Reprocess(e.URI)
	keep := filepath.Join(t.TempDir(), "old")
	w.begin(c, keep)
	if err := os.MkdirAll(filepath.Join(keep, filepath.Dir(e.Path)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(c.Dir, ".jwstbulk/replaced", e.Path), filepath.Join(keep, e.Path)); err != nil {
		t.Fatal(err)
	}
	if d := w.finish(c, keep); d != (campaign.Disposal{Kept: 1}) {
		t.Errorf("FinishUpdate = %+v, want one kept", d)
	}
	if diff := cmp.Diff([]string{e.Path}, below(t, keep)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if left := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKeepingOnAnotherFileSystem keeps old versions in memory, where there is such a file system.
func TestKeepingOnAnotherFileSystem(t *testing.T) {
	t.Parallel()
	keep, err := os.MkdirTemp("/dev/shm", "jwstbulk-test-")
	if err != nil {
		keep = t.TempDir() // the same one, then: nothing to copy, but the same result
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(keep); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t)
	c := w.got()
	e := w.some(c, "_cal.fits", 1)[0]
	old := w.read(c, e.Path)
	w.server.Reprocess(e.URI)
	w.begin(c, keep)
	if err := os.MkdirAll(filepath.Join(keep, filepath.Dir(e.Path)), 0o700); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(keep, e.Path+".0123abcd.tmp") // as a kill leaves it
	if err := os.WriteFile(half, old[:len(old)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	copied := errors.Is(os.Link(half, filepath.Join(c.Dir, "probe")), syscall.EXDEV)
	w.finish(c, keep)
	if got, err := os.ReadFile(filepath.Join(keep, e.Path)); err != nil || !bytes.Equal(got, old) {
		t.Errorf("what was kept is not the old version: %v", err)
	}
	if _, err := os.Lstat(half); !os.IsNotExist(err) && copied {
		t.Errorf("half of a copy is still there: %v", err)
	}
	if left := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKeptVersionsWaitForADirectory goes on, without --keep-old, with an update that was to keep.
func TestKeptVersionsWaitForADirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	e := w.some(c, "_cal.fits", 1)[0]
	w.server.Reprocess(e.URI)
	w.begin(c, filepath.Join(t.TempDir(), "first"))
	w.begin(c, "")
	if d := w.finish(c, ""); d != (campaign.Disposal{Unkept: 1}) {
		t.Errorf("without a directory: %+v, want it to stay", d)
	}
	other := filepath.Join(t.TempDir(), "other")
	if d := w.finish(c, other); d != (campaign.Disposal{Kept: 1}) || len(below(t, other)) != 1 {
		t.Errorf("with another directory: %+v, want it there", d)
	}
	if d := w.finish(c, other); d != (campaign.Disposal{}) {
		t.Errorf("once more: %+v, want nothing to do", d)
	}
}

// TestUpdateTellsOfWhatUsersChanged leaves a file alone that is neither the old version nor the new one.
func TestUpdateTellsOfWhatUsersChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	e := w.some(c, "_cal.fits", 1)[0]
	w.spoil(c, e)
	mine := w.sum(c, e.Path)
	w.server.Reprocess(e.URI)
	w.begin(c, "")
	if d := w.finish(c, ""); d != (campaign.Disposal{Changed: 1}) {
		t.Errorf("FinishUpdate = %+v, want one changed", d)
	}
	if got := w.sum(c, filepath.Join(".jwstbulk/replaced", e.Path)); got != mine {
		t.Error("what the user made of the file is gone")
	}
	w.wantServed(c)
}

// TestReprocessedFilesAreRequeuedLast: a kill between the two must leave what brings the companions up.
func TestReprocessedFilesAreRequeuedLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	changed := map[string]bool{}
	for _, uri := range w.server.Reprocess("*_cal.fits") {
		changed[uri] = true
	}
	p, err := c.BeginUpdate(t.Context(), campaign.UpdateConfig{Archive: w.archive()})
	if err != nil || p.Companions == 0 {
		t.Fatalf("BeginUpdate = %+v, %v; want companions", p, err)
	}
	var last, first int64 // events of companions, of reprocessed files
	for f, err := range c.Queue.Files(t.Context(), queue.Filter{States: []queue.State{queue.Pending}}) {
		if err != nil {
			t.Fatal(err)
		}
		events, err := c.Queue.Events(t.Context(), f.ID)
		if err != nil || len(events) != 1 {
			t.Fatalf("events of %s: %v, %v", f.URI, events, err)
		}
		if id := events[0].ID; !changed[f.URI] {
			last = max(last, id)
		} else if first == 0 || id < first {
			first = id
		}
	}
	if first == 0 || last == 0 || first < last {
		t.Errorf("the first reprocessed file was requeued by event %d, the last companion by %d", first, last)
	}
}

func TestFinishUpdateOfWhatTheQueueForgot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	name := filepath.Join(c.Dir, ".jwstbulk/update.jsonl")
	line := `{"uri":"mast:JWST/product/jw99999001001_02101_00001_nrca1_cal.fits","path":"JWST/x/y.fits","sha256":"` + strings.Repeat("0", 64) + `"}`
	if err := os.WriteFile(name, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := w.finish(c, ""); d != (campaign.Disposal{Waiting: 1}) {
		t.Errorf("FinishUpdate = %+v, want it to wait", d)
	}
	for _, bad := range []string{`{"path":"../x"}`, `{"path":"a","keep":"/somewhere"}`, "x"} {
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.FinishUpdate(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "update.jsonl") {
			t.Errorf("FinishUpdate with %s: %v, want an error that names the file", bad, err)
		}
	}
}

func TestAskAgainKeepsTheLayout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(filepath.Join(t.TempDir(), "campaign"))
	spec, err := query.Query{Programs: []string{"10001"}}.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Queue.AddQuery(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.UseLayout(t.Context(), "flat"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.AskAgain(t.Context(), planner.Config{}); err != nil || n == 0 {
		t.Fatalf("AskAgain = %d, %v", n, err)
	}
	for f, err := range c.Queue.Files(t.Context(), queue.Filter{}) {
		if err != nil || strings.Contains(f.Path, "/") {
			t.Errorf("%s (%v), want no folder", f.Path, err)
		}
	}
}

func TestInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base := filepath.Join(dir, "campaign")
	if err := os.MkdirAll(filepath.Join(base, "JWST"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(base, "JWST"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"campaign": true, "campaign/JWST": true, "campaign/new/deep": true, "link": true, "link/new": true,
		"": false, "campaigns": false, "old/deep": false} {
		if got, err := campaign.Inside(filepath.Join(dir, name), base); err != nil || got != want {
			t.Errorf("Inside(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	if got, err := campaign.Inside(dir, filepath.Join(dir, "none")); err != nil || got {
		t.Errorf("Inside of nothing = %v, %v", got, err)
	}
}
