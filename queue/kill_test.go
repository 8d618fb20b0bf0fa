package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"jwstbulk/queue"
)

// child is the body of a child process: "work" works a campaign until it kills itself at the crash point, "hold" keeps a
// campaign until its standard input ends.
func child(what string) int {
	ctx := context.Background()
	dir := os.Getenv("QUEUE_DIR")
	var err error
	switch what {
	case "hold":
		err = hold(ctx, dir)
	case "work":
		err = workAndDie(ctx, dir, os.Getenv("QUEUE_POINT"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func hold(ctx context.Context, dir string) error {
	q, err := queue.Open(ctx, queue.Config{Dir: dir, Create: true, Command: "jwstbulk get --hold"})
	if err != nil {
		return err
	}
	fmt.Println("held")
	var b [1]byte
	_, _ = os.Stdin.Read(b[:]) // the end of standard input is the signal
	return q.Close()
}

// workAndDie plans 40 files, or takes an unfinished campaign up, and works them; the n-th time the queue passes the point
// "name:n" the process kills itself. Files are empty, named by row; their rename is the creation of the name.
func workAndDie(ctx context.Context, dir, where string) error {
	name, count, _ := strings.Cut(where, ":")
	left, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	q, err := queue.OpenWithFault(ctx, queue.Config{Dir: dir, Create: true}, func(point string) error {
		if point != name {
			return nil
		}
		if left--; left == 0 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := planOnce(ctx, q); err != nil {
		return err
	}
	if err := settle(ctx, q, dir); err != nil {
		return err
	}
	if err := workAll(ctx, q, dir); err != nil {
		return err
	}
	return q.Close()
}

func planOnce(ctx context.Context, q *queue.Queue) error {
	n, err := q.Counts(ctx)
	if err != nil || n.State[queue.Pending].Files+n.State[queue.Placing].Files+n.State[queue.Done].Files > 0 {
		return err
	}
	id, resumed, err := q.AddQuery(ctx, []byte(`{"q":1}`))
	if err != nil {
		return err
	}
	if chunks, err := q.Chunks(ctx, id); err != nil {
		return err
	} else if !resumed || len(chunks) == 0 {
		if err := q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "products"}}); err != nil {
			return err
		}
	}
	c, ok, err := q.NextChunk(ctx, id)
	if err != nil {
		return err
	}
	if ok {
		if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: seq(40, file)}); err != nil {
			return err
		}
	}
	_, err = q.Offer(ctx, id, queue.OfferConfig{})
	return err
}

// settle does what the fetcher does after Open.
func settle(ctx context.Context, q *queue.Queue, dir string) error {
	placings, err := q.Placings(ctx)
	if err != nil {
		return err
	}
	for _, f := range placings {
		to := queue.Pending
		if _, err := os.Stat(final(dir, f.URI)); err == nil {
			to = queue.Done
		}
		if err := q.SettlePlaced(ctx, f.ID, to, queue.Part{}); err != nil {
			return err
		}
	}
	return nil
}

func final(dir, uri string) string { return filepath.Join(dir, filepath.Base(uri)) }

func workAll(ctx context.Context, q *queue.Queue, dir string) error {
	run, err := q.StartRun(ctx, queue.RunInfo{Command: "kill test"})
	if err != nil {
		return err
	}
	for {
		jobs, err := q.Claim(ctx, run, 4, queue.OrderPlan)
		if err != nil || len(jobs) == 0 {
			return err
		}
		errs := make(chan error, len(jobs))
		for _, j := range jobs {
			go func() { errs <- workOne(ctx, q, dir, j) }()
		}
		for range jobs {
			err = errors.Join(err, <-errs)
		}
		if err != nil {
			return err
		}
	}
}

func workOne(ctx context.Context, q *queue.Queue, dir string, j queue.Job) error {
	if err := q.Place(ctx, j, placement(j)); err != nil {
		return err
	}
	if err := os.WriteFile(final(dir, j.URI), nil, 0o666); err != nil {
		return err
	}
	if err := q.Finish(ctx, j); err != nil {
		return err
	}
	// Acknowledged: from here on the record must be there.
	return os.WriteFile(final(dir, j.URI)+".ack", nil, 0o666)
}

// TestKill kills a process at each point of the writer, several times over, and then checks that nothing acknowledged is
// lost and that the campaign reaches the end an undisturbed one reaches.
func TestKill(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for _, point := range []string{"commit", "committed", "journal-write", "journal-sync", "settled"} {
		for _, n := range []int{1, 2, 3, 7, 12} {
			t.Run(fmt.Sprintf("%s:%d", point, n), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for round := range 3 {
					killed := runChild(t, dir, fmt.Sprintf("%s:%d", point, n+round))
					checkAcknowledged(t, dir)
					if !killed {
						break
					}
				}
				runChild(t, dir, "never:1")
				checkAcknowledged(t, dir)
				if got := dumpDir(t, dir); got != want {
					t.Errorf("after kills:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

func undisturbed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if runChild(t, dir, "never:1") {
		t.Fatal("the undisturbed child was killed")
	}
	return dumpDir(t, dir)
}

// runChild reports whether the child died by the kill.
func runChild(t *testing.T, dir, point string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "QUEUE_CHILD=work", "QUEUE_DIR="+dir, "QUEUE_POINT="+point)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return true
	}
	if err != nil {
		t.Fatalf("child at %s: %v\n%s", point, err, out)
	}
	return false
}

func dumpDir(t *testing.T, dir string) string {
	t.Helper()
	r, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	return dump(t, r)
}

// checkAcknowledged opens the campaign, as the next process would, and looks for every promise made.
func checkAcknowledged(t *testing.T, dir string) {
	t.Helper()
	q := openAt(t, dir, nil)
	done, journal := map[string]bool{}, map[string]bool{}
	for f, err := range q.Done(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		done[f.URI] = true
		if _, err := os.Stat(final(dir, f.URI)); err != nil {
			t.Errorf("%s is done without its file", f.URI)
		}
	}
	for _, l := range readJournal(t, dir) {
		journal[l.URI] = !l.Undone
	}
	for uri := range done {
		if !journal[uri] {
			t.Errorf("%s is done but not in the journal", uri)
		}
	}
	acks, err := filepath.Glob(filepath.Join(dir, "*.ack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range acks {
		if uri := "mast:JWST/product/" + strings.TrimSuffix(filepath.Base(a), ".ack"); !done[uri] {
			t.Errorf("%s was acknowledged and is not done", uri)
		}
	}
	if n, err := q.Counts(t.Context()); err != nil || n.State[queue.Running].Files != 0 {
		t.Errorf("after Open %d files are running, %v", n.State[queue.Running].Files, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

func readJournal(t *testing.T, dir string) []queue.JournalLine {
	t.Helper()
	f, err := os.Open(statePath(dir, "done.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []queue.JournalLine
	for l, err := range queue.ReadJournal(f) {
		if err != nil {
			t.Fatalf("reading the journal: %v", err)
		}
		out = append(out, l)
	}
	return out
}
