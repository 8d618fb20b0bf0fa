package campaign_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
)

// TestOpenRemovesWhatAKillLeft leaves the temporary file of each record that is replaced as a whole.
func TestOpenRemovesWhatAKillLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	if err := w.open(dir).Close(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, name := range []string{"manifest.jsonl", "SHA256SUMS", "provenance.jsonl", ".jwstbulk/update.jsonl", ".jwstbulk/origin.jsonl", ".jwstbulk/frozen"} {
		left = append(left, filepath.Join(dir, name+".0123abcd.tmp"))
		if err := os.WriteFile(left[len(left)-1], []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open(dir)
	for _, name := range left {
		if _, err := os.Lstat(name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

// loseQueue closes a campaign, loses its queue and opens it again.
func (w *world) loseQueue(c *campaign.Campaign) *campaign.Campaign {
	w.t.Helper()
	if err := c.Close(); err != nil {
		w.t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(filepath.Join(c.Dir, ".jwstbulk/queue.db"+suffix)); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.open(c.Dir)
}

// TestManifestOfALostQueueIsNotComplete loses the queue of a campaign with a file to come: what remains is what the journal
// knows, and that is not all that was asked for. Planning again makes it whole.
func TestManifestOfALostQueueIsNotComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.got()
	whole := w.read(c, manifest.Name)
	w.spoil(c, w.some(c, "_cal.fits", 1)[0])
	if _, err := c.Requeue(t.Context(), w.archive(), w.wrong(c)); err != nil {
		t.Fatal(err)
	}
	c = w.loseQueue(c)
	if h, err := c.WriteManifest(t.Context()); err != nil || h.Complete || h.Files == 0 {
		t.Errorf("%+v, %v; want a manifest that is not complete", h, err)
	}
	w.plan(c)
	if h := w.fetch(c); !h.Complete {
		t.Errorf("after planning again %d files are missing", h.Missing)
	}
	if !bytes.Equal(w.read(c, manifest.Name), whole) {
		t.Errorf("the manifest is another one:\n%s\n%s", w.read(c, manifest.Name), whole)
	}
}

// TestWriteManifestSaysOnceWhatItDid puts a directory in the way of each file it writes.
func TestWriteManifestSaysOnceWhatItDid(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]string{manifest.Name: "writing manifest", manifest.ProvenanceName: "writing provenance"} {
		c := newWorld(t).open(t.TempDir())
		if err := os.Mkdir(filepath.Join(c.Dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteManifest(t.Context()); err == nil || strings.Count(err.Error(), what) != 1 {
			t.Errorf("%s: %v; want %q once", name, err, what)
		}
	}
}
