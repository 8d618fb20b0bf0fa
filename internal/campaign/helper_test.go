package campaign_test

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// world is a simulated archive of a few small files.
type world struct {
	t      *testing.T
	server *masttest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t, masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 2, Rows: 12, Scale: 10000})})}
}

func (w *world) archive() mast.Config {
	return mast.Config{BaseURL: w.server.URL, UserAgent: "test"}
}

// open opens a campaign in dir, made if it is not there, until the test ends or close is called.
func (w *world) open(dir string) *campaign.Campaign {
	w.t.Helper()
	c, err := campaign.Open(w.t.Context(), campaign.Config{Dir: dir, Create: true, Command: "test", Archive: w.archive()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return c
}

// plan plans all files of the archive's only programme.
func (w *world) plan(c *campaign.Campaign) {
	w.t.Helper()
	p, err := planner.New(planner.Config{Queue: c.Queue, Archive: c.Client})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := p.Plan(w.t.Context(), query.Query{Programs: []string{"10001"}}); err != nil {
		w.t.Fatal(err)
	}
}

// fetch works the queue and writes the manifest.
func (w *world) fetch(c *campaign.Campaign) manifest.Header {
	w.t.Helper()
	ctx := w.t.Context()
	id, err := c.Queue.StartRun(ctx, queue.RunInfo{Command: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Fetch(ctx, fetcher.Config{RunID: id, Rate: -1, Linger: time.Second}); err != nil {
		w.t.Fatal(err)
	}
	h, err := c.WriteManifest(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// got is a finished campaign with all files.
func (w *world) got() *campaign.Campaign {
	w.t.Helper()
	c := w.open(filepath.Join(w.t.TempDir(), "campaign"))
	w.plan(c)
	if h := w.fetch(c); !h.Complete || h.Files < 5 {
		w.t.Fatalf("%d files fetched, %d missing", h.Files, h.Missing)
	}
	return c
}

// entries reads the manifest of a campaign.
func (w *world) entries(c *campaign.Campaign) []manifest.Entry {
	w.t.Helper()
	var all []manifest.Entry
	for e, err := range campaign.FileEntries(filepath.Join(c.Dir, manifest.Name)) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// survey collects what changed in the archive since the manifest of c.
func (w *world) survey(c *campaign.Campaign) map[string]manifest.Change {
	w.t.Helper()
	name := filepath.Join(c.Dir, manifest.Name)
	s, err := campaign.NewSurvey(w.t.Context(), w.archive(), func() iter.Seq2[manifest.Entry, error] { return campaign.FileEntries(name) })
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	found := map[string]manifest.Change{}
	for c, err := range s.Changes(w.t.Context(), campaign.FileEntries(name)) {
		if err != nil {
			w.t.Fatal(err)
		}
		found[c.URI] = c
	}
	return found
}

// wantServed holds every file of the campaign's manifest against what the archive serves now.
func (w *world) wantServed(c *campaign.Campaign) {
	w.t.Helper()
	for _, e := range w.entries(c) {
		b := w.read(c, e.Path)
		if sha256.Sum256(b) != e.SHA256 {
			w.t.Errorf("%s: its bytes are not those of the manifest", e.Path)
		}
		if got := w.server.SHA256(e.URI); got != manifest.VersionOf(e).SHA256 {
			w.t.Errorf("%s is not what the archive serves", e.Path)
		}
	}
}

func (w *world) read(c *campaign.Campaign, path string) []byte {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.Dir, path))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// surveyOf makes a survey of some entries and closes it.
func surveyOf(t *testing.T, w *world, entries ...manifest.Entry) (int64, error) {
	t.Helper()
	s, err := campaign.NewSurvey(t.Context(), w.archive(), func() iter.Seq2[manifest.Entry, error] {
		return func(yield func(manifest.Entry, error) bool) {
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return s.Requests, s.Close()
}

// fetchError works the queue and returns what Fetch returns.
func (w *world) fetchError(c *campaign.Campaign) error {
	w.t.Helper()
	id, err := c.Queue.StartRun(w.t.Context(), queue.RunInfo{Command: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = c.Fetch(w.t.Context(), fetcher.Config{RunID: id, Rate: -1, Linger: time.Second})
	return err
}

func (w *world) sum(c *campaign.Campaign, path string) string {
	w.t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256(w.read(c, path)))
}
