package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jwstbulk/manifest"
)

// Run with -manifest.entries=1000000 -manifest.bytes=4294967296 -benchtime=1x for the figures of docs/benchmarks.md.
var (
	benchEntries = flag.Int("manifest.entries", 20_000, "entries of the manifests that BenchmarkWrite and BenchmarkDiff make")
	benchBytes   = flag.Int64("manifest.bytes", 64<<20, "bytes of the files that BenchmarkVerifySide reads")
)

// diffEnv names two manifests that a child of this test binary compares.
const diffEnv = "MANIFEST_BENCH_DIFF"

// TestMain lets the test binary compare two manifests in a process of its own, whose memory is then that of the comparison.
func TestMain(m *testing.M) {
	if names := os.Getenv(diffEnv); names != "" {
		n, err := diffFiles(filepath.SplitList(names))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n, highWater())
		return
	}
	os.Exit(m.Run())
}

// diffFiles counts the differences between two manifests.
func diffFiles(names []string) (n int, err error) {
	var both []iter.Seq2[manifest.Entry, error]
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		m, err := manifest.Open(f)
		if err != nil {
			return 0, err
		}
		both = append(both, m.Entries())
	}
	for _, err := range manifest.Compare(both[0], both[1]) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// highWater is the largest resident set of this process in kB, 0 where the system does not tell. The figure that the parent
// gets by wait would include what the parent itself took before the child's exec.
func highWater() (kb int) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 && err == nil {
			return kb
		}
	}
	return 0
}

// quick yields n entries like those of a real campaign at little cost of its own; each differing-th has a digest of its own.
func quick(n, differing int) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		var buf []byte
		obs := []string{"jw01345-o001_t021_nircam_clear-f115w", "jw01345001001_02201_00001_nrca1"}
		for i := range n {
			buf = append(buf[:0], "jw01345001001_02201_"...)
			digits := strconv.Itoa(10_000_000 + i)
			buf = append(buf, digits[1:]...)
			buf = append(buf, "_nrca1_cal.fits"...)
			name := string(buf)
			e := manifest.Entry{URI: "mast:JWST/product/" + name, Path: "JWST/" + name[:33] + "/" + name, Size: 117_573_120,
				Proof: "archive", CalVer: "1.13.4", CRDSCtx: "jwst_1188.pmap", SDPVer: "2023_4a", Date: "2024-02-03T04:05:06.789",
				Datamodl: "ImageModel", Program: "1345", Instrument: "NIRCAM", Level: 2, Obs: obs}
			e.SHA256[0], e.SHA256[1], e.SHA256[2], e.SHA256[3] = byte(i), byte(i>>8), byte(i>>16), 1
			if differing > 0 && i%differing == 0 {
				e.SHA256[3] = 2
			}
			e.MD5 = [16]byte(e.SHA256[:16])
			if !yield(e, nil) {
				return
			}
		}
	}
}

// BenchmarkWrite writes manifest.jsonl and SHA256SUMS to disk, fsync and all.
func BenchmarkWrite(b *testing.B) {
	root := openRoot(b, b.TempDir())
	n := *benchEntries
	for b.Loop() {
		_, err := manifest.Write(root, manifest.Header{Complete: true}, func() iter.Seq2[manifest.Entry, error] { return quick(n, 0) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkDiff compares two manifests on disk, one entry in a hundred of which differs.
func BenchmarkDiff(b *testing.B) {
	n := *benchEntries
	var names []string
	for _, differing := range []int{0, 100} {
		dir := b.TempDir()
		_, err := manifest.Write(openRoot(b, dir), manifest.Header{}, func() iter.Seq2[manifest.Entry, error] { return quick(n, differing) })
		if err != nil {
			b.Fatal(err)
		}
		names = append(names, filepath.Join(dir, manifest.Name))
	}
	memory := 0
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), diffEnv+"="+strings.Join(names, string(filepath.ListSeparator)))
		out, err := cmd.Output()
		differences, kb := 0, 0
		if _, e := fmt.Sscan(string(out), &differences, &kb); err != nil || e != nil || differences != (n+99)/100 {
			b.Fatalf("%v, %v, %s", err, e, out)
		}
		memory = max(memory, kb)
	}
	b.ReportMetric(float64(memory)*1024/1e6, "MB")
}

// BenchmarkVerifySide reads the same files by Verify and by openssl, one process a processor, in turn. It reports the median
// of the ratio of their speeds; without openssl, Verify's alone.
func BenchmarkVerifySide(b *testing.B) {
	const files = 64
	dir := b.TempDir()
	text, names := sideFiles(b, dir, files, *benchBytes/files)
	root := openRoot(b, dir)
	_, missing := exec.LookPath("openssl")
	var ratios []float64
	var took [2]time.Duration // Verify, openssl
	for b.Loop() {
		since := time.Now()
		r, err := manifest.Open(strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		if totals, err := manifest.Verify(b.Context(), root, r, manifest.VerifyConfig{}); err != nil || totals.OK != files {
			b.Fatal(totals, err)
		}
		ours := time.Since(since)
		took[0] += ours
		if missing != nil {
			continue
		}
		theirs := openssl(b, dir, names)
		took[1] += theirs
		ratios = append(ratios, theirs.Seconds()/ours.Seconds())
	}
	b.ReportMetric(float64(*benchBytes)*float64(b.N)/took[0].Seconds()/1e6, "MB/s")
	if len(ratios) > 0 {
		slices.Sort(ratios)
		b.ReportMetric(float64(*benchBytes)*float64(b.N)/took[1].Seconds()/1e6, "openssl-MB/s")
		b.ReportMetric(ratios[len(ratios)/2], "ratio")
	}
}

// sideFiles makes files of a size below dir and returns their manifest and names.
func sideFiles(b *testing.B, dir string, files int, size int64) (text string, names []string) {
	b.Helper()
	block := make([]byte, 1<<20)
	var entries []manifest.Entry
	for i := range files {
		for j := range block {
			block[j] = byte(i + j*j>>3)
		}
		name := fmt.Sprintf("jw%05d_cal.fits", i)
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		h := sha256.New()
		w := io.MultiWriter(f, h)
		for left := size; left > 0; left -= int64(len(block)) {
			if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		e := manifest.Entry{URI: "mast:JWST/product/" + name, Path: name, Size: size, Proof: "size", Level: manifest.LevelUnknown}
		h.Sum(e.SHA256[:0])
		entries, names = append(entries, e), append(names, name)
	}
	return encoded(b, entries...), names
}

// openssl hashes the files by as many processes as there are processors, and returns how long that took.
func openssl(b *testing.B, dir string, names []string) time.Duration {
	b.Helper()
	since := time.Now()
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		args := []string{"dgst", "-sha256"}
		for j := i; j < len(names); j += n {
			args = append(args, names[j])
		}
		cmd := exec.CommandContext(b.Context(), "openssl", args...)
		cmd.Dir = dir
		outs = append(outs, new(bytes.Buffer))
		cmd.Stdout = outs[i]
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	lines := 0
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		lines += bytes.Count(outs[i].Bytes(), []byte("\n"))
	}
	if lines != len(names) {
		b.Fatalf("openssl hashed %d files of %d", lines, len(names))
	}
	return time.Since(since)
}
