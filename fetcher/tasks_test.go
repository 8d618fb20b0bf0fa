package fetcher_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// TestPartOfUnknownWriter continues a part that a task of a cluster left, which may still write to it: the file must not be
// the task's inode.
func TestPartOfUnknownWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	w.plan()
	w.server.SetFault(masttest.Fault{Do: masttest.DoStall, After: 1 << 20, Count: 1})
	ctx, stop := w.until(func() bool { return len(parts(t, w.dir)) == 1 && size(parts(t, w.dir)[0]) >= 1<<20 })
	defer stop()
	if _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	task, err := os.OpenFile(parts(t, w.dir)[0], os.O_WRONLY, 0)
	w.must(err)
	defer task.Close()
	forgetBoot(t, w)
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = task.WriteAt(make([]byte, 1<<20), 0)
	w.must(err)
	row := w.wantWhole()[exposure(1, "cal", big).Name]
	b, err := os.ReadFile(filepath.Join(w.dir, row.Path))
	if sum := sha256.Sum256(b); err != nil || !bytes.Equal(sum[:], row.SHA256) {
		t.Errorf("what the task wrote afterwards is in the finished file (%v)", err)
	}
	if got := w.server.BodyRequests("*_cal.fits"); len(got) != 2 || got[1].Range == "" {
		t.Errorf("requests %+v, want a second one that goes on where the task was", got)
	}
}

func parts(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, fetcher.PartDir, "*", "*.part"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func size(name string) int64 {
	fi, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return fi.Size()
}

// forgetBoot has the part of the only file be one that a task left.
func forgetBoot(t *testing.T, w *world) {
	t.Helper()
	q := w.open()
	defer w.close(q)
	run, err := q.StartRun(t.Context(), queue.RunInfo{Command: "test"})
	w.must(err)
	jobs, err := q.Claim(t.Context(), run, 1, queue.OrderPlan)
	if err != nil || len(jobs) != 1 || jobs[0].Part.Durable < 1<<20 {
		t.Fatalf("Claim = %+v, %v, want the file with its part", jobs, err)
	}
	p := jobs[0].Part
	p.Boot = ""
	w.must(q.Release(t.Context(), jobs[0], p))
}

// TestMeetAtFinalName has another task put the same file in place between our look and our rename.
func TestMeetAtFinalName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	w.plan()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	final := filepath.Join(w.dir, w.rows()[exposure(1, "cal", big).Name].Path)
	right, err := os.ReadFile(final)
	w.must(err)
	w.must(os.WriteFile(final, []byte("a user's"), 0o644)) // another length: it is fetched again, and this is put aside first
	w.tune = func(f *fetcher.Fetcher) {
		fetcher.SetKill(f, func(step string) bool {
			if step == "moved away" {
				w.must(os.WriteFile(final, right, 0o644))
			}
			return false
		})
	}
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if got := w.server.BodyRequests("*_cal.fits"); len(got) != 2 || len(parts(t, w.dir)) != 0 {
		t.Errorf("%d requests, parts %v, want 2 and none", len(got), parts(t, w.dir))
	}
}

// TestMaySend: once it is said that no request may be sent none is, although a file was claimed and its turn had come.
func TestMaySend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800), exposure(2, "cal", 28800), exposure(3, "cal", 28800))
	w.plan()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	asked := 0
	w.cfg.Jobs = 1
	w.cfg.MaySend = func() bool {
		if asked++; asked > 1 {
			stop()
			return false
		}
		return true
	}
	r, err := w.run(ctx)
	if err != nil || !r.Drained {
		t.Errorf("Run = %+v, %v, want it drained", r, err)
	}
	if n := len(w.server.BodyRequests("*")); n != 1 || asked < 2 {
		t.Errorf("%d requests, asked %d times, want 1 and at least 2", n, asked)
	}
	for name, row := range w.rows() {
		if row.State != queue.Done && row.State != queue.Pending {
			t.Errorf("%s is %s, want done or pending", name, row.State)
		}
	}
	w.cfg.MaySend = nil
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
}
