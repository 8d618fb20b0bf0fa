package queue_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jwstbulk/queue"
)

// clock is a settable clock.
type clock struct {
	mu sync.Mutex // guards t
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func openAt(t testing.TB, dir string, now func() time.Time) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Config{Dir: dir, Create: true, Now: now, Command: "test"})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// file makes the i-th of a synthetic campaign's files.
func file(i int) queue.NewFile {
	obs := i / 10
	name := fmt.Sprintf("jw%05d%03d001_02101_%05d_nrca%d_%s.fits", 1000+obs/100, obs%100, i, 1+i%4, []string{"rate", "cal", "uncal"}[i%3])
	return queue.NewFile{
		URI: "mast:JWST/product/" + name, Name: name, ObsID: fmt.Sprintf("jw%05d%03d001_02101_nrca1", 1000+obs/100, obs%100), Own: true,
		Size: int64(1000 + i), Parents: []int64{int64(10_000_000 + obs)},
		Facts: queue.Facts{Program: fmt.Sprint(1000 + obs/100), Instrument: "NIRCAM", Level: 2, ProductType: "SCIENCE", Rights: "PUBLIC",
			ReleaseAt: time.Date(2023, 1, 1, 0, 0, i, 0, time.UTC)},
	}
}

func seq[T any](n int, f func(int) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := range n {
			if !yield(f(i), nil) {
				return
			}
		}
	}
}

func list[T any](v ...T) iter.Seq2[T, error] { return seq(len(v), func(i int) T { return v[i] }) }

// take begins a query and hands out one chunk of it.
func take(t testing.TB, q *queue.Queue) queue.Chunk {
	t.Helper()
	ctx := t.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{"q":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "products"}}); err != nil {
		t.Fatal(err)
	}
	c, ok, err := q.NextChunk(ctx, id)
	if err != nil || !ok {
		t.Fatalf("NextChunk = %v, %v, want a chunk", ok, err)
	}
	return c
}

// finish adds a chunk to a query and finishes it as done.
func finish(t testing.TB, q *queue.Queue, queryID int64, out queue.ChunkResult) {
	t.Helper()
	if err := finishErr(t, q, queryID, out); err != nil {
		t.Fatal(err)
	}
}

// finishErr is finish where that may fail.
func finishErr(t testing.TB, q *queue.Queue, queryID int64, out queue.ChunkResult) error {
	t.Helper()
	if err := q.AddChunks(t.Context(), queryID, []queue.NewChunk{{Kind: "products"}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := q.NextChunk(t.Context(), queryID)
	if err != nil {
		t.Fatal(err)
	}
	out.State = queue.ChunkDone
	return q.FinishChunk(t.Context(), c, out)
}

// plan stores and offers n files.
func plan(t testing.TB, q *queue.Queue, n int) {
	t.Helper()
	c := take(t, q)
	out := queue.ChunkResult{State: queue.ChunkDone, Rows: int64(n), Requests: 1, Files: seq(n, file),
		Observations: seq((n+9)/10, func(i int) queue.Observation {
			return queue.Observation{Obsid: int64(10_000_000 + i), ObsID: fmt.Sprintf("jw%05d%03d001_02101_nrca1", 1000+i/100, i%100), Level: 2}
		})}
	if err := q.FinishChunk(t.Context(), c, out); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Offer(t.Context(), c.QueryID, queue.OfferConfig{}); err != nil {
		t.Fatal(err)
	}
}

func startRun(t testing.TB, q *queue.Queue) int64 {
	t.Helper()
	id, err := q.StartRun(t.Context(), queue.RunInfo{Command: "get", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func claim(t testing.TB, q *queue.Queue, run int64, n int) []queue.Job {
	t.Helper()
	jobs, err := q.Claim(t.Context(), run, n, queue.OrderPlan)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return jobs
}

func placement(j queue.Job) queue.Placement {
	sha, sum := sha256.Sum256([]byte(j.URI)), md5.Sum([]byte(j.URI))
	return queue.Placement{
		Size: max(j.Size, 1), SHA256: sha[:], MD5: sum[:], Proof: queue.ProofStructure, Source: "mast",
		Header: map[string]string{"CAL_VER": "1.18.0", "CRDS_CTX": "jwst_1364.pmap", "SDP_VER": "2025_3", "DATE": "2025-06-01T01:02:03.456", "PROGRAM": "01345"},
		Validator: queue.Validator{ETag: fmt.Sprintf("%q", fmt.Sprintf("%x", sum[:])), LastModified: "Wed, 21 Oct 2015 07:28:00 GMT",
			Date: "Thu, 22 Oct 2015 07:28:00 GMT"},
	}
}

// fetch places and finishes a job.
func fetch(ctx context.Context, q *queue.Queue, j queue.Job) error {
	if err := q.Place(ctx, j, placement(j)); err != nil {
		return err
	}
	return q.Finish(ctx, j)
}

func dump(t testing.TB, r *queue.Reader) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Dump(t.Context(), &b); err != nil {
		t.Fatalf("Dump: %v", err)
	}
	return b.String()
}

func files(t testing.TB, seq iter.Seq2[queue.File, error]) []queue.File {
	t.Helper()
	var out []queue.File
	for f, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func states(t testing.TB, q *queue.Queue) string {
	t.Helper()
	n, err := q.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range []queue.State{queue.Planned, queue.Pending, queue.Running, queue.Placing, queue.Done, queue.Failed, queue.Waiting, queue.Parked} {
		if c, ok := n.State[s]; ok {
			fmt.Fprintf(&b, "%s %d ", s, c.Files)
		}
	}
	return strings.TrimSpace(b.String())
}

func statePath(dir, name string) string { return filepath.Join(dir, ".jwstbulk", name) }
