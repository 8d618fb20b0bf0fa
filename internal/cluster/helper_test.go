package cluster_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// home is a campaign with files pending.
type home struct {
	dir  string
	root *os.Root
	q    *queue.Queue
}

func newHome(t testing.TB, n int) *home {
	t.Helper()
	dir := t.TempDir()
	q, err := queue.Open(t.Context(), queue.Config{Dir: dir, Create: true, Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	if _, err := q.Borrow(t.Context(), loans(n)); err != nil {
		t.Fatal(err)
	}
	return &home{dir, root, q}
}

func uri(i int) string { return fmt.Sprintf("mast:JWST/product/jw01345%07d_nrca1_cal.fits", i) }

// loans makes n files whose sizes spread over three orders of magnitude.
func loans(n int) iter.Seq2[queue.Loan, error] {
	return func(yield func(queue.Loan, error) bool) {
		for i := range n {
			l := queue.Loan{URI: uri(i), Path: fmt.Sprintf("JWST/o%d/jw01345%07d_nrca1_cal.fits", i/100, i), Size: int64(1+i%1000) << 16, Rights: "PUBLIC"}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// lend makes a round with its lists, given to job 77.
func (h *home) lend(t testing.TB, shards int) int64 {
	t.Helper()
	round, _, err := h.q.Lend(t.Context(), queue.Lending{Shards: shards, Spec: []byte(`{"system":"slurm"}`), Assign: cluster.NewBalancer(shards).Assign})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.q.SetRoundJob(t.Context(), round, "77", []byte(`{"system":"slurm"}`)); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WriteLists(t.Context(), h.root, h.q, round, shards); err != nil {
		t.Fatal(err)
	}
	return round
}

// attempt is one task under test.
type attempt struct {
	*cluster.Task
	q   *queue.Queue
	run int64
	n   int64 // files to do
}

func (h *home) start(t testing.TB, round int64, shard int, job string) *attempt {
	t.Helper()
	task, err := cluster.StartTask(cluster.TaskConfig{Dir: h.dir, Round: round, Shard: shard, Job: job, Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(t.Context(), queue.Config{Dir: task.StateDir, Journal: task.Journal, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	a := &attempt{Task: task, q: q}
	if a.n, err = q.Borrow(t.Context(), task.Files()); err != nil {
		t.Fatal(err)
	}
	if a.run, err = q.StartRun(t.Context(), queue.RunInfo{Command: "test"}); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attempt) claim(t testing.TB, n int) []queue.Job {
	t.Helper()
	jobs, err := a.q.Claim(t.Context(), a.run, n, queue.OrderPlan)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// finish brings n files to their end.
func (a *attempt) finish(t testing.TB, n int) []queue.Job {
	t.Helper()
	jobs := a.claim(t, n)
	for _, j := range jobs {
		if err := finish(t.Context(), a.q, j, j.URI); err != nil {
			t.Fatal(err)
		}
	}
	return jobs
}

func finish(ctx context.Context, q *queue.Queue, j queue.Job, content string) error {
	sha, sum := sha256.Sum256([]byte(content)), md5.Sum([]byte(content))
	err := q.Place(ctx, j, queue.Placement{Size: j.Size, SHA256: sha[:], MD5: sum[:], Proof: queue.ProofStructure, Source: "mast",
		Header: map[string]string{"CAL_VER": "1.18.0", "DATE": "2025-06-01T01:02:03"}})
	if err == nil {
		err = q.Finish(ctx, j)
	}
	return err
}

// end ends a task by itself; without it the attempt was killed.
func (a *attempt) end(t testing.TB) {
	t.Helper()
	if err := a.End(t.Context(), a.q.Reader, 10); err != nil {
		t.Fatal(err)
	}
	a.kill(t)
}

func (a *attempt) kill(t testing.TB) {
	t.Helper()
	if err := a.q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// collect takes the journals in; live are tasks that the batch system still knows, nil if it cannot be asked.
func (h *home) collect(t testing.TB, live map[int]bool) cluster.Collected {
	t.Helper()
	run, err := h.q.StartRun(t.Context(), queue.RunInfo{Command: "collect"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Collector{Queue: h.q, Root: h.root, RunID: run,
		Live: func(queue.Round) (map[int]bool, bool) { return live, live != nil }}.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// states counts the files by state.
func (h *home) states(t testing.TB) map[queue.State]int64 {
	t.Helper()
	n, err := h.q.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[queue.State]int64{}
	for s, c := range n.State {
		out[s] = c.Files
	}
	return out
}

func soon() time.Time { return time.Now().Add(time.Hour) }
