package queue_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"jwstbulk/queue"
)

func TestNoCampaign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := queue.Open(t.Context(), queue.Config{Dir: dir}); !errors.Is(err, queue.ErrNoCampaign) {
		t.Errorf("Open = %v, want ErrNoCampaign", err)
	}
	if _, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir}); !errors.Is(err, queue.ErrNoCampaign) {
		t.Errorf("OpenReader = %v, want ErrNoCampaign", err)
	}
	if _, err := queue.Open(t.Context(), queue.Config{}); err == nil {
		t.Error("Open without a directory succeeded")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("refused commands left %v, %v", entries, err)
	}
}

func TestSchemaTooNewAndForeign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	if err := q.Raw(t.Context(), "PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Open(t.Context(), queue.Config{Dir: dir}); !errors.Is(err, queue.ErrSchemaTooNew) {
		t.Errorf("Open = %v, want ErrSchemaTooNew", err)
	}
	if _, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir}); !errors.Is(err, queue.ErrSchemaTooNew) {
		t.Errorf("OpenReader = %v, want ErrSchemaTooNew", err)
	}
	dir = t.TempDir()
	q = openAt(t, dir, nil)
	if err := q.Raw(t.Context(), "PRAGMA application_id=1"); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Open(t.Context(), queue.Config{Dir: dir}); err == nil || errors.Is(err, queue.ErrDamaged) {
		t.Errorf("Open of a foreign database = %v, want an error of its own", err)
	}
}

// TestMigrateSaved opens databases that earlier versions wrote, one for each schema (testdata/PROVENANCE.md).
func TestMigrateSaved(t *testing.T) {
	t.Parallel()
	saved, err := filepath.Glob("testdata/schema-*.db.gz")
	if err != nil || len(saved) == 0 {
		t.Fatalf("no saved databases: %v", err)
	}
	for _, name := range saved {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			unpack(t, name, statePath(dir, "queue.db"))
			q := openAt(t, dir, nil)
			want, err := os.ReadFile(strings.TrimSuffix(name, ".db.gz") + ".dump")
			if err != nil {
				t.Fatal(err)
			}
			if got := dump(t, q.Reader); got != string(want) {
				t.Errorf("migrated queue:\n%s\nwant:\n%s", got, want)
			}
			for f, err := range q.Files(t.Context(), queue.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				if same := files(t, q.Files(t.Context(), queue.Filter{Path: f.Path})); f.Path != "" && (len(same) != 1 || same[0].ID != f.ID) {
					t.Errorf("files at %s: %+v", f.Path, same)
				}
			}
			if err := fetch(t.Context(), q, claim(t, q, startRun(t, q), 1)[0]); err != nil {
				t.Errorf("working a migrated queue: %v", err)
			}
		})
	}
}

// TestReadSaved: a report brings an older database up to date, unless another process has the campaign.
func TestReadSaved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, "testdata/schema-1.db.gz", statePath(dir, "queue.db"))
	cfg := queue.Config{Dir: dir}
	other, err := queue.Open(t.Context(), queue.Config{Dir: dir, Path: filepath.Join(t.TempDir(), "other.db"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	var locked *queue.LockedError
	if _, err := queue.OpenReader(t.Context(), cfg); !errors.As(err, &locked) {
		t.Errorf("OpenReader of an old queue that is held = %v, want a *LockedError", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := queue.OpenReader(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Counts(t.Context()); err != nil || n.Total().Files != 12 {
			t.Errorf("Counts = %+v, %v, want 12 files", n, err)
		}
		if rounds, err := r.Rounds(t.Context()); err != nil || len(rounds) != 0 {
			t.Errorf("Rounds = %v, %v, want none", rounds, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func unpack(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	db, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, db, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestExclusive works a queue as on a network file system: one connection, no write-ahead log.
func TestExclusive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var said []string
	cfg := queue.Config{Dir: dir, Create: true, Warn: func(s string) { said = append(said, s) }}
	q, err := queue.OpenExclusive(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if len(said) != 1 || !strings.Contains(said[0], "network file system") {
		t.Errorf("said %q, want one warning", said)
	}
	plan(t, q, 50)
	run := startRun(t, q)
	// Writing between two elements of a list must not deadlock on the one connection.
	for f, err := range q.Files(t.Context(), queue.Filter{ObsIDs: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Event(t.Context(), f.ID, "seen", ""); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for _, j := range claim(t, q, run, 50) {
		wg.Go(func() {
			if err := fetch(t.Context(), q, j); err != nil {
				t.Error(err)
			}
			if _, err := q.Counts(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"queue.db-wal", "queue.db-shm"} {
		if _, err := os.Stat(statePath(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	var locked *queue.LockedError
	if _, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir}); !errors.As(err, &locked) || locked.Owner.PID != os.Getpid() {
		t.Errorf("OpenReader beside an exclusive owner = %v, want a LockedError naming it", err)
	}
	want := dump(t, q.Reader)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if got := dumpDir(t, dir); got != want {
		t.Errorf("read after closing:\n%s\nwant:\n%s", got, want)
	}
	// The same database under a local file system's mode, and back.
	if got := dump(t, openAt(t, dir, nil).Reader); got != want {
		t.Errorf("opened in the other mode:\n%s\nwant:\n%s", got, want)
	}
}

func TestReaderOnReadOnlyMedium(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Log("as root nothing is read-only: the directory's mode does not bind")
	}
	dir := t.TempDir()
	q := campaign(t, dir, 10, 5)
	want := dump(t, q.Reader)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{statePath(dir, "queue.db"): 0o444, filepath.Join(dir, ".jwstbulk"): 0o555} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, ".jwstbulk"), 0o755) })
	got := dumpDir(t, dir)
	// Close has returned what was running nowhere; the next Open does that, so a reader still sees it running.
	if got != want {
		t.Errorf("read-only:\n%s\nwant:\n%s", got, want)
	}
}

func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	plan(t, q, 400)
	run := startRun(t, q)
	r, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var wg sync.WaitGroup
	for _, j := range claim(t, q, run, 400) {
		wg.Go(func() {
			if err := fetch(t.Context(), q, j); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		n, err := r.Counts(t.Context())
		if err != nil || n.Total().Files != 400 {
			t.Errorf("Counts beside writers = %+v, %v, want 400 files in all", n, err)
		}
		last := ""
		for f, err := range r.Done(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if f.URI <= last {
				t.Errorf("Done yields %s after %s", f.URI, last)
			}
			last = f.URI
		}
	}
	wg.Wait()
}

// TestOrderOfNestedStems lists URIs whose directories contain each other, which no single index yields in order.
func TestOrderOfNestedStems(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	c := take(t, q)
	uris := []string{"a", "a/b", "a/b/c", "a/b!", "a/z", "a/b/", "a/ba/x", "b", "mast:JWST/product/q", "mast:JWST/product.x/a", "mast:JWST/q"}
	err := q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(len(uris), func(i int) queue.NewFile {
		return queue.NewFile{URI: uris[i], Size: -1}
	})})
	if err != nil {
		t.Fatal(err)
	}
	last, n := "", 0
	for _, f := range files(t, q.Files(t.Context(), queue.Filter{})) {
		if f.URI <= last {
			t.Errorf("Files yields %q after %q", f.URI, last)
		}
		last = f.URI
		n++
	}
	if n != len(uris) {
		t.Errorf("Files yields %d files, want %d", n, len(uris))
	}
	for _, uri := range uris[:5] {
		if got := files(t, q.Files(t.Context(), queue.Filter{URI: uri})); len(got) != 1 || got[0].URI != uri {
			t.Errorf("Files(%q) = %+v", uri, got)
		}
	}
	if got := files(t, q.Files(t.Context(), queue.Filter{URI: "mast:*", States: []queue.State{queue.Planned}})); len(got) != 3 {
		t.Errorf("Files by pattern = %d, want 3", len(got))
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	q := campaign(t, t.TempDir(), 4, 2)
	for _, tc := range []struct{ sql, want string }{
		{`SELECT count(*), sum(size_bytes) FROM v_files`, "4|4006|\n"},
		{`SELECT uri, path, state, proof, etag, header_date, release_at, suffix FROM v_files ORDER BY id LIMIT 1`,
			"mast:JWST/product/jw01000000001_02101_00000_nrca1_rate.fits|JWST/jw01000000001_02101_nrca1/jw01000000001_02101_00000_nrca1_rate.fits|" +
				"done|structure|\"a44a1e53713ab9e9d8595fa6eb6e9c29\"|2025-06-01T01:02:03.456|2023-01-01T00:00:00.000Z|rate|\n"},
		{`SELECT count(*) FROM v_failures`, "0|\n"},
		{`SELECT run_id, minute, files, bytes FROM v_throughput`, "1|2026-03-01T12:00Z|2|2001|\n"},
	} {
		if got, err := q.Text(t.Context(), tc.sql); err != nil || got != tc.want {
			t.Errorf("%s = %q, %v, want %q", tc.sql, got, err, tc.want)
		}
	}
}

// TestTalliesAgree compares the counts that triggers keep with the rows.
func TestTalliesAgree(t *testing.T) {
	t.Parallel()
	q := campaign(t, t.TempDir(), 50, 20)
	run := startRun(t, q)
	talliesAgree(t, q)
	for i, j := range claim(t, q, run, 9) {
		o := queue.Outcome{Reason: []queue.Reason{queue.ReasonHTTP, queue.ReasonMissing}[i%2]}
		if err := q.Fail(t.Context(), j, o); err != nil {
			t.Fatal(err)
		}
	}
	talliesAgree(t, q)
}

func talliesAgree(t *testing.T, q *queue.Queue) {
	t.Helper()
	want, err := q.Text(t.Context(), `SELECT state, ifnull(reason,''), count(*), sum(size_bytes) FROM file GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.Text(t.Context(), `SELECT state, reason, files, bytes FROM tally WHERE files > 0 ORDER BY 1, 2`)
	if err != nil || got != want {
		t.Errorf("tally:\n%s%v\nwant:\n%s", got, err, want)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	if _, err := queue.ReadStatus(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadStatus before any = %v, want not exist", err)
	}
	if err := q.WriteStatus(queue.Status{Phase: "fetching", Run: 7, Extra: []byte(`{"x":1}`)}); err != nil {
		t.Fatal(err)
	}
	s, err := queue.ReadStatus(dir)
	if err != nil || s.Phase != "fetching" || s.Version != 1 || s.Owner != q.Owner() || s.Ended || s.Written.IsZero() {
		t.Errorf("ReadStatus = %+v, %v", s, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = queue.ReadStatus(dir); err != nil || !s.Ended || s.Run != 7 || string(s.Extra) != `{"x":1}` {
		t.Errorf("ReadStatus after Close = %+v, %v", s, err)
	}
	if _, err := q.Claim(t.Context(), 1, 1, ""); err == nil {
		t.Error("Claim after Close succeeded")
	}
	if _, err := q.Counts(t.Context()); err == nil {
		t.Error("Counts after Close succeeded")
	}
	if err := q.Close(); err != nil {
		t.Errorf("Close twice = %v", err)
	}
}
