package fetcher_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// world is a simulated archive, a campaign directory and a queue that holds the archive's files.
type world struct {
	t      testing.TB
	server *masttest.Server
	dir    string
	cfg    fetcher.Config // what run passes on; tests change it before
	token  string
	sums   bool // the queue knows the archive's checksums
	sizes  bool // the queue knows the lengths
	notes  *notes

	skipAhead time.Duration     // how far the queue's clock is ahead
	transport http.RoundTripper // in place of the network
	headers   time.Duration     // how long the headers of a file are waited for
	hurried   bool              // look-ups of copies get no more time than outside tests
	unchecked bool              // run does not look for strays
	bucket    string            // address of the public copy; "" for none

	tune func(*fetcher.Fetcher) // called before each run; nil: nothing to do
}

// patient is longer than any answer takes on a machine that is busy with other things. Where it runs out an answer is really
// missing: how often a file is asked for, and where it comes from, must not depend on how fast the test is.
const patient = time.Minute

// notes is a Reporter that remembers.
type notes struct {
	mu    sync.Mutex // guards all below
	said  []string
	ended map[string]string // by file name: state and why
}

func (n *notes) Begin(*queue.Job, int64, int64) {}
func (n *notes) Bytes(*queue.Job, int64)        {}
func (n *notes) End(j *queue.Job, s queue.State, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended[path.Base(j.URI)] = string(s) + " " + why
}
func (n *notes) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.said = append(n.said, text)
}

func (n *notes) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.said, "\n")
}

// newWorld starts an archive with files of these names and sizes; checksums and sizes are known unless changed.
func newWorld(t testing.TB, cfg masttest.Config, files ...masttest.File) *world {
	t.Helper()
	cat, err := masttest.Custom(files...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Catalog = cat
	w := &world{t: t, server: masttest.Start(t, cfg), dir: t.TempDir(), sums: true, sizes: true, headers: patient}
	w.cfg = fetcher.Config{Jobs: 4, Rate: -1, Linger: 30 * time.Second, Stall: patient, MaxOutage: 20 * time.Second}
	return w
}

// exposure is a file of a made-up programme.
func exposure(n int, suffix string, size int64) masttest.File {
	return masttest.File{Name: fmt.Sprintf("jw01234001001_02101_%05d_nrca1_%s.fits", n, suffix), Size: size}
}

// plan puts all files of the archive into the queue.
func (w *world) plan() {
	w.t.Helper()
	q := w.open()
	defer w.close(q)
	ctx := w.t.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{"test":true}`))
	w.must(err)
	w.must(q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "list"}}))
	c, ok, err := q.NextChunk(ctx, id)
	if err != nil || !ok {
		w.t.Fatalf("NextChunk = %v, %v", ok, err)
	}
	w.must(q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: w.listed(), Facts: w.facts()}))
	_, err = q.Offer(ctx, id, queue.OfferConfig{})
	w.must(err)
	w.must(q.FinishQuery(ctx, id, nil))
}

func (w *world) listed() iter.Seq2[queue.NewFile, error] {
	return func(yield func(queue.NewFile, error) bool) {
		for f := range w.server.Files(nil) {
			n := queue.NewFile{URI: f.URI, Name: f.Name, ObsID: f.ObsID, Own: true, Size: -1, Facts: queue.Facts{Level: -2}}
			if w.sizes {
				n.Size = f.Size
			}
			if f.ReleaseAt.After(time.Now()) {
				n.Facts.Rights, n.Facts.ReleaseAt = "EXCLUSIVE_ACCESS", f.ReleaseAt
			}
			if !yield(n, nil) {
				return
			}
		}
	}
}

func (w *world) facts() iter.Seq2[queue.KeywordFact, error] {
	return func(yield func(queue.KeywordFact, error) bool) {
		for f := range w.server.Files(nil) {
			if !w.sums || f.Product == "" {
				continue
			}
			sum, err := hex.DecodeString(w.server.MD5(f.URI))
			if !yield(queue.KeywordFact{URI: f.URI, Size: f.Size, Checksum: sum, Facts: queue.Facts{Level: -2}}, err) {
				return
			}
		}
	}
}

func (w *world) open() *queue.Queue {
	w.t.Helper()
	q, err := queue.Open(w.t.Context(), queue.Config{Dir: w.dir, Create: true, Command: "test",
		Now: func() time.Time { return time.Now().Add(w.skipAhead) }})
	w.must(err)
	return q
}

func (w *world) close(q *queue.Queue) { w.must(q.Close()) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until returns a context that ends when cond holds.
func (w *world) until(cond func() bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(w.t.Context())
	go func() {
		for ctx.Err() == nil && !cond() {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	return ctx, cancel
}

// run makes one run over the queue, as a process of its own would.
func (w *world) run(ctx context.Context) (fetcher.Result, error) {
	w.t.Helper()
	q := w.open()
	defer w.close(q)
	root, err := os.OpenRoot(w.dir)
	w.must(err)
	defer root.Close()
	client, err := mast.New(mast.Config{BaseURL: w.server.URL, Token: mast.NewToken(w.token), Connections: w.cfg.Jobs,
		HeaderTimeout: w.headers, RetryFor: 2 * time.Second, Spool: w.t.TempDir(), Transport: w.transport})
	w.must(err)
	defer client.Close()
	w.notes = &notes{ended: map[string]string{}}
	cfg := w.cfg
	cfg.Queue, cfg.Root, cfg.Reporter = q, root, w.notes
	cfg.Source, cfg.Archive = fetcher.MAST{Client: client}, fetcher.MAST{Client: client}
	if w.bucket != "" {
		b, err := mast.NewBucket(mast.Config{Token: mast.NewToken(w.token), HeaderTimeout: w.headers}, w.bucket)
		w.must(err)
		defer b.Close()
		cfg.Mirror = fetcher.S3{Client: client, Bucket: b}
	}
	cfg.RunID, err = q.StartRun(ctx, queue.RunInfo{Command: "test"})
	w.must(err)
	f, err := fetcher.New(cfg)
	w.must(err)
	if w.bucket != "" && !w.hurried {
		fetcher.SetLookUps(f, patient, patient)
	}
	if w.tune != nil {
		w.tune(f)
	}
	res, err := f.Run(ctx)
	if !w.unchecked {
		w.check(q, root)
	}
	return res, err
}

// check holds disk and queue against each other: every done row has its file with the recorded bytes, nothing else is under
// a final name, nothing is running, and every part belongs to a row.
func (w *world) check(q *queue.Queue, root *os.Root) {
	w.t.Helper()
	ctx := context.Background()
	want := map[string]bool{}
	for f, err := range q.Files(ctx, queue.Filter{}) {
		w.must(err)
		switch f.State {
		case queue.Running, queue.Placing:
			w.t.Errorf("%s is %s after the run", f.URI, f.State)
		case queue.Done:
			want[f.Path] = true
			b, err := root.ReadFile(f.Path)
			w.must(err)
			if sum := sha256.Sum256(b); string(sum[:]) != string(f.SHA256) || int64(len(b)) != f.Size {
				w.t.Errorf("%s: %d bytes with SHA-256 %x, recorded are %d, %x", f.Path, len(b), sum, f.Size, f.SHA256)
			}
		}
	}
	parts := map[string]bool{}
	for p, err := range q.Parts(ctx) {
		w.must(err)
		parts[fetcher.PartPath(p.URI, p.Token)] = true
	}
	w.must(fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.HasPrefix(name, fetcher.PartDir) && !parts[name]:
			w.t.Errorf("stray part %s", name)
		case strings.HasPrefix(name, ".jwstbulk"):
		case !want[name]:
			w.t.Errorf("stray file %s", name)
		}
		return err
	}))
}

// rows returns the files of the queue by name.
func (w *world) rows() map[string]queue.File {
	w.t.Helper()
	q := w.open()
	defer w.close(q)
	m := map[string]queue.File{}
	for f, err := range q.Files(w.t.Context(), queue.Filter{}) {
		w.must(err)
		m[path.Base(f.URI)] = f
	}
	return m
}

// wantWhole fails unless every file of the archive is done with the bytes the archive serves now.
func (w *world) wantWhole() map[string]queue.File {
	w.t.Helper()
	rows := w.rows()
	for f := range w.server.Files(nil) {
		row := rows[f.Name]
		if got := hex.EncodeToString(row.SHA256); row.State != queue.Done || got != w.server.SHA256(f.URI) {
			w.t.Errorf("%s is %s (%s: %s) with SHA-256 %s, want done with %s", f.Name, row.State, row.Reason, row.Detail, got, w.server.SHA256(f.URI))
		}
	}
	return rows
}
