package fetcher_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// found is a directory of the user's with files that have the names of the archive's.
type found struct {
	*world
	dir string
}

func newFound(t *testing.T, n int) *found {
	t.Helper()
	var files []masttest.File
	for i := range n {
		files = append(files, exposure(i, "cal", 28800))
	}
	return &found{newWorld(t, masttest.Config{}, files...), t.TempDir()}
}

// content is what the archive serves for the i-th file.
func (w *found) content(i int) []byte {
	w.t.Helper()
	r, ok := w.server.Content("mast:JWST/product/" + exposure(i, "cal", 0).Name)
	if !ok {
		w.t.Fatalf("the archive has no file %d", i)
	}
	b, err := io.ReadAll(r)
	w.must(err)
	return b
}

// put writes bytes below dir under the name of the i-th file.
func (w *found) put(dir string, i int, b []byte) string {
	w.t.Helper()
	name := filepath.Join(dir, exposure(i, "cal", 0).Name)
	w.must(os.MkdirAll(dir, 0o777))
	w.must(os.WriteFile(name, b, 0o644))
	return name
}

// candidates yields what lies under the names of files that are not done, below final names and in the directory.
func (w *found) candidates(q *queue.Queue, here *os.Root) (iter.Seq2[fetcher.Candidate, error], func()) {
	w.t.Helper()
	dir, err := os.OpenRoot(w.dir)
	w.must(err)
	return func(yield func(fetcher.Candidate, error) bool) {
		for f, err := range q.Files(w.t.Context(), queue.Filter{}) {
			w.must(err)
			if f.State == queue.Done {
				continue
			}
			if _, err := here.Lstat(f.Path); err == nil && !yield(fetcher.Candidate{File: f, Root: here, Name: f.Path}, nil) {
				return
			}
			err = fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
				if err == nil && d.Name() == filepath.Base(f.Path) && !yield(fetcher.Candidate{File: f, Root: dir, Name: name}, nil) {
					return fs.SkipAll
				}
				return err
			})
			w.must(err)
		}
	}, func() { w.must(dir.Close()) }
}

// take makes a run that may adopt. It dies at the step with number kill; 0: it does not.
func (w *found) take(by fetcher.AdoptBy, kill int64) (res fetcher.Result, died bool) {
	w.t.Helper()
	ctx := w.t.Context()
	q := w.open()
	defer w.close(q)
	root, err := os.OpenRoot(w.world.dir)
	w.must(err)
	defer root.Close()
	client, err := mast.New(mast.Config{BaseURL: w.server.URL, Spool: w.t.TempDir()})
	w.must(err)
	defer client.Close()
	cfg := w.cfg
	archive := fetcher.MAST{Client: client}
	cfg.Queue, cfg.Root, cfg.Source, cfg.Archive, cfg.AdoptBy, cfg.Linger = q, root, archive, archive, by, time.Second
	w.notes = &notes{ended: map[string]string{}}
	cfg.Reporter = w.notes
	var end func()
	cfg.Candidates, end = w.candidates(q, root)
	defer end()
	cfg.RunID, err = q.StartRun(ctx, queue.RunInfo{Command: "test"})
	w.must(err)
	f, err := fetcher.New(cfg)
	w.must(err)
	var steps atomic.Int64
	if kill > 0 {
		fetcher.SetKill(f, func(string) bool { return steps.Add(1) >= kill })
	}
	res, err = f.Run(ctx)
	if errors.Is(err, fetcher.ErrKilled) {
		return res, true
	}
	w.must(err)
	if kill == 0 {
		w.check(q, root)
	}
	return res, steps.Load() >= kill && kill > 0
}

// TestAdopt: what proves right is taken over without a request, what does not is fetched, and the user's files stay as they
// are unless they are to be moved.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, by := range []fetcher.AdoptBy{"", fetcher.AdoptCopy, fetcher.AdoptLink, fetcher.AdoptMove} {
		t.Run("by "+string(by), func(t *testing.T) {
			t.Parallel()
			w := newFound(t, 6)
			w.plan()
			wrong := bytes.Clone(w.content(1))
			wrong[9000] ^= 1
			originals := map[string][]byte{}
			put := func(dir string, i int, b []byte) string {
				name := w.put(dir, i, b)
				originals[name] = b
				return name
			}
			put(filepath.Join(w.dir, "a"), 0, w.content(0))
			put(filepath.Join(w.dir, "a"), 1, wrong)
			put(filepath.Join(w.dir, "b"), 1, w.content(1)) // the second candidate is right
			put(filepath.Join(w.dir, "a"), 2, w.content(2)[:2880])
			put(filepath.Join(w.dir, "a"), 3, bytes.Repeat([]byte{0}, 28800))
			w.put(filepath.Join(w.world.dir, "JWST", obsFolder(4)), 4, w.content(4)) // stands at its final name
			blob := w.put(filepath.Join(w.dir, "store"), 5, w.content(5))
			w.must(os.Rename(blob, filepath.Join(w.dir, "store", "blob")))
			w.must(os.Symlink("store/blob", filepath.Join(w.dir, exposure(5, "cal", 0).Name)))
			res, _ := w.take(by, 0)
			if res.Adopted.Files != 4 || res.Adopted.Bytes != 4*28800 || res.Files != 2 {
				t.Errorf("adopted %d files, %d bytes, fetched %d; want 4, %d, 2", res.Adopted.Files, res.Adopted.Bytes, res.Files, 4*28800)
			}
			if want := map[string]int64{fetcher.LeftChecksum: 2, fetcher.LeftLength: 1}; !maps.Equal(res.Adopted.Left, want) {
				t.Errorf("left %v, want %v", res.Adopted.Left, want)
			}
			for name, row := range w.wantWhole() {
				if adopted := row.Source == "adopted"; adopted == (name == exposure(2, "cal", 0).Name || name == exposure(3, "cal", 0).Name) || row.Proof != queue.ProofArchive {
					t.Errorf("%s comes from %s, proof %s", name, row.Source, row.Proof)
				}
			}
			for name, want := range originals {
				got, err := os.ReadFile(name)
				moved := by == fetcher.AdoptMove && len(want) == 28800 && !bytes.Equal(want, wrong) && want[0] != 0
				if moved != errors.Is(err, fs.ErrNotExist) || !moved && !bytes.Equal(got, want) {
					t.Errorf("the original %s is changed, or there = %v: %v", name, !moved, err)
				}
			}
			if res, _ := w.take(by, 0); res.Requests != 0 || res.Adopted.Files != 0 {
				t.Errorf("a second run made %d requests and adopted %d files", res.Requests, res.Adopted.Files)
			}
		})
	}
}

func obsFolder(i int) string {
	name, _, _ := strings.Cut(exposure(i, "cal", 0).Name, "_cal")
	return name
}

// TestAdoptWithoutChecksum: neither length nor structure prove a file on disk; the SHA-256 that a manifest demands does.
func TestAdoptWithoutChecksum(t *testing.T) {
	t.Parallel()
	w := newFound(t, 2)
	w.sums = false
	w.plan()
	for i := range 2 {
		w.put(w.dir, i, w.content(i))
	}
	q := w.open()
	uri := "mast:JWST/product/" + exposure(1, "cal", 0).Name
	w.must(q.SetWant(t.Context(), uri, unhex(w.server.SHA256(uri))))
	w.close(q)
	res, _ := w.take(fetcher.AdoptCopy, 0)
	if res.Adopted.Files != 1 || res.Files != 1 || res.Adopted.Left[fetcher.LeftNoChecksum] != 1 {
		t.Errorf("adopted %+v, fetched %d; want one each", res.Adopted, res.Files)
	}
	if row := w.rows()[exposure(1, "cal", 0).Name]; row.Proof != queue.ProofManifest || row.Source != "adopted" {
		t.Errorf("proof is %s from %s, want manifest from adopted", row.Proof, row.Source)
	}
}

// TestAdoptStates: what a file waits for does not matter if its bytes are here.
func TestAdoptStates(t *testing.T) {
	t.Parallel()
	w := newFound(t, 4)
	w.plan()
	q := w.open()
	run, err := q.StartRun(t.Context(), queue.RunInfo{Command: "test"})
	w.must(err)
	jobs, err := q.Claim(t.Context(), run, 3, queue.OrderPlan)
	w.must(err)
	w.must(q.Fail(t.Context(), jobs[0], queue.Outcome{Reason: queue.ReasonDenied}))
	w.must(q.Wait(t.Context(), jobs[1], queue.Outcome{Reason: queue.ReasonReprocessing, DueAt: time.Now().Add(time.Hour)}))
	w.must(q.Park(t.Context(), jobs[2], queue.Outcome{Reason: queue.ReasonNeedsToken}))
	w.close(q)
	for i := range 4 {
		w.put(w.dir, i, w.content(i))
	}
	if res, _ := w.take(fetcher.AdoptCopy, 0); res.Adopted.Files != 4 || res.Requests != 0 {
		t.Errorf("adopted %d files with %d requests, want 4 with none", res.Adopted.Files, res.Requests)
	}
	w.wantWhole()
}

// TestAdoptKilled kills the adoption at each of its steps in turn: the next run ends with all files right, nothing of the
// user's lost or changed, and nothing fetched.
func TestAdoptKilled(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"copy", "link", "move", "in place", "over a part"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			by := fetcher.AdoptBy(where)
			if where == "in place" || where == "over a part" {
				by = fetcher.AdoptLink
			}
			for kill := int64(1); ; kill++ {
				if kill > 50 {
					t.Fatal("the run never ends")
				}
				w := newFound(t, 1)
				w.plan()
				dir := w.dir
				switch where {
				case "in place":
					dir = filepath.Join(w.world.dir, "JWST", obsFolder(0))
				case "over a part":
					w.leavePart(w.content(0)[:5000])
				}
				original := w.put(dir, 0, w.content(0))
				_, died := w.take(by, kill)
				got, err := os.ReadFile(original)
				if gone := errors.Is(err, fs.ErrNotExist); !gone && !bytes.Equal(got, w.content(0)) || gone && by != fetcher.AdoptMove {
					t.Fatalf("after a kill at step %d the original is changed: %v", kill, err)
				}
				res, _ := w.take(by, 0)
				w.wantWhole()
				if res.Requests != 0 {
					t.Errorf("after a kill at step %d the file was fetched", kill)
				}
				if !died {
					return
				}
			}
		})
	}
}

// TestAdoptInPlaceOverPart: what an earlier run left of a file goes once the whole is found at its final name.
func TestAdoptInPlaceOverPart(t *testing.T) {
	t.Parallel()
	w := newFound(t, 1)
	w.plan()
	w.leavePart(w.content(0)[:5000])
	w.put(filepath.Join(w.world.dir, "JWST", obsFolder(0)), 0, w.content(0))
	if res, _ := w.take(fetcher.AdoptCopy, 0); res.Adopted.Files != 1 || res.Requests != 0 {
		t.Errorf("adopted %d files with %d requests, want one with none", res.Adopted.Files, res.Requests)
	}
	w.wantWhole() // take has looked for a part that no row names
}

// TestAdoptKeepsPart: what an earlier run left of a file stays, byte for byte, until the file is done, whatever ends its
// adoption before: an error, or a kill at any step. Then the file is fetched from where the part ends.
func TestAdoptKeepsPart(t *testing.T) {
	t.Parallel()
	const had = 5000
	for _, by := range []fetcher.AdoptBy{fetcher.AdoptCopy, fetcher.AdoptLink} {
		for kill := int64(0); ; kill++ {
			w := newFound(t, 1)
			w.plan()
			w.leavePart(w.content(0)[:had])
			q := w.open()
			w.must(q.SetTrust(t.Context(), queue.TrustProven)) // so that the part can be continued
			w.close(q)
			original := w.put(w.dir, 0, w.content(0))
			final := filepath.Join(w.world.dir, "JWST", obsFolder(0), exposure(0, "cal", 0).Name)
			if kill == 0 {
				w.must(os.MkdirAll(final, 0o777)) // it is in the way
			}
			res, died := w.take(by, kill)
			if kill > 0 && !died {
				break
			}
			if kill == 0 {
				if row := w.rows()[exposure(0, "cal", 0).Name]; row.Reason != queue.ReasonRefusedPath || res.Adopted.Files != 0 {
					t.Fatalf("the file is %s (%s), %d adopted", row.State, row.Reason, res.Adopted.Files)
				}
				part, err := os.ReadFile(filepath.Join(w.world.dir, filepath.FromSlash(fetcher.PartPath("mast:JWST/product/"+exposure(0, "cal", 0).Name, "0123abcd"))))
				if err != nil || !bytes.Equal(part, w.content(0)[:had]) {
					t.Errorf("by %s: the part has %d bytes (%v), want the %d it had", by, len(part), err, had)
				}
				w.must(os.Remove(final))
				q := w.open()
				_, err = q.Retry(t.Context(), queue.RetryFilter{})
				w.must(err)
				w.close(q)
			}
			_, err := os.Lstat(final)
			placed := err == nil
			w.must(os.Remove(original))
			res, err = w.run(t.Context())
			if want := int64(28800 - had); err != nil || res.Bytes != want && !placed || res.Bytes != 0 && placed {
				t.Errorf("by %s, killed at step %d: in place %v, and %d bytes were fetched, want %d of a file that is not: %v", by, kill, placed, res.Bytes, want, err)
			}
			w.wantWhole()
		}
	}
}

// leavePart has the first file's row name a part with these bytes.
func (w *found) leavePart(b []byte) {
	w.t.Helper()
	q := w.open()
	defer w.close(q)
	ctx := w.t.Context()
	run, err := q.StartRun(ctx, queue.RunInfo{Command: "test"})
	w.must(err)
	jobs, err := q.Claim(ctx, run, 1, queue.OrderPlan)
	w.must(err)
	name := filepath.Join(w.world.dir, filepath.FromSlash(fetcher.PartPath(jobs[0].URI, "0123abcd")))
	w.must(os.MkdirAll(filepath.Dir(name), 0o777))
	w.must(os.WriteFile(name, b, 0o644))
	w.must(q.Release(ctx, jobs[0], queue.Part{Token: "0123abcd", Source: "mast", Boot: q.Owner().BootID, Durable: int64(len(b)), Size: 28800, Checksum: jobs[0].Checksum}))
}

// TestAdoptedPartIsNeverWrittenTo: a part that is a hard link to a file of the user's is not continued, whatever the queue
// says of it: cutting it to its length would cut the user's file, which has grown since.
func TestAdoptedPartIsNeverWrittenTo(t *testing.T) {
	t.Parallel()
	w := newFound(t, 1)
	w.plan()
	wrong := bytes.Repeat([]byte("x"), 40000)
	original := w.put(w.dir, 0, wrong)
	w.leavePart(nil)
	q := w.open()
	run, err := q.StartRun(t.Context(), queue.RunInfo{Command: "test"})
	w.must(err)
	jobs, err := q.Claim(t.Context(), run, 1, queue.OrderPlan)
	w.must(err)
	name := filepath.Join(w.world.dir, filepath.FromSlash(fetcher.PartPath(jobs[0].URI, "0123abcd")))
	w.must(os.Remove(name))
	w.must(os.Link(original, name))
	w.must(q.SetTrust(t.Context(), queue.TrustProven)) // the checksum would prove the whole
	w.must(q.Release(t.Context(), jobs[0], queue.Part{Token: "0123abcd", Source: "adopted", Boot: q.Owner().BootID, Durable: 28800, Size: 28800, Checksum: jobs[0].Checksum}))
	w.close(q)
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if got, err := os.ReadFile(original); err != nil || !bytes.Equal(got, wrong) {
		t.Errorf("the user's file was written to: %v", err)
	}
}
