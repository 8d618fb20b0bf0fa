package cluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// benchFiles is the size of the campaign; JWSTBULK_BENCH_FILES=1000000 measures the full one.
func benchFiles() int {
	if n, err := strconv.Atoi(os.Getenv("JWSTBULK_BENCH_FILES")); err == nil && n > 0 {
		return n
	}
	return 5000
}

// BenchmarkRound lends files to 500 shards, writes the lists, and collects 500 journals that finished all of them.
func BenchmarkRound(b *testing.B) {
	n, shards := benchFiles(), 500
	for b.Loop() {
		b.StopTimer()
		h := newHome(b, n)
		forgetPeak()
		b.StartTimer()
		begin, cpu := time.Now(), cpuTime()
		round := h.lend(b, shards)
		b.ReportMetric(time.Since(begin).Seconds(), "split-s")
		b.ReportMetric((cpuTime() - cpu).Seconds(), "split-cpu-s")
		b.ReportMetric(float64(peak())/(1<<20), "split-peak-MiB")
		b.StopTimer()
		for k := range shards {
			if err := journalOf(b.Context(), h, round, k); err != nil {
				b.Fatal(err)
			}
		}
		forgetPeak()
		b.StartTimer()
		begin, cpu = time.Now(), cpuTime()
		got := h.collect(b, map[int]bool{})
		b.ReportMetric(time.Since(begin).Seconds(), "collect-s")
		b.ReportMetric((cpuTime() - cpu).Seconds(), "collect-cpu-s")
		b.ReportMetric(float64(peak())/(1<<20), "collect-peak-MiB")
		if got.Done != int64(n) {
			b.Fatalf("collected %d files, want %d", got.Done, n)
		}
	}
}

// journalOf writes the journal of a task that finished its whole shard.
func journalOf(ctx context.Context, h *home, round int64, k int) error {
	f, err := os.Create(filepath.Join(h.dir, cluster.RoundDir(round), fmt.Sprintf("%d.1.0.jsonl", k)))
	if err != nil {
		return err
	}
	const sum = "0123456789abcdef0123456789abcdef"
	for l, err := range h.q.Loans(ctx, round, k) {
		if err != nil {
			return err
		}
		fmt.Fprintf(f, `{"uri":%q,"path":%q,"size":%d,"sha256":"%s%s","md5":"%s","proof":"archive","at":1800000000000,"header":{"CAL_VER":"1.18.0"}}`+"\n",
			l.URI, l.Path, l.Size, sum, sum, sum)
	}
	fmt.Fprintf(f, `{"end":true,"exit":0,"trust":"%s","at":"2026-01-01T00:00:00Z"}`+"\n", queue.TrustProven)
	return f.Close()
}

// forgetPeak gives memory back and has peak begin anew, where the system can (proc(5), clear_refs).
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // elsewhere the peak is that of the whole process
}

// peak is the largest resident size of this process since forgetPeak, in bytes; 0 where the system does not say.
func peak() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kb int64
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
