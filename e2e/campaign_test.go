//go:build e2e

package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // reads copies of the queue
)

// campaign is a directory that jwstbulk downloads into.
type campaign struct {
	dir string
	url string // of the archive
	env []string
	// wrap is a command that runs the command given to it, empty for none: another user, another namespace, tighter limits.
	wrap []string
}

func newCampaign(t *testing.T, s *sim) *campaign {
	t.Helper()
	return &campaign{dir: filepath.Join(t.TempDir(), "campaign"), url: s.url}
}

// start runs a subcommand in the campaign.
func (c *campaign) start(t *testing.T, args ...string) *proc {
	t.Helper()
	line := slices.Concat(c.wrap, []string{binary("jwstbulk"), args[0], "-d", c.dir}, args[1:])
	return launch(t, filepath.Dir(c.dir), append([]string{"JWSTBULK_ARCHIVE=" + c.url}, c.env...), nil, line[0], line[1:]...)
}

// run runs a subcommand to its end.
func (c *campaign) run(t *testing.T, args ...string) result {
	t.Helper()
	return c.start(t, args...).wait(t, 5*time.Minute)
}

// fast are the flags that take the politeness off, for an archive that is ours.
var fast = []string{"-j", "8", "--rate", "0"}

// entry is one file of the manifest.
type entry struct {
	URI    string `json:"uri"`
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Proof  string `json:"proof"`
}

// manifest returns the entries of the campaign's manifest, in its order.
func (c *campaign) manifest(t *testing.T) []entry {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("\n")) // the first line is about the whole
	var all []entry
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("manifest.jsonl: %v in %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// journal returns the URIs of the finished files that the journal tells of.
func (c *campaign) journal(t *testing.T) []entry {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, ".jwstbulk", "done.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break // cut by the kill
			}
			t.Fatalf("done.jsonl: %v in %s", err, line)
		}
		if e.URI != "" {
			all = append(all, e)
		}
	}
	return all
}

// query runs a query on a copy of the queue as it stands on disk, so that looking changes nothing.
func (c *campaign) query(t *testing.T, query string) [][]any {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"queue.db", "queue.db-wal", "queue.db-journal"} {
		err := copyFile(filepath.Join(dir, name), filepath.Join(c.dir, ".jwstbulk", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range row {
			ptrs[i] = &row[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func copyFile(dst, src string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(dst)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// parts returns the lengths of the files under way, by the first 32 hex digits of the SHA-256 of their URI.
func (c *campaign) parts(t *testing.T) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for _, path := range c.files(t, ".jwstbulk/part") {
		info, err := os.Stat(filepath.Join(c.dir, path))
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(filepath.Base(path), ".")
		all[key] = max(all[key], info.Size())
	}
	return all
}

// partKey is how the name of a part begins.
func partKey(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return hex.EncodeToString(sum[:])[:32]
}

// files returns the paths of all regular and other non-directory entries below sub, relative to the campaign, sorted.
func (c *campaign) files(t *testing.T, sub string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(c.dir, sub), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == filepath.Join(c.dir, sub) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(c.dir, path)
		all = append(all, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// size is the length of all files below sub together; what goes away meanwhile does not count.
func (c *campaign) size(t *testing.T, sub string) int64 {
	t.Helper()
	var n int64
	err := filepath.WalkDir(filepath.Join(c.dir, sub), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, e := d.Info(); e == nil {
				n += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// digest hashes a file of the campaign.
func (c *campaign) digest(t *testing.T, path string) truth {
	t.Helper()
	f, err := os.Open(filepath.Join(c.dir, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		t.Fatal(err)
	}
	return truth{hex.EncodeToString(h.Sum(nil)), n}
}

// checkComplete holds a finished campaign against the truth: as checkFinished, and beside the files there is nothing but
// the campaign's own records.
func (c *campaign) checkComplete(t *testing.T, want map[string]truth) {
	t.Helper()
	c.checkStrays(t, c.checkFinished(t, want))
}

// checkFinished holds the finished files against the truth: the manifest names exactly these, and each is right on disk.
// It returns their paths.
func (c *campaign) checkFinished(t *testing.T, want map[string]truth) map[string]bool {
	t.Helper()
	entries := c.manifest(t)
	if len(entries) != len(want) {
		t.Errorf("the manifest has %d files, want %d", len(entries), len(want))
	}
	known := map[string]bool{}
	for _, e := range entries {
		known[e.Path] = true
		w, ok := want[e.URI]
		switch {
		case !ok:
			t.Errorf("%s is in the manifest but not in the archive", e.URI)
		case e.SHA256 != w.sha256 || e.Size != w.size:
			t.Errorf("manifest of %s: %s, %d bytes; the archive has %s, %d bytes", e.URI, e.SHA256, e.Size, w.sha256, w.size)
		default:
			if got := c.digest(t, e.Path); got != w {
				t.Errorf("%s: on disk %s, %d bytes; the archive has %s, %d bytes", e.Path, got.sha256, got.size, w.sha256, w.size)
			}
		}
	}
	return known
}

// records are the files of a campaign that stay between runs.
var records = []string{
	"manifest.jsonl", "SHA256SUMS", "provenance.jsonl",
	".jwstbulk/queue.db", ".jwstbulk/queue.db-wal", ".jwstbulk/queue.db-shm", ".jwstbulk/lock", ".jwstbulk/queue.db.lock",
	".jwstbulk/done.jsonl", ".jwstbulk/status.json",
}

func (c *campaign) checkStrays(t *testing.T, known map[string]bool) {
	t.Helper()
	for _, path := range c.files(t, ".") {
		if !known[path] && !slices.Contains(records, path) {
			t.Errorf("stray file %s", path)
		}
	}
	if beside, err := os.ReadDir(filepath.Dir(c.dir)); err != nil || len(beside) != 1 {
		t.Errorf("beside the campaign: %v, %v; want the campaign alone", beside, err)
	}
}
