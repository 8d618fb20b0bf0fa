package manifest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/fits"
	"jwstbulk/manifest"
)

func sortEntries(entries []manifest.Entry) {
	slices.SortFunc(entries, func(a, b manifest.Entry) int { return strings.Compare(a.URI, b.URI) })
}

// verify writes a manifest of entries, verifies dir against it, and returns the states by path.
func verify(tb testing.TB, dir string, entries []manifest.Entry, cfg manifest.VerifyConfig) (map[string]manifest.Result, manifest.Totals) {
	tb.Helper()
	r, err := manifest.Open(strings.NewReader(encoded(tb, entries...)))
	if err != nil {
		tb.Fatal(err)
	}
	got := make(map[string]manifest.Result)
	cfg.Report = func(r manifest.Result) { got[r.Entry.Path] = r }
	totals, err := manifest.Verify(tb.Context(), openRoot(tb, dir), r, cfg)
	if err != nil {
		tb.Fatalf("Verify: %v", err)
	}
	return got, totals
}

func states(results map[string]manifest.Result) map[string]manifest.State {
	out := make(map[string]manifest.State)
	for p, r := range results {
		out[p] = r.State
	}
	return out
}

// campaign is a directory with one file for each way a file can be.
func campaign(tb testing.TB) (string, []manifest.Entry) {
	tb.Helper()
	dir := tb.TempDir()
	head, err := fits.Primary(8).Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	entries := tree(tb, dir, map[string]string{
		"JWST/a/whole.fits": string(head), "JWST/a/halt.fits": "not fits", "JWST/a/short.fits": "12345", "JWST/a/rotten.fits": "12345",
		"JWST/b/edited.fits": "12345", "JWST/b/gone.fits": "12345", "JWST/b/link.fits": "12345", "JWST/b/dir.fits": "12345",
		"JWST/b/pipe.fits": "12345", "JWST/c/lost.fits": "12345", "JWST/d/out.fits": "12345", "flat.json": "{}", "empty.csv": ""})
	at := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	old := time.Now().Add(-time.Hour)
	for _, err := range []error{
		os.WriteFile(at("JWST/a/short.fits"), []byte("1234"), 0o644),
		os.WriteFile(at("JWST/a/rotten.fits"), []byte("12346"), 0o644),
		os.Chtimes(at("JWST/a/rotten.fits"), old, old),
		os.WriteFile(at("JWST/b/edited.fits"), []byte("12346"), 0o644),
		os.Remove(at("JWST/b/gone.fits")),
		os.Remove(at("JWST/b/link.fits")), os.Symlink("edited.fits", at("JWST/b/link.fits")),
		os.Remove(at("JWST/b/dir.fits")), os.Mkdir(at("JWST/b/dir.fits"), 0o755),
		os.Remove(at("JWST/b/pipe.fits")), syscall.Mkfifo(at("JWST/b/pipe.fits"), 0o644),
		os.RemoveAll(at("JWST/c")), os.WriteFile(at("JWST/c"), nil, 0o644),
		os.RemoveAll(at("JWST/d")), os.Symlink(os.TempDir(), at("JWST/d")),
		os.WriteFile(at("JWST/a/mine.txt"), []byte("abc"), 0o644),
		os.WriteFile(at("notes.txt"), nil, 0o644),
		os.MkdirAll(at(".jwstbulk/part"), 0o755), os.WriteFile(at(".jwstbulk/part/x.part"), nil, 0o644),
		os.MkdirAll(at("own"), 0o755), os.WriteFile(at("own/paper.tex"), nil, 0o644),
		os.WriteFile(at(manifest.Name), nil, 0o644), os.WriteFile(at(manifest.SumsName), nil, 0o644),
		os.WriteFile(at(manifest.Name+".0123abcd.tmp"), nil, 0o644),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return dir, entries
}

func TestVerifyStates(t *testing.T) {
	t.Parallel()
	dir, entries := campaign(t)
	// At size level the two files of the right length pass.
	size := map[string]manifest.State{
		"JWST/a/whole.fits": manifest.StateOK, "JWST/a/halt.fits": manifest.StateOK, "JWST/a/short.fits": manifest.StateModified,
		"JWST/a/rotten.fits": manifest.StateOK, "JWST/b/edited.fits": manifest.StateOK, "JWST/b/gone.fits": manifest.StateMissing,
		"JWST/b/link.fits": manifest.StateModified, "JWST/b/dir.fits": manifest.StateModified, "JWST/b/pipe.fits": manifest.StateModified,
		"JWST/c/lost.fits": manifest.StateMissing, "JWST/d/out.fits": manifest.StateUnreadable,
		"flat.json": manifest.StateOK, "empty.csv": manifest.StateOK,
		"JWST/a/mine.txt": manifest.StateExtra, "JWST/c": manifest.StateExtra, "JWST/d": manifest.StateExtra, "notes.txt": manifest.StateExtra,
	}
	results, totals := verify(t, dir, entries, manifest.VerifyConfig{Level: manifest.LevelSize, Workers: 3})
	if diff := cmp.Diff(size, states(results)); diff != "" {
		t.Errorf("size (-want +got):\n%s", diff)
	}
	if want := (manifest.Totals{OK: 6, Modified: 4, Missing: 2, Unreadable: 1, Extra: 4}); totals != want || totals.Bad() != 7 {
		t.Errorf("Totals = %+v, want %+v and 7 bad", totals, want)
	}

	digest := size
	digest["JWST/a/rotten.fits"], digest["JWST/b/edited.fits"] = manifest.StateCorrupt, manifest.StateModified
	since := time.Now().Add(-time.Minute)
	results, totals = verify(t, dir, entries, manifest.VerifyConfig{Since: since})
	if diff := cmp.Diff(digest, states(results)); diff != "" {
		t.Errorf("digest (-want +got):\n%s", diff)
	}
	if totals.Flagged != 0 || totals.Bytes != 2880+8+5+5+2 {
		t.Errorf("Totals = %+v, want 2900 bytes and none flagged", totals)
	}
	var wrong *manifest.DigestError
	var length *manifest.SizeError
	if !errors.As(results["JWST/a/rotten.fits"].Err, &wrong) || !errors.As(results["JWST/a/short.fits"].Err, &length) || length.Got != 4 {
		t.Errorf("errors %v and %v, want a DigestError and a SizeError", results["JWST/a/rotten.fits"].Err, results["JWST/a/short.fits"].Err)
	}
	for p, r := range results {
		if (r.Why == "") != (r.State == manifest.StateOK) {
			t.Errorf("%s is %s, Why = %q", p, r.State, r.Why)
		}
	}

	results, totals = verify(t, dir, entries, manifest.VerifyConfig{Level: manifest.LevelFITS, NoExtra: true})
	var broken *fits.StructureError
	for p, flagged := range map[string]bool{"JWST/a/whole.fits": false, "JWST/a/halt.fits": true, "flat.json": false, "empty.csv": true} {
		if r := results[p]; r.State != manifest.StateOK || errors.As(r.Err, &broken) != flagged || (r.Why != "") != flagged {
			t.Errorf("%s: %+v, want ok and flagged = %v", p, r, flagged)
		}
	}
	if totals.Flagged != 2 || totals.Extra != 0 {
		t.Errorf("Totals = %+v, want 2 flagged and no search for extra files", totals)
	}
	if r := results["JWST/b/edited.fits"]; r.State != manifest.StateCorrupt {
		t.Errorf("without Since an edited file is %s, want corrupt", r.State)
	}
}

func TestVerifyChangesNothing(t *testing.T) {
	t.Parallel()
	dir, entries := campaign(t)
	list := func() (out []string) {
		if err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				out = append(out, p+info.Mode().String()+info.ModTime().String())
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := list()
	verify(t, dir, entries, manifest.VerifyConfig{Level: manifest.LevelFITS})
	if diff := cmp.Diff(before, list()); diff != "" {
		t.Errorf("the tree has changed (-before +after):\n%s", diff)
	}
}

func TestVerifyErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bodies := make(map[string]string)
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		bodies["JWST/"+string(c)+".fits"] = strings.Repeat(string(c), 100)
	}
	entries := tree(t, dir, bodies)
	text := encoded(t, entries...)
	open := func(text string) *manifest.Reader {
		r, err := manifest.Open(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	root := openRoot(t, dir)
	for _, cfg := range []manifest.VerifyConfig{{Level: "deep"}, {Workers: -1}} {
		if _, err := manifest.Verify(t.Context(), root, open(text), cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
	var p *manifest.ParseError
	totals, err := manifest.Verify(t.Context(), root, open(text[:len(text)-200]), manifest.VerifyConfig{})
	if !errors.As(err, &p) || !errors.Is(err, manifest.ErrTruncated) || totals.Extra != 0 {
		t.Errorf("cut manifest: %+v, %v; want ErrTruncated and no talk of extra files", totals, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	totals, err = manifest.Verify(ctx, root, open(text), manifest.VerifyConfig{Workers: 2, Report: func(manifest.Result) {
		if n++; n == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || totals.OK < 3 || totals.OK > 10 || totals.Bad() > 0 {
		t.Errorf("cancelled: %+v, %v; want about 3 ok and the context's error", totals, err)
	}
}

// TestVerifyTreeThatChanges changes files while others are read: each is judged as it is when its turn comes, and no change
// is taken for decay.
func TestVerifyTreeThatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entries := tree(t, dir, map[string]string{"JWST/a.fits": "aaaa", "JWST/b.fits": "bbbb", "JWST/c.fits": "cccc", "JWST/d.fits": "dddd",
		"JWST/e.fits": "eeee", "JWST/f.fits": "ffff"})
	at := func(name string) string { return filepath.Join(dir, "JWST", name+".fits") }
	change := func() error {
		return errors.Join(
			os.WriteFile(at("b"), []byte("BBBB"), 0o600), os.Remove(at("c")),
			os.Remove(at("d")), os.Mkdir(at("d"), 0o700),
			os.WriteFile(at("e"), []byte("eeeee"), 0o600),
			os.Remove(at("f")), syscall.Mkfifo(at("f"), 0o600))
	}
	got := map[string]manifest.State{}
	r, err := manifest.Open(strings.NewReader(encoded(t, entries...)))
	if err != nil {
		t.Fatal(err)
	}
	cfg := manifest.VerifyConfig{Workers: 1, Since: time.Now().Add(-time.Minute), Report: func(r manifest.Result) {
		got[strings.TrimSuffix(filepath.Base(r.Entry.Path), ".fits")] = r.State
		if len(got) == 1 {
			if err := change(); err != nil {
				t.Error(err)
			}
		}
	}}
	if _, err := manifest.Verify(t.Context(), openRoot(t, dir), r, cfg); err != nil {
		t.Fatal(err)
	}
	want := map[string]manifest.State{"a": "ok", "b": "modified", "c": "missing", "d": "modified", "e": "modified", "f": "modified"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestVerifyFileThatIsWrittenTo writes to a file all the while it is verified.
func TestVerifyFileThatIsWrittenTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	body := strings.Repeat("x", 2<<20)
	entries := tree(t, dir, map[string]string{"JWST/a.fits": body})
	text, root := encoded(t, entries...), openRoot(t, dir)
	since := time.Now().Add(-time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		f, err := os.OpenFile(filepath.Join(dir, "JWST/a.fits"), os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := f.WriteAt([]byte{"xy"[i%2]}, int64(i%len(body))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		r, err := manifest.Open(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		totals, err := manifest.Verify(ctx, root, r, manifest.VerifyConfig{Since: since})
		if err != nil || totals.OK+totals.Modified != 1 {
			t.Errorf("%+v, %v; want the file ok or modified", totals, err)
		}
	}
	cancel()
	wg.Wait()
}

func TestVerifyEmptyManifest(t *testing.T) {
	t.Parallel()
	if _, totals := verify(t, t.TempDir(), nil, manifest.VerifyConfig{}); totals != (manifest.Totals{}) {
		t.Errorf("Totals = %+v, want zero", totals)
	}
}

func BenchmarkVerify(b *testing.B) {
	const files, size = 16, 32 << 20
	dir := b.TempDir()
	bodies := make(map[string]string)
	for i := range files {
		bodies["JWST/"+string(rune('a'+i))+".fits"] = strings.Repeat(string(rune('a'+i)), size)
	}
	text := encoded(b, tree(b, dir, bodies)...)
	root := openRoot(b, dir)
	for _, level := range []manifest.Level{manifest.LevelDigest, manifest.LevelFITS} {
		b.Run(string(level), func(b *testing.B) {
			b.SetBytes(files * size)
			for b.Loop() {
				r, err := manifest.Open(strings.NewReader(text))
				if err != nil {
					b.Fatal(err)
				}
				if totals, err := manifest.Verify(b.Context(), root, r, manifest.VerifyConfig{Level: level}); err != nil || totals.OK != files {
					b.Fatal(totals, err)
				}
			}
		})
	}
}
