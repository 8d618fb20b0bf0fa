package fetcher_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // looks into the queue

	"jwstbulk/fetcher"
	"jwstbulk/queue"
)

// model is a campaign that lives through stops, kills, power cuts and jumps of the clock.
type model struct {
	t       *testing.T
	rng     *rand.Rand
	dir     string
	archive *modelArchive
	ahead   time.Duration
	boot    int
	attempt map[string]int64 // by URI, as last seen
	deleted map[string]int64 // by path: the attempt that had fetched what we deleted
	kept    map[string]int64 // bytes of parts that need not be fetched again
	log     []string

	mirrored bool // most runs have a mirror too
}

// modelSchedules is how many schedules a test runs: 500 in `make test`, more in a soak.
func modelSchedules() int {
	if os.Getenv("JWSTBULK_SOAK") == "1" {
		return 10_000
	}
	return 500
}

// TestModel (I1-I5, I7) runs random schedules of stops, kills between any two effects, power cuts, clock jumps, broken
// connections, wrong bits and files that change on the server. After each run what is on disk and in the queue must be
// consistent, and in the end everything must arrive.
func TestModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	const campaigns = 20
	for n := range campaigns {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, rand.New(rand.NewPCG(seed, uint64(n))))
			defer func() {
				if t.Failed() {
					t.Logf("seed %d, campaign %d: %s", seed, n, strings.Join(m.log, "; "))
				}
			}()
			for range modelSchedules() / campaigns {
				m.schedule()
				if t.Failed() {
					return
				}
			}
			m.finish()
		})
	}
}

func newModel(t *testing.T, rng *rand.Rand) *model {
	m := &model{t: t, rng: rng, dir: fastDir(t), attempt: map[string]int64{}, kept: map[string]int64{}, deleted: map[string]int64{},
		mirrored: rng.IntN(2) == 0}
	m.archive = &modelArchive{rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), files: map[string]*modelFile{}}
	for i := range 6 {
		f := &modelFile{uri: fmt.Sprintf("mast:JWST/product/jw01234001001_02101_%05d_nrca1_x.txt", i), listed: i%2 == 0,
			tag: []string{"", "", "", "W/", "none", ""}[i]}
		f.versions = [][]byte{randomBytes(rng, modelSize(rng))}
		m.archive.files[f.uri] = f
	}
	m.plan()
	return m
}

// fastDir returns a directory in memory where there is one: what a disk would lose, the model takes away itself.
func fastDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "jwstbulk-model-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (m *model) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) open() *queue.Queue {
	m.t.Helper()
	q, err := queue.Open(m.t.Context(), queue.Config{Dir: m.dir, Create: true, Command: "test",
		Now: func() time.Time { return time.Now().Add(m.ahead) }})
	m.must(err)
	return q
}

func (m *model) plan() {
	q := m.open()
	defer func() { m.must(q.Close()) }()
	ctx := m.t.Context()
	id, _, err := q.AddQuery(ctx, []byte(`{}`))
	m.must(err)
	m.must(q.AddChunks(ctx, id, []queue.NewChunk{{Kind: "list"}}))
	c, _, err := q.NextChunk(ctx, id)
	m.must(err)
	files := func(yield func(queue.NewFile, error) bool) {
		for uri, f := range m.archive.files {
			if !yield(queue.NewFile{URI: uri, Name: path.Base(uri), ObsID: "o1", Own: true, Size: int64(len(f.now())), Facts: queue.Facts{Level: -2}}, nil) {
				return
			}
		}
	}
	facts := func(yield func(queue.KeywordFact, error) bool) {
		for uri := range m.archive.files {
			fact, ok, err := m.archive.Facts(ctx, uri)
			if ok && !yield(fact, err) {
				return
			}
		}
	}
	m.must(q.FinishChunk(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Files: files, Facts: facts}))
	_, err = q.Offer(ctx, id, queue.OfferConfig{})
	m.must(err)
	m.must(q.FinishQuery(ctx, id, nil))
}

// schedule is one run, ended in one of many ways, and what happens before the next.
func (m *model) schedule() {
	how := m.rng.IntN(3)
	m.run(how)
	if how == 1 && m.rng.IntN(2) == 0 {
		m.cutPower()
	}
	switch m.rng.IntN(6) {
	case 1:
		m.ahead = max(0, m.ahead+time.Duration(m.rng.IntN(72)-36)*time.Hour) // the fetcher's own clock cannot be set
		m.log = append(m.log, fmt.Sprintf("clock %v ahead", m.ahead))
	default:
		m.ahead += 30 * time.Minute
	}
	m.deleteDone()
}

// run makes one run: to its end (0), killed between two effects (1), or stopped (2).
func (m *model) run(how int) {
	q := m.open()
	defer func() { m.must(q.Close()) }()
	root, err := os.OpenRoot(m.dir)
	m.must(err)
	defer root.Close()
	ctx, stop := context.WithCancel(m.t.Context())
	defer stop()
	if _, err := q.Retry(ctx, queue.RetryFilter{}); err != nil {
		m.t.Fatal(err)
	}
	runID, err := q.StartRun(ctx, queue.RunInfo{Command: "test"})
	m.must(err)
	cfg := fetcher.Config{Queue: q, RunID: runID, Root: root, Source: m.archive, Archive: m.archive,
		Jobs: 2, Rate: -1, Linger: -1, MaxOutage: time.Second, SyncEvery: 64 << 10}
	if m.mirrored && m.rng.IntN(4) > 0 {
		cfg.Mirror = modelMirror{m.archive}
	}
	f, err := fetcher.New(cfg)
	m.must(err)
	fetcher.SetBoot(f, m.bootID())
	m.archive.first = map[string]int64{}
	left, dead := int64(1+m.rng.IntN(40)), ""
	var mu sync.Mutex
	fetcher.SetKill(f, func(step string) bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		if how == 2 && left == 0 {
			stop()
		}
		if how == 1 && left == 0 {
			dead = step
		}
		return dead != ""
	})
	placing := m.placing(q)
	_, err = f.Run(ctx)
	var out *fetcher.UnavailableError
	if err != nil && !errors.As(err, &out) && !(dead != "" && errors.Is(err, fetcher.ErrKilled)) {
		m.t.Errorf("run = %v", err)
	}
	m.log = append(m.log, fmt.Sprintf("run ended by %d at step %q: %v", how, dead, err))
	m.check(q, dead != "", placing)
}

// placing returns the files that a kill left between record and rename.
func (m *model) placing(q *queue.Queue) map[string]bool {
	left := map[string]bool{}
	for row, err := range q.Files(context.Background(), queue.Filter{States: []queue.State{queue.Placing}}) {
		m.must(err)
		left[row.URI] = true
	}
	return left
}

// check holds the invariants; placing were left so by an earlier run, and this one may have been stopped before it got to them.
func (m *model) check(q *queue.Queue, killed bool, placing map[string]bool) {
	m.t.Helper()
	ctx := context.Background()
	seen := map[string]bool{}
	rows := map[string]queue.File{}
	for row, err := range q.Files(ctx, queue.Filter{}) {
		m.must(err)
		if seen[row.URI] {
			m.t.Errorf("I3: %s has two rows", row.URI)
		}
		seen[row.URI], rows[row.Path] = true, row
		if row.Attempt < m.attempt[row.URI] {
			m.t.Errorf("I4: attempt %d of %s after %d", row.Attempt, row.URI, m.attempt[row.URI])
		}
		m.attempt[row.URI] = row.Attempt
		if row.State == queue.Done {
			b, err := os.ReadFile(filepath.Join(m.dir, row.Path))
			if at, ok := m.deleted[row.Path]; ok && at == row.Attempt && errors.Is(err, fs.ErrNotExist) {
				continue // by us, and the run ended before it could look
			}
			if sum := sha256.Sum256(b); err != nil || !bytes.Equal(sum[:], row.SHA256) || int64(len(b)) != row.Size {
				m.t.Errorf("I1: %s is done, and on disk %d bytes, %v; recorded %d", row.URI, len(b), err, row.Size)
			}
		}
		if !killed && (row.State == queue.Running || row.State == queue.Placing && !placing[row.URI]) {
			m.t.Errorf("%s is %s after a run that ended", row.URI, row.State)
		}
	}
	m.checkFinals(rows)
	m.checkParts(q)
}

// checkFinals wants whole versions alone under final names.
func (m *model) checkFinals(rows map[string]queue.File) {
	m.must(filepath.WalkDir(filepath.Join(m.dir, "JWST"), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(m.dir, name)
		f := m.archive.files[rows[rel].URI]
		for _, v := range f.versions {
			if bytes.Equal(b, v) {
				return err
			}
		}
		m.t.Errorf("I2: %s holds %d bytes that are no version of it", rel, len(b))
		return err
	}))
}

// checkParts wants parts to be the beginning of one version, and what is in them not to be asked for again.
func (m *model) checkParts(q *queue.Queue) {
	for uri, n := range m.kept {
		if from, ok := m.archive.first[uri]; ok && from >= 0 && from != n {
			m.t.Errorf("I7: %d bytes of %s were there, and it was asked for from %d", n, uri, from)
		}
	}
	clear(m.kept)
	for p, err := range q.Parts(context.Background()) {
		m.must(err)
		f := m.archive.files[p.URI]
		b, err := os.ReadFile(filepath.Join(m.dir, fetcher.PartPath(p.URI, p.Token)))
		if errors.Is(err, fs.ErrNotExist) || f.listed {
			continue // with a checksum, a part may hold wrong bits: the whole is held against it
		}
		m.must(err)
		boot, durable, source := m.recorded(p.Token)
		if boot != m.bootID() {
			b = b[:min(int64(len(b)), durable)] // the rest does not count, and will be cut off
		}
		of := -1
		for i, v := range f.versions {
			if bytes.HasPrefix(v, b) {
				of = i
			}
		}
		if of < 0 {
			m.t.Errorf("I5: the part of %s is the beginning of no version", p.URI)
		}
		if len(b) > 0 && of == len(f.versions)-1 && f.tag == "" && len(b) < len(f.now()) && source == "mast" {
			m.kept[p.URI] = int64(len(b))
		}
	}
}

// cutPower leaves of each part what was flushed, and sometimes zeros where the rest was.
func (m *model) cutPower() {
	m.log = append(m.log, "power cut")
	m.boot++
	clear(m.kept)
	q := m.open()
	defer func() { m.must(q.Close()) }()
	for row, err := range q.Parts(m.t.Context()) {
		m.must(err)
		name := filepath.Join(m.dir, fetcher.PartPath(row.URI, row.Token))
		fi, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		m.must(err)
		_, durable, _ := m.recorded(row.Token)
		m.must(os.Truncate(name, min(durable, fi.Size())))
		if m.rng.IntN(2) == 0 {
			m.must(os.Truncate(name, fi.Size()))
		}
	}
}

func (m *model) bootID() string { return fmt.Sprint("boot", m.boot) }

// recorded returns under which boot and from where a part was written, and how many of its bytes the queue calls flushed.
func (m *model) recorded(token string) (boot string, durable int64, source string) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(m.dir, ".jwstbulk/queue.db")+"?mode=ro")
	m.must(err)
	defer db.Close()
	m.must(db.QueryRowContext(m.t.Context(), `SELECT boot, durable_bytes, source FROM part WHERE token = ?`, token).Scan(&boot, &durable, &source))
	return boot, durable, source
}

// deleteDone removes finished files, as a user may, so that there is always something to fetch.
func (m *model) deleteDone() {
	names, err := filepath.Glob(filepath.Join(m.dir, "JWST/*/*"))
	m.must(err)
	for _, name := range names {
		if m.rng.IntN(2) == 0 {
			m.log = append(m.log, path.Base(name)+" deleted")
			m.must(os.Remove(name))
			rel, err := filepath.Rel(m.dir, name)
			m.must(err)
			m.deleted[rel] = m.attempt["mast:JWST/product/"+path.Base(name)]
		}
	}
}

// finish wants everything to arrive once the archive behaves.
func (m *model) finish() {
	m.archive.calm = true
	for range 4 {
		m.ahead += 80 * time.Hour
		m.run(0)
	}
	q := m.open()
	defer func() { m.must(q.Close()) }()
	for row, err := range q.Files(m.t.Context(), queue.Filter{}) {
		m.must(err)
		if row.State != queue.Done {
			m.t.Errorf("in the end %s is %s: %s", row.URI, row.State, row.Detail)
		}
	}
}
