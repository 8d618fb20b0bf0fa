package queue_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"

	"jwstbulk/queue"
)

var errBroken = errors.New("broken on purpose")

// TestFaults breaks the writer at each point of a finish. Whatever happened, every later call returns the error, and after
// opening again the file is either done, with its journal line, or still placing; never anything else.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		point string
		done  bool // took effect, then failed
	}{
		{"commit", false}, {"committed", true}, {"journal-write", true}, {"journal-sync", true}, {"settled", true},
	} {
		t.Run(tc.point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var armed atomic.Bool
			q, err := queue.OpenWithFault(t.Context(), queue.Config{Dir: dir, Create: true}, func(point string) error {
				if armed.Load() && point == tc.point {
					return errBroken
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			plan(t, q, 3)
			run := startRun(t, q)
			jobs := claim(t, q, run, 2)
			if err := q.Place(t.Context(), jobs[0], placement(jobs[0])); err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			if err := q.Finish(t.Context(), jobs[0]); !errors.Is(err, errBroken) {
				t.Fatalf("Finish = %v, want the fault", err)
			}
			armed.Store(false)
			if err := q.Place(t.Context(), jobs[1], placement(jobs[1])); !errors.Is(err, errBroken) {
				t.Errorf("a call after the fault = %v, want the fault", err)
			}
			if err := q.Close(); !errors.Is(err, errBroken) {
				t.Errorf("Close = %v, want the fault", err)
			}
			afterFault(t, dir, jobs[0].URI, tc.done)
		})
	}
}

func afterFault(t *testing.T, dir, uri string, done bool) {
	t.Helper()
	q := openAt(t, dir, nil)
	want := "pending 2 placing 1"
	if done {
		want = "pending 2 done 1"
	}
	if got := states(t, q); got != want {
		t.Errorf("states after the fault = %q, want %q", got, want)
	}
	in := false
	for _, l := range readJournal(t, dir) {
		in = in || l.URI == uri
	}
	if in != done {
		t.Errorf("journal has the line: %t, want %t", in, done)
	}
}

// TestDiskFull limits the database's size: SQLite then reports a full disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	plan(t, q, 30)
	before := dump(t, q.Reader)
	if err := q.Raw(t.Context(), "PRAGMA max_page_count=1"); err != nil { // SQLite takes the present size, if that is more
		t.Fatal(err)
	}
	c, err := bigChunk(t, q)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("FinishChunk on a full disk = %v, want ENOSPC", err)
	}
	if _, _, err := q.NextChunk(t.Context(), c.QueryID); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a call after the disk was full = %v, want ENOSPC", err)
	}
	if err := q.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close = %v, want ENOSPC", err)
	}
	q = openAt(t, dir, nil)
	if got := dump(t, q.Reader); got != before {
		t.Errorf("after the disk was full:\n%s\nwant:\n%s", got, before)
	}
	if c, err := bigChunk(t, q); err != nil {
		t.Errorf("with space again, chunk %d: %v", c.ID, err)
	}
}

func bigChunk(t *testing.T, q *queue.Queue) (queue.Chunk, error) {
	t.Helper()
	c := take(t, q)
	return c, q.FinishChunk(t.Context(), c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(5000, func(i int) queue.NewFile {
		return file(1000 + i)
	})})
}

// TestGroupWithABadOperation has an operation fail half-way among good ones: only it must fail.
func TestGroupWithABadOperation(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 60)
	run := startRun(t, q)
	jobs := claim(t, q, run, 60)
	errs := make([]error, len(jobs))
	done := make(chan struct{})
	for i, j := range jobs {
		go func() {
			defer func() { done <- struct{}{} }()
			if i%20 == 7 {
				// The row changes, then the part breaks a CHECK.
				errs[i] = q.Release(t.Context(), j, queue.Part{Token: "0badc0de", Durable: -1})
				return
			}
			errs[i] = fetch(t.Context(), q, j)
		}()
	}
	for range jobs {
		<-done
	}
	for i, err := range errs {
		if (err != nil) != (i%20 == 7) {
			t.Errorf("operation %d = %v", i, err)
		}
	}
	if got, want := states(t, q), "running 3 done 57"; got != want {
		t.Errorf("states = %q, want %q", got, want)
	}
}

func TestIllegalRows(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 4)
	run := startRun(t, q)
	jobs := claim(t, q, run, 2)
	if err := fetch(t.Context(), q, jobs[0]); err != nil {
		t.Fatal(err)
	}
	before := dump(t, q.Reader)
	for name, set := range map[string]string{
		"done by decree":            `state='done' WHERE state='pending'`,
		"running without run":       `state='running', attempt=1 WHERE state='pending'`,
		"running without attempt":   fmt.Sprintf(`state='running', run_id=%d WHERE state='pending'`, run),
		"run on a pending row":      fmt.Sprintf(`run_id=%d WHERE state='pending'`, run),
		"unknown run":               `state='running', run_id=99, attempt=1 WHERE state='pending'`,
		"failed without reason":     `state='failed' WHERE state='running'`,
		"reason on a pending row":   `reason='http' WHERE state='pending'`,
		"waiting without due time":  `state='waiting', reason='http', run_id=NULL WHERE state='running'`,
		"due time on a pending row": `due_at=1 WHERE state='pending'`,
		"unknown state":             `state='lost' WHERE state='pending'`,
		"done to failed":            `state='failed', reason='http', sha256=NULL, md5=NULL, proof=NULL, done_run_id=NULL, finished_at=NULL WHERE state='done'`,
		"done to running":           fmt.Sprintf(`state='running', run_id=%d, sha256=NULL, proof=NULL, done_run_id=NULL, finished_at=NULL WHERE state='done'`, run),
		"short digest":              `sha256=x'00' WHERE state='done'`,
		"no digest":                 `md5=NULL WHERE state='done'`,
		"no size":                   `size_bytes=NULL WHERE state='done'`,
		"unknown proof":             `proof='hope' WHERE state='done'`,
		"pending without path":      `dir_id=NULL, path_hash=NULL WHERE state='pending'`,
		"text for a number":         `size_bytes='many' WHERE state='pending'`,
		"negative size":             `size_bytes=-1 WHERE state='pending'`,
	} {
		if err := q.Exec(t.Context(), "UPDATE file SET "+set); err == nil {
			t.Errorf("%s: the database took it", name)
		}
	}
	if after := dump(t, q.Reader); after != before {
		t.Errorf("after the refusals:\n%s\nwant:\n%s", after, before)
	}
}

// SQLite rolls back by itself when a disk is full or fails: a statement after that would be a transaction of its own, and stay.
func TestNothingFollowsARollback(t *testing.T) {
	t.Parallel()
	folder := func(queue.File) string { return "d" }
	for name, tc := range map[string]struct {
		trigger string // breaks a statement
		step    func(q *queue.Queue, id int64) error
	}{
		// The run of the first is what breaks, the second would follow it.
		"offer": {"BEFORE UPDATE OF state ON file WHEN NEW.name = 'a'", func(q *queue.Queue, id int64) error {
			_, err := q.Offer(t.Context(), id, queue.OfferConfig{Layout: folder})
			return err
		}},
		// The new kind of a is what breaks, and the count of the new files would follow it, since the size of A is new. The rows
		// between make the queue look for both at once.
		"facts": {"BEFORE UPDATE OF kind_id ON file WHEN NEW.name = 'a'", func(q *queue.Queue, id int64) error {
			public := queue.Facts{Rights: "PUBLIC"}
			return finishErr(t, q, id, queue.ChunkResult{Files: seq(130, func(i int) queue.NewFile {
				switch {
				case i < 64:
					return file(i)
				case i == 64:
					return queue.NewFile{URI: "mast:x/b", Size: 5}
				case i < 128:
					return queue.NewFile{URI: "mast:x/b", Size: 5, Facts: public}
				case i == 128:
					return queue.NewFile{URI: "mast:x/a", Size: 5, Facts: public}
				}
				return queue.NewFile{URI: "mast:y/A", Size: 7, Facts: public}
			})})
		}},
		"observations": {"BEFORE INSERT ON observation", func(q *queue.Queue, id int64) error {
			return finishErr(t, q, id, queue.ChunkResult{Observations: list(queue.Observation{Obsid: 1}), Files: seq(100, file)})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := openAt(t, t.TempDir(), nil)
			id, _, err := q.AddQuery(t.Context(), []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			finish(t, q, id, queue.ChunkResult{Layout: folder, Files: seq(3, func(i int) queue.NewFile {
				return queue.NewFile{URI: []string{"mast:x/a", "mast:y/A", "mast:x/b"}[i], Size: 5}
			})})
			if err := q.Exec(t.Context(), `CREATE TRIGGER broken `+tc.trigger+` BEGIN SELECT RAISE(ROLLBACK, 'broken on purpose'); END`); err != nil {
				t.Fatal(err)
			}
			if err := tc.step(q, id); err == nil {
				t.Fatal("nothing broke")
			}
			talliesAgree(t, q)
			if got := states(t, q); got != "planned 3" {
				t.Errorf("states are %q, want three planned files", got)
			}
		})
	}
}
