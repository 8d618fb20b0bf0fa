package campaign_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
	"jwstbulk/planner"
)

// update runs all of an update.
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
	replaced, left, err := c.FinishUpdate(w.t.Context())
	if err != nil || left != 0 {
		w.t.Fatalf("FinishUpdate: %d left, %v", left, err)
	}
	return p, replaced
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
	if _, left, err := c.FinishUpdate(t.Context()); err != nil || left < 1 {
		t.Errorf("before the fetch: %d left, %v; want the old version and its companions to stay", left, err)
	}
	if got := manifest.VersionOf(e).SHA256; w.sum(c, e.Path) != got {
		t.Error("the old version is gone before the new one is there")
	}
	if p, err := c.BeginUpdate(t.Context(), campaign.UpdateConfig{Archive: w.archive()}); err != nil || len(p.Changes) != 0 {
		t.Errorf("BeginUpdate again: %d changes, %v; want none beside what is queued", len(p.Changes), err)
	}
	w.fetch(c)
	if n, left, err := c.FinishUpdate(t.Context()); err != nil || n != 1 || left != 0 {
		t.Errorf("after the fetch: %d replaced, %d left, %v; want 1 and 0", n, left, err)
	}
	w.wantServed(c)
	if got := below(t, filepath.Join(c.Dir, ".jwstbulk/replaced")); len(got) != 1 {
		t.Errorf("among the replaced files: %v; want the user's alone", got)
	}
}

func TestParseAnnounced(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/notices.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := campaign.ParseAnnounced(f)
	if err != nil || len(a.Names) != 3 || !a.New || !a.Accepts("mast:JWST/product/jw05105012002_02201_00001_mirimage_rateints.fits") {
		t.Errorf("recorded notices: %+v, %v", a, err)
	}
	for _, bad := range []string{"", "{}", "[{}]", "[1]", "Dataset,Filename\n"} {
		if _, err := campaign.ParseAnnounced(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseAnnounced(%q) takes it", bad)
		}
	}
}
