package planner_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// Run with -planner.observations=20000 -benchtime=1x for the figures at scale.
var benchObservations = flag.Int("planner.observations", 50, "observations that BenchmarkScale plans")

// archiveEnv names the catalogue that a child of this test binary serves.
const archiveEnv = "PLANNER_BENCH_ARCHIVE"

// TestMain lets the test binary be the archive of BenchmarkScale: in a process of its own, so that its processor time and
// memory do not count as the planner's.
func TestMain(m *testing.M) {
	if mix := os.Getenv(archiveEnv); mix != "" {
		if err := serveArchive(mix); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// maxPrograms are the programmes that the catalogues of BenchmarkScale have at most, of perProgram observations each.
const (
	perProgram  = 4000
	maxPrograms = 10
)

// serveArchive prints the address of an archive and serves until standard input ends: when the parent is done or dead.
func serveArchive(spec string) error {
	mix, n, _ := strings.Cut(spec, " ")
	observations, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	cfg := masttest.SyntheticConfig{Observations: observations, PerProgram: perProgram}
	if mix == "distinct" {
		cfg.Distinct, cfg.Rows = true, 60
	}
	s, err := masttest.New(masttest.Config{Catalog: masttest.Synthetic(cfg), MetadataOnly: true, ForgetRequests: true})
	if err != nil {
		return err
	}
	debug.SetGCPercent(1000) // its own cost is not what is measured, but takes processors from what is
	if err := s.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(s.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startArchive runs an archive in another process and returns its address.
func startArchive(b *testing.B, mix string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", archiveEnv, mix, *benchObservations))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // ends it
		if err := cmd.Wait(); err != nil {
			b.Errorf("the archive's process: %v", err)
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("reading the archive's address: %v", err)
	}
	return strings.TrimSpace(url)
}

// BenchmarkScale plans -planner.observations observations, and then the same again, which finds nothing new. "mix" is the
// archive's: 70 % of the rows are guide stars, and a file is listed three times in the mean; in "distinct" every row is a new
// file. Processor time is this process's alone.
func BenchmarkScale(b *testing.B) {
	for _, mix := range []string{"mix", "distinct"} {
		b.Run(mix, func(b *testing.B) {
			archive, err := mast.New(mast.Config{BaseURL: startArchive(b, mix), Spool: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer archive.Close()
			for b.Loop() {
				dir := b.TempDir()
				resetPeak()
				first := planScale(b, archive, dir)
				again := planScale(b, archive, dir)
				b.ReportMetric(float64(first.rows), "rows")
				b.ReportMetric(first.cpuMicros(), "cpuµs/row")
				b.ReportMetric(first.took.Seconds(), "s")
				b.ReportMetric(float64(again.cpu)/float64(first.cpu), "again/first-cpu")
				b.ReportMetric(float64(again.took)/float64(first.took), "again/first-time")
				b.ReportMetric(float64(first.database)/float64(first.files), "dbB/file")
				if peak := peakMemory(); peak > 0 {
					b.ReportMetric(float64(peak)/1e6, "MB-peak")
				}
			}
		})
	}
}

// cost is what one plan took.
type cost struct {
	cpu, took             time.Duration
	rows, files, database int64 // database in bytes, after Close
}

func (c cost) cpuMicros() float64 { return float64(c.cpu.Microseconds()) / float64(c.rows) }

// planScale opens the campaign in dir, plans all programmes and closes it.
func planScale(b *testing.B, archive planner.Archive, dir string) cost {
	b.Helper()
	start, used := time.Now(), cpuTime(b)
	q, err := queue.Open(context.Background(), queue.Config{Dir: dir, Create: true})
	if err != nil {
		b.Fatal(err)
	}
	p, err := planner.New(planner.Config{Queue: q, Archive: archive})
	if err != nil {
		b.Fatal(err)
	}
	var all query.Query
	for i := range maxPrograms {
		all.Programs = append(all.Programs, strconv.Itoa(10_001+i))
	}
	s, err := p.Plan(b.Context(), all)
	if err != nil || !s.Complete() {
		b.Fatalf("Plan = %+v, %v", s.FailedChunks, err)
	}
	if err := q.Close(); err != nil {
		b.Fatal(err)
	}
	c := cost{cpu: cpuTime(b) - used, took: time.Since(start), rows: s.Rows, files: s.Files}
	info, err := os.Stat(filepath.Join(dir, ".jwstbulk", "queue.db"))
	if err != nil {
		b.Fatal(err)
	}
	c.database = info.Size()
	return c
}

// cpuTime is the processor time that this process has used, children not counted.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes peakMemory begin anew; where there is no /proc it does nothing.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory is the highest resident set of this process in bytes; 0 where /proc does not tell.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64) // 0 says that it is not known
			return kb << 10
		}
	}
	return 0
}
