package manifest_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/manifest"
)

// tree writes bodies below dir and returns their entries, sorted.
func tree(tb testing.TB, dir string, bodies map[string]string) []manifest.Entry {
	tb.Helper()
	var entries []manifest.Entry
	for p, body := range bodies {
		full := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(body), 0o644); err != nil {
			tb.Fatal(err)
		}
		e := entry("", filepath.Base(p), []byte(body))
		e.Path = p
		entries = append(entries, e)
	}
	sortEntries(entries)
	return entries
}

func again(entries []manifest.Entry) func() iter.Seq2[manifest.Entry, error] {
	return func() iter.Seq2[manifest.Entry, error] { return all(entries...) }
}

func read(tb testing.TB, dir, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entries := tree(t, dir, map[string]string{"JWST/a/x_cal.fits": "xxx", "JWST/b/y_cal.fits": "yy", "JWST/b/z.json": "{}"})
	root := openRoot(t, dir)
	name, err := manifest.Write(root, manifest.Header{Complete: true}, again(entries))
	if err != nil {
		t.Fatal(err)
	}
	h, got, err := decode(read(t, dir, manifest.Name))
	if err != nil || h.Root != name || h.Files != 3 || h.Bytes != 7 {
		t.Errorf("Header = %+v, %v; want root %s, 3 files, 7 bytes", h, err, name)
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	want := ""
	for _, e := range entries {
		want += fmt.Sprintf("%x  %s\n", e.SHA256, e.Path)
	}
	if diff := cmp.Diff(want, read(t, dir, manifest.SumsName)); diff != "" {
		t.Errorf("SHA256SUMS (-want +got):\n%s", diff)
	}
	first := read(t, dir, manifest.Name)
	if _, err := manifest.Write(root, manifest.Header{Complete: true}, again(entries)); err != nil || read(t, dir, manifest.Name) != first {
		t.Errorf("written twice: %v, or other bytes", err)
	}
}

func TestRootDoesNotDependOnLayout(t *testing.T) {
	t.Parallel()
	a, b := full(), full()
	b.Path, b.Proof, b.Obs, b.MD5, b.Level = "flat.fits", "double", nil, [16]byte{}, -1
	if _, _, ra, err := manifest.Sum(all(a)); err != nil {
		t.Error(err)
	} else if _, _, rb, err := manifest.Sum(all(b)); err != nil || ra != rb {
		t.Errorf("roots %s and %s, %v", ra, rb, err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%x  %s\n", a.SHA256, a.URI)))
	if _, _, got, err := manifest.Sum(all(a)); err != nil || got != want {
		t.Errorf("root %s, %v; want %s", got, err, want)
	}
}

func TestWriteLeavesTheOldOnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := openRoot(t, dir)
	if _, err := manifest.Write(root, manifest.Header{}, again([]manifest.Entry{full()})); err != nil {
		t.Fatal(err)
	}
	before, sums := read(t, dir, manifest.Name), read(t, dir, manifest.SumsName)
	boom := errors.New("row lost")
	calls := 0
	for name, entries := range map[string]func() iter.Seq2[manifest.Entry, error]{
		"bad entry": again([]manifest.Entry{{}}),
		"iterator fails": func() iter.Seq2[manifest.Entry, error] {
			return func(yield func(manifest.Entry, error) bool) { yield(manifest.Entry{}, boom) }
		},
		"entries change": func() iter.Seq2[manifest.Entry, error] {
			if calls++; calls == 2 {
				return all(bare())
			}
			return all(bare(), full())
		},
	} {
		if _, err := manifest.Write(root, manifest.Header{}, entries); err == nil || strings.Count(err.Error(), "writing manifest") != 1 {
			t.Errorf("%s: %v; want an error that says once what was done", name, err)
		}
		if read(t, dir, manifest.Name) != before || read(t, dir, manifest.SumsName) != sums {
			t.Errorf("%s: the files have changed", name)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v; want the manifest and the sums only", names, err)
	}
}

// shell runs a command line of docs/manifest.md in dir.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// The promise to those without jwstbulk: coreutils check the files and compute the root.
func TestCoreutilsAgree(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("sha256sum is not installed")
	}
	dir := t.TempDir()
	entries := tree(t, dir, map[string]string{"JWST/a/x_cal.fits": "xxx", `JWST/odd/back\slash.fits`: "yy", "JWST/odd/é and blank.json": "{}"})
	name, err := manifest.Write(openRoot(t, dir), manifest.Header{}, again(entries))
	if err != nil {
		t.Fatal(err)
	}
	shell(t, dir, "sha256sum --check --strict --quiet SHA256SUMS")
	plain := t.TempDir()
	name2, err := manifest.Write(openRoot(t, plain), manifest.Header{}, again([]manifest.Entry{bare(), full()}))
	if err != nil {
		t.Fatal(err)
	}
	const awk = `awk -F'"' 'NR > 1 { print $14 "  " $4 }' manifest.jsonl | sha256sum | cut -d' ' -f1`
	if got := shell(t, plain, awk); got != name2 {
		t.Errorf("awk: root %s, want %s", got, name2)
	}
	if _, err := exec.LookPath("jq"); err == nil {
		const jq = `tail -n +2 manifest.jsonl | jq -r '"\(.sha256)  \(.uri)"' | sha256sum | cut -d' ' -f1`
		if got := shell(t, dir, jq); got != name {
			t.Errorf("jq: root %s, want %s", got, name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "JWST/a/x_cal.fits"), []byte("xxy"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", "cd '"+dir+"' && sha256sum -c SHA256SUMS").CombinedOutput(); err == nil {
		t.Errorf("sha256sum accepts a changed file:\n%s", out)
	}
}

func TestWriteProvenance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	zone := time.FixedZone("", -7*3600)
	lines := []manifest.Provenance{
		{URI: "mast:JWST/product/a.fits", ETag: `"abc"`, LastModified: "Tue, 02 Jan 2024 03:04:05 GMT", Source: "s3", Rights: "PUBLIC",
			Release: time.Date(2024, 1, 2, 3, 4, 5, 999, time.UTC), Fetched: time.Date(2024, 2, 3, 23, 0, 0, 0, zone)},
		{URI: "mast:JWST/product/b.fits"},
	}
	err := manifest.WriteProvenance(openRoot(t, dir), func(yield func(manifest.Provenance, error) bool) {
		_ = yield(lines[0], nil) && yield(lines[1], nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"uri":"mast:JWST/product/a.fits","etag":"\"abc\"","last_modified":"Tue, 02 Jan 2024 03:04:05 GMT","source":"s3","rights":"PUBLIC","release":"2024-01-02T03:04:05Z","ingest":null,"fetched":"2024-02-04T06:00:00Z"}
{"uri":"mast:JWST/product/b.fits","etag":null,"last_modified":null,"source":null,"rights":null,"release":null,"ingest":null,"fetched":null}
`
	if diff := cmp.Diff(want, read(t, dir, manifest.ProvenanceName)); diff != "" {
		t.Errorf("provenance (-want +got):\n%s", diff)
	}
	boom := errors.New("row lost")
	err = manifest.WriteProvenance(openRoot(t, dir), func(yield func(manifest.Provenance, error) bool) { yield(manifest.Provenance{}, boom) })
	if !errors.Is(err, boom) || read(t, dir, manifest.ProvenanceName) != want {
		t.Errorf("error %v, or the old file is gone", err)
	}
}
