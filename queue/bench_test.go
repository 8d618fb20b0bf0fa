package queue_test

import (
	"context"
	"crypto/md5"
	"flag"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"jwstbulk/queue"
)

// Run with -queue.files=1000000 -benchtime=1x for the figures at scale.
var benchFiles = flag.Int("queue.files", 2000, "files in the benchmarks' campaign")

// BenchmarkEnqueue takes in -queue.files files in chunks of 5,000, each file listed by three observations.
func BenchmarkEnqueue(b *testing.B) {
	for b.Loop() {
		q := openAt(b, b.TempDir(), nil)
		report := meter(b, *benchFiles, "file")
		enqueue(b, q, *benchFiles)
		report()
	}
}

// cpu returns the processor time this process has used. On a busy machine it says more than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// meter reports the time and the processor time of n items.
func meter(b *testing.B, n int, unit string) func() {
	start, used := time.Now(), cpu(b)
	return func() {
		b.ReportMetric(float64(time.Since(start).Microseconds())/float64(n), "µs/"+unit)
		b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(n), "cpuµs/"+unit)
	}
}

// enqueue stores n files with three observations each, as a planner does.
func enqueue(b *testing.B, q *queue.Queue, n int) (queryID int64) {
	b.Helper()
	ctx := b.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{}`))
	if err != nil {
		b.Fatal(err)
	}
	const chunk = 5000
	if err := q.AddChunks(ctx, id, chunks(n, chunk)); err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += chunk {
		c, ok, err := q.NextChunk(ctx, id)
		if err != nil || !ok {
			b.Fatalf("NextChunk = %v, %v", ok, err)
		}
		out := queue.ChunkResult{State: queue.ChunkDone, Rows: chunk, Files: seq(min(chunk, n-from), func(i int) queue.NewFile {
			f := file(from + i)
			f.Parents = []int64{f.Parents[0], f.Parents[0] + 3_000_000, f.Parents[0] + 5_000_000}
			return f
		})}
		if err := q.FinishChunk(ctx, c, out); err != nil {
			b.Fatal(err)
		}
	}
	return id
}

func chunks(n, size int) []queue.NewChunk {
	out := make([]queue.NewChunk, (n+size-1)/size)
	for i := range out {
		out[i].Kind = "products"
	}
	return out
}

// keywords gives every file the checksum and the exact size that a keyword service lists.
func keywords(b *testing.B, q *queue.Queue, queryID int64, n int) {
	b.Helper()
	ctx := b.Context()
	if err := q.AddChunks(ctx, queryID, []queue.NewChunk{{Kind: "keywords"}}); err != nil {
		b.Fatal(err)
	}
	c, _, err := q.NextChunk(ctx, queryID)
	if err != nil {
		b.Fatal(err)
	}
	report := meter(b, n, "fact")
	facts := seq(n, func(i int) queue.KeywordFact {
		f := file(i)
		sum := md5.Sum([]byte(f.URI))
		return queue.KeywordFact{URI: f.URI, Size: f.Size, Checksum: sum[:], Facts: queue.Facts{Level: 2, CalVer: "1.18.0", CRDSCtx: "jwst_1364.pmap"}}
	})
	if err := q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Facts: facts}); err != nil {
		b.Fatal(err)
	}
	report()
}

// BenchmarkOffer offers -queue.files planned files.
func BenchmarkOffer(b *testing.B) {
	for b.Loop() {
		q := openAt(b, b.TempDir(), nil)
		id := enqueue(b, q, *benchFiles)
		report := meter(b, *benchFiles, "file")
		if _, err := q.Offer(b.Context(), id, queue.OfferConfig{}); err != nil {
			b.Fatal(err)
		}
		report()
	}
}

// BenchmarkWork claims, places and finishes all files with 256 workers; in "waiting" half of the files wait meanwhile.
func BenchmarkWork(b *testing.B) {
	for _, waiting := range []bool{false, true} {
		b.Run(fmt.Sprintf("waiting=%t", waiting), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				dir := b.TempDir()
				q := openAt(b, dir, nil)
				id := enqueue(b, q, *benchFiles)
				keywords(b, q, id, *benchFiles)
				cfg := queue.OfferConfig{}
				left := *benchFiles
				if waiting {
					cfg.Decide = func(f queue.File) queue.Decision {
						if f.ID%2 == 0 {
							return queue.Decision{State: queue.Parked, Reason: queue.ReasonNotPublic, DueAt: time.Now().Add(time.Hour)}
						}
						return queue.Decision{}
					}
					left = (left + 1) / 2
				}
				if _, err := q.Offer(b.Context(), id, cfg); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				report := meter(b, left, "job")
				work(b, q, left)
				report()
				b.StopTimer()
				reports(b, q)
				if err := q.Close(); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(statePath(dir, "queue.db"))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/float64(*benchFiles), "dbB/file")
				b.StartTimer()
			}
		})
	}
}

func reports(b *testing.B, q *queue.Queue) {
	start := time.Now()
	if _, err := q.Counts(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/counts")
	start = time.Now()
	n := 0
	for _, err := range q.Done(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(max(n, 1)), "µs/listed")
}

// work runs 256 workers fed by one claimer until total jobs are done.
func work(b *testing.B, q *queue.Queue, total int) {
	ctx := b.Context()
	run := startRun(b, q)
	jobs := make(chan queue.Job)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() { drain(ctx, b, q, jobs) })
	}
	n := 0
	for n < total {
		batch := claim(b, q, run, 256)
		if len(batch) == 0 {
			b.Errorf("only %d of %d jobs", n, total)
			break
		}
		n += len(batch)
		for _, j := range batch {
			jobs <- j
		}
	}
	close(jobs)
	wg.Wait()
}

func drain(ctx context.Context, b *testing.B, q *queue.Queue, jobs <-chan queue.Job) {
	for j := range jobs {
		if err := fetch(ctx, q, j); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkClaimOne claims and releases one file at a time: each pays for its own commits.
func BenchmarkClaimOne(b *testing.B) {
	q := openAt(b, b.TempDir(), nil)
	plan(b, q, *benchFiles)
	run := startRun(b, q)
	for b.Loop() {
		jobs := claim(b, q, run, 1)
		if len(jobs) == 0 {
			b.Skip("ran out of files: give -queue.files")
		}
		if err := q.Release(b.Context(), jobs[0], queue.Part{}); err != nil {
			b.Fatal(err)
		}
	}
}
