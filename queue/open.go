package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stateDir is where a campaign keeps its state, below its directory.
const stateDir = ".jwstbulk"

// Queue is a campaign's queue, open for writing by this process alone. All methods may be called from any goroutine, and
// after one of them returned nil its effect survives a kill and a power cut. Reports come from the embedded Reader; they
// see what is committed and never wait for a write (on a network file system they take turns with writes).
//
// When a write to the database or the journal fails, that error answers every later call: the run must stop. Close the
// queue and open it again to go on.
type Queue struct {
	*Reader
	cfg     Config
	owner   Owner
	locks   []*fileLock
	conn    *conn       // the writer's
	names   names       // the writer's
	memory  chunkMemory // the writer's
	scan    scanner     // the writer's
	lines   []byte
	journal *journal
	fault   func(point string) error // tests; nil in production
	swept   sweep                    // the writer's
	working bool                     // the page cache has its size for work; the writer's
	sized   atomic.Bool              // the index of sizes is there

	ops     chan *op
	quit    chan struct{} // closed by Close: no new operations
	stopped chan struct{} // closed by the writer when it has ended
	fatal   atomic.Pointer[error]
	damaged atomic.Bool // a report found the database damaged
	close   sync.Once
	closed  error

	// statusMu guards status.
	statusMu sync.Mutex
	status   Status
}

// Open takes the campaign in cfg.Dir for this process, brings its schema up to date, and returns what an earlier process
// left running to pending. It fails with a *LockedError if another process has the campaign or its database,
// ErrNoCampaign if there is none and cfg.Create is false, ErrNoLocks, ErrSchemaTooNew, or ErrDamaged, after which Rebuild helps.
// A database that is gone while the journal is there is rebuilt, and cfg.Warn told. The caller must Close the queue.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	return open(ctx, cfg, hooks{})
}

// hooks are for tests; the zero value is production.
type hooks struct {
	fault     func(point string) error // asked where things may break
	exclusive bool                     // behave as on a network file system
}

func open(ctx context.Context, cfg Config, h hooks) (_ *Queue, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	q := &Queue{
		cfg: cfg, owner: self(cfg.Command, cfg.Now()), fault: h.fault,
		ops: make(chan *op, maxGroup), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	q.names.reset()
	defer func() {
		if err != nil {
			_ = q.free() // the first error is returned
		}
	}()
	if q.locks, err = cfg.lock(q.owner); err != nil {
		return nil, err
	}
	if err := cfg.sweepTemp(); err != nil {
		return nil, err
	}
	if err := q.restoreLost(ctx); err != nil {
		return nil, err
	}
	err = q.start(ctx, h.exclusive)
	if isBusy(err) { // by a program that knows nothing of our lock, or SQLite's own locks fail here
		return nil, &LockedError{Path: cfg.Path}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the queue %q: %w", cfg.Path, err)
	}
	go q.serve()
	return q, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Path == "" {
		cfg.Path = filepath.Join(cfg.Dir, stateDir, "queue.db")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Warn == nil {
		cfg.Warn = func(s string) { cfg.Logger.Warn(s) }
	}
	return cfg
}

func (cfg Config) state(name string) string { return filepath.Join(cfg.Dir, stateDir, name) }

func (cfg Config) journalPath() string {
	if cfg.Journal != "" {
		return cfg.Journal
	}
	return cfg.state("done.jsonl")
}

// prepare makes the campaign's directories, or finds that there is no campaign.
func (cfg Config) prepare() error {
	if cfg.Dir == "" {
		return errors.New("opening the queue: no campaign directory given")
	}
	if !cfg.Create && !exists(cfg.Path) && !exists(cfg.journalPath()) {
		return fmt.Errorf("%w: %q has no queue", ErrNoCampaign, cfg.Dir)
	}
	for _, dir := range []string{filepath.Join(cfg.Dir, stateDir), filepath.Dir(cfg.Path)} {
		if err := mkdirAll(dir); err != nil {
			return fmt.Errorf("making the campaign: %w", err)
		}
	}
	return nil
}

// sweepTemp removes what a kill left of files that were being replaced. The locks are held, so nobody is writing one.
func (cfg Config) sweepTemp() error {
	entries, err := os.ReadDir(cfg.state(""))
	if err != nil {
		return fmt.Errorf("looking for temporary files: %w", err)
	}
	for _, e := range entries {
		stem, tmp := strings.CutSuffix(e.Name(), ".tmp")
		if !tmp || !(strings.HasPrefix(stem, "status.json.") || strings.HasPrefix(stem, "done.jsonl.")) {
			continue
		}
		if err := os.Remove(cfg.state(e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a temporary file: %w", err)
		}
	}
	return nil
}

// mkdirAll makes dir and what misses above it, each made durable in its parent.
func mkdirAll(dir string) error {
	if exists(dir) {
		return nil
	}
	if err := mkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lock takes the campaign's lock and the database's: two campaigns could name one database. Where the campaign's file system
// has no locks, that of a database elsewhere must do.
func (cfg Config) lock(owner Owner) ([]*fileLock, error) {
	var locks []*fileLock
	for _, path := range []string{cfg.state("lock"), cfg.Path + ".lock"} {
		l, err := lockFile(path, owner)
		if errors.Is(err, ErrNoLocks) && len(locks) == 0 && filepath.Dir(cfg.Path) != cfg.state("") {
			cfg.Warn(fmt.Sprintf("the file system of %s has no locks: nothing but the lock of the queue %s keeps a second process out; work here with this queue alone",
				cfg.Dir, cfg.Path))
			continue
		}
		if err != nil {
			for _, l := range locks {
				_ = l.release() // the first error is returned
			}
			return nil, err
		}
		locks = append(locks, l)
	}
	return locks, nil
}

// start opens the database and makes it ready for work. The locks are held.
func (q *Queue) start(ctx context.Context, exclusive bool) (err error) {
	m, err := q.cfg.mode(exclusive)
	if err != nil {
		return err
	}
	if q.conn, err = openConn(q.cfg.Path, m); err != nil {
		return err
	}
	if err := assertDurable(ctx, q.conn, m); err != nil {
		return err
	}
	if err := migrate(ctx, q.conn); err != nil {
		return err
	}
	// The database's own name must survive as well; SQLite flushes the directory for its journals only.
	if err := syncDir(filepath.Dir(q.cfg.Path)); err != nil {
		return err
	}
	// Statement journals are small here and must not become files.
	if err := q.conn.script(ctx, "PRAGMA temp_store=MEMORY"); err != nil {
		return err
	}
	if m == modeWAL {
		// Fewer, larger checkpoints: each costs two flushes. A planner's large transaction must not leave its log behind.
		if err := q.conn.script(ctx, "PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;"); err != nil {
			return err
		}
	}
	if err := q.recover(ctx); err != nil {
		return err
	}
	return q.openReports(m)
}

// openReports gives the queue its Reader: a second connection, or, where one connection holds the file, the writer's. What
// it finds damaged the next Open is to look at, however cleanly this one ends.
func (q *Queue) openReports(m mode) error {
	if m == modeExclusive {
		q.Reader = &Reader{run: func(ctx context.Context, f func(*conn) error) error {
			return q.do(ctx, op{bare: true, apply: func(t *tx) error { return f(t.conn) }})
		}}
	} else {
		r, err := newReader(q.cfg.Path, modeReader)
		if err != nil {
			return err
		}
		q.Reader = r
	}
	run := q.Reader.run
	q.Reader.run = func(ctx context.Context, f func(*conn) error) error {
		err := run(ctx, f)
		if errors.Is(err, ErrDamaged) {
			q.damaged.Store(true)
		}
		return err
	}
	return nil
}

// mode chooses how to share the database by the kind of its file system.
func (cfg Config) mode(exclusive bool) (mode, error) {
	network, err := networkFS(filepath.Dir(cfg.Path))
	if err != nil {
		return 0, err
	}
	if network == "" && !exclusive {
		return modeWAL, nil
	}
	cfg.Warn(fmt.Sprintf("the queue is on a network file system (%s): it is opened exclusively; other commands see status.json while this one runs", network))
	return modeExclusive, nil
}

// Keys of the meta table.
const (
	metaClean   = "clean"        // 1 after Close, 0 while open
	metaJournal = "journal_size" // flushed bytes of the journal when the last group began
	metaTrust   = "trust"
)

// recover puts right what an earlier process left: orphans, a half-written journal. It marks the queue as in use.
func (q *Queue) recover(ctx context.Context) error {
	c := q.conn
	clean, err := c.text(ctx, selectMeta, metaClean)
	if err != nil {
		return err
	}
	if clean == "0" {
		if err := quickCheck(ctx, c); err != nil {
			return err
		}
	}
	if err := q.recoverRows(ctx); err != nil {
		return fmt.Errorf("recovering: %w", err)
	}
	if q.journal, err = openJournal(q.cfg.journalPath(), q.fault); err != nil {
		return err
	}
	return q.recoverJournal(ctx, clean == "0")
}

// recoverRows makes orphans claimable again: with the locks held, no other process can own a running row. Served by the
// partial index file_held.
func (q *Queue) recoverRows(ctx context.Context) error {
	return inTx(ctx, q.conn, func() error {
		n, _, err := q.conn.exec(ctx, `UPDATE file SET state='pending', run_id=NULL WHERE run_id > 0 AND state='running'`)
		if err != nil {
			return err
		}
		if n > 0 {
			q.cfg.Logger.Info("taking up files an earlier process left running", slog.Int64("files", n))
		}
		if _, _, err := q.conn.exec(ctx, `UPDATE chunk SET state='pending' WHERE state='running'`); err != nil {
			return err
		}
		_, _, err = q.conn.exec(ctx, upsertMeta, metaClean, "0")
		return err
	})
}

// recoverJournal appends what a crash between a commit and the journal's flush left out, and writes the journal anew if
// it is shorter than it was: then it was lost or cut.
func (q *Queue) recoverJournal(ctx context.Context, unclean bool) error {
	text, err := q.conn.text(ctx, selectMeta, metaJournal)
	if err != nil {
		return err
	}
	want, err := strconv.ParseInt(text, 10, 64)
	if text != "" && err != nil {
		return fmt.Errorf("reading the journal's size %q: %w", text, err)
	}
	if q.journal.size < want {
		return q.rewriteJournal(ctx)
	}
	if !unclean {
		return nil
	}
	t := &tx{conn: q.conn, q: q}
	if err := q.conn.query(ctx, `SELECT file_id FROM unjournaled`, nil, func(r row) error {
		t.journalFile(r.int(0))
		return nil
	}); err != nil {
		return err
	}
	if err := t.encodeLines(ctx); err != nil {
		return err
	}
	return q.journal.append(t.lines) // a line that was there already is there twice, which harms nothing
}

// noteJournaled replaces the list of files whose lines are not flushed yet by those of this transaction, and notes how
// much of the journal is.
func noteJournaled(ctx context.Context, t *tx) error {
	if _, _, err := t.exec(ctx, `DELETE FROM unjournaled`); err != nil {
		return err
	}
	const note = `INSERT INTO unjournaled SELECT each.value FROM ` + eachID + ` WHERE TRUE ON CONFLICT DO NOTHING`
	if _, _, err := t.exec(ctx, note, idList(t.journaled)); err != nil {
		return err
	}
	_, _, err := t.exec(ctx, upsertMeta, metaJournal, strconv.FormatInt(t.q.journal.size, 10))
	return err
}

func quickCheck(ctx context.Context, c *conn) error {
	first := ""
	err := c.query(ctx, "PRAGMA quick_check(1)", nil, func(r row) error {
		first = r.str(0)
		return nil
	})
	if err != nil {
		return err
	}
	if first != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, sanitise(first))
	}
	return nil
}

// inTx runs f in a transaction of its own, outside the writer.
func inTx(ctx context.Context, c *conn, f func() error) error {
	if _, _, err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := f(); err != nil {
		_, _, _ = c.exec(ctx, "ROLLBACK") // f's error is returned; the connection is given up
		return err
	}
	_, _, err := c.exec(ctx, "COMMIT")
	return err
}
