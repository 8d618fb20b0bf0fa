package queue_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/queue"
)

// campaign plans n files, finishes the first done of them, and leaves one running.
func campaign(t *testing.T, dir string, n, done int) *queue.Queue {
	t.Helper()
	q := openAt(t, dir, newClock().now)
	plan(t, q, n)
	run := startRun(t, q)
	for _, j := range claim(t, q, run, done) {
		if err := fetch(t.Context(), q, j); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, q, run, 1)
	return q
}

// doneOnly is the part of a done file that a rebuilt queue must still know.
func doneOnly(t *testing.T, q *queue.Queue) []queue.File {
	t.Helper()
	out := files(t, q.Done(t.Context()))
	for i := range out {
		f := &out[i]
		f.ID, f.Attempt, f.QueryID, f.ObsID, f.Exact = 0, 0, 0, "", false
		f.Validator, f.ReleaseAt = queue.Validator{}, f.IngestedAt
	}
	return out
}

func TestDamageAndRebuild(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, db string){
		"F54 zeros in the middle": func(t *testing.T, db string) { overwrite(t, db, 8192, make([]byte, 65536)) },
		"F54 zeros at the start":  func(t *testing.T, db string) { overwrite(t, db, 0, make([]byte, 4096)) },
		"F54 not a database":      func(t *testing.T, db string) { overwrite(t, db, 0, bytes.Repeat([]byte("x"), 100)) },
		"F54 truncated":           func(t *testing.T, db string) { truncate(t, db, 40960) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			q := campaign(t, dir, 300, 200)
			want := doneOnly(t, q)
			if err := q.Requeue(t.Context(), files(t, q.Done(t.Context()))[0].ID, "gone"); err != nil {
				t.Fatal(err)
			}
			want = want[1:]
			stopUnclean(t, q, dir)
			damage(t, statePath(dir, "queue.db"))
			_, err := queue.Open(t.Context(), queue.Config{Dir: dir, Create: true})
			if !errors.Is(err, queue.ErrDamaged) {
				t.Fatalf("Open of a damaged queue = %v, want ErrDamaged", err)
			}
			rep, err := queue.Rebuild(t.Context(), queue.Config{Dir: dir})
			if err != nil || rep.Done != 199 || rep.Undone != 1 || rep.Skipped != 0 || len(rep.Aside) == 0 {
				t.Fatalf("Rebuild = %+v, %v", rep, err)
			}
			q = openAt(t, dir, nil)
			if d := cmp.Diff(want, doneOnly(t, q)); d != "" {
				t.Errorf("done files after Rebuild (-want +got):\n%s", d)
			}
			if got, want := states(t, q), "done 199"; got != want {
				t.Errorf("states = %q, want %q", got, want)
			}
			plan(t, q, 300)
			if got, want := states(t, q), "pending 101 done 199"; got != want {
				t.Errorf("states after planning again = %q, want %q", got, want)
			}
		})
	}
}

// TestDamageFoundByAReport damages a queue that was closed cleanly, so that Open does not look for damage: the report that
// meets it says so, and the next Open looks.
func TestDamageFoundByAReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := campaign(t, dir, 3000, 10)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	db := statePath(dir, "queue.db")
	info, err := os.Stat(db)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, db, info.Size()/8192*4096, bytes.Repeat([]byte{0xff}, 64<<10)) // pages of the files
	q = openAt(t, dir, nil)
	for _, err = range q.Files(t.Context(), queue.Filter{}) {
		if err != nil {
			break
		}
	}
	if !errors.Is(err, queue.ErrDamaged) {
		t.Fatalf("listing the files of a damaged queue ends with %v, want ErrDamaged", err)
	}
	if err := q.Close(); err != nil && !errors.Is(err, queue.ErrDamaged) {
		t.Fatal(err)
	}
	if _, err := queue.Open(t.Context(), queue.Config{Dir: dir}); !errors.Is(err, queue.ErrDamaged) {
		t.Errorf("Open = %v, want ErrDamaged", err)
	}
}

// stopUnclean closes the queue and then takes the mark of a clean stop back.
func stopUnclean(t *testing.T, q *queue.Queue, dir string) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openAt(t, dir, nil)
	if err := q.Raw(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	// What is on disk now is what a kill would leave; closing must not change it.
	db, err := os.ReadFile(statePath(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(statePath(dir, "queue.db"), db, 0o666); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func TestLostDatabaseIsRebuilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := campaign(t, dir, 20, 10)
	want := doneOnly(t, q)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(statePath(dir, "queue.db")); err != nil {
		t.Fatal(err)
	}
	var said []string
	q, err := queue.Open(t.Context(), queue.Config{Dir: dir, Warn: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if d := cmp.Diff(want, doneOnly(t, q)); d != "" {
		t.Errorf("done files (-want +got):\n%s", d)
	}
	if len(said) != 1 || !strings.Contains(said[0], "10 finished files") {
		t.Errorf("said %q", said)
	}
}

func TestHalfWrittenJournal(t *testing.T) {
	t.Parallel()
	for name, tail := range map[string]string{
		"half a line": `{"uri":"mast:JWST/product/half`, "whole line without end": `{"uri":"mast:x","undone":true}`,
		"zeros": strings.Repeat("\x00", 5000), "long": strings.Repeat("x", 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			q := campaign(t, dir, 20, 10)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			journal := statePath(dir, "done.jsonl")
			whole, err := os.ReadFile(journal)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(journal, append(whole[:len(whole):len(whole)], tail...), 0o666); err != nil {
				t.Fatal(err)
			}
			q = openAt(t, dir, nil)
			if got, err := os.ReadFile(journal); err != nil || !bytes.Equal(got, whole) {
				t.Errorf("the repaired journal has %d bytes, %v, want %d", len(got), err, len(whole))
			}
			if err := fetch(t.Context(), q, claim(t, q, startRun(t, q), 1)[0]); err != nil {
				t.Fatal(err)
			}
			if n := len(readJournal(t, dir)); n != 11 {
				t.Errorf("journal has %d lines, want 11", n)
			}
		})
	}
}

func TestLostJournalIsWrittenAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := campaign(t, dir, 20, 10)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	truncate(t, statePath(dir, "done.jsonl"), 100)
	q = openAt(t, dir, nil)
	if n := len(readJournal(t, dir)); n != 10 {
		t.Errorf("journal has %d lines, want 10", n)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if rep, err := queue.Rebuild(t.Context(), queue.Config{Dir: dir}); err != nil || rep.Done != 10 {
		t.Errorf("Rebuild from the new journal = %+v, %v", rep, err)
	}
}

func TestReadJournal(t *testing.T) {
	t.Parallel()
	sha, md5 := strings.Repeat("ab", 32), strings.Repeat("cd", 16)
	good := `{"uri":"mast:a","path":"a","size":1,"sha256":"` + sha + `","md5":"` + md5 + `","proof":"size","level":3}`
	in := strings.Join([]string{good, `{}`, `nonsense`, `{"uri":"b","undone":true,"size":0}`,
		strings.Replace(good, sha, "00", 1), strings.Replace(good, md5, "zz", 1), strings.Replace(good, `"path":"a"`, `"path":"../a"`, 1),
		strings.Replace(good, `"proof":"size"`, `"proof":"hope"`, 1), `{"uri":"half`}, "\n")
	var lines, bad int
	for _, err := range queue.ReadJournal(strings.NewReader(in)) {
		switch {
		case err == nil:
			lines++
		case errors.Is(err, queue.ErrJournalLine):
			bad++
		default:
			t.Fatal(err)
		}
	}
	if lines != 2 || bad != 7 {
		t.Errorf("ReadJournal: %d lines, %d unreadable, want 2 and 7", lines, bad)
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"uri":"mast:a","path":"a","size":1,"sha256":"` + strings.Repeat("ab", 32) + `","md5":"` + strings.Repeat("cd", 16) + `","proof":"size"}` + "\n"))
	f.Add([]byte("{\"uri\":\"b\",\"undone\":true}\n\x00\x00"))
	f.Add([]byte("\n\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for l, err := range queue.ReadJournal(bytes.NewReader(b)) {
			if err == nil && (l.URI == "" || (!l.Undone && len(l.SHA256) != 64)) {
				t.Errorf("ReadJournal let %+v pass", l)
			}
		}
	})
}
