package queue

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Reader reads a queue without changing it. Its methods may be called from any goroutine. No read lasts long: lists are
// fetched page by page, so what they yield may change while they run, and the caller may write, or call other methods,
// between two elements.
type Reader struct {
	run     func(ctx context.Context, f func(*conn) error) error
	release func() error // nil: nothing to close
}

// OpenReader opens the queue of the campaign in cfg.Dir for reports, beside the process that may be working on it. It
// takes no lock. It fails with ErrNoCampaign without a queue, ErrSchemaTooNew, and ErrDamaged; and with a *LockedError
// where the working process has the database for itself (network file systems): ReadStatus then tells what it does. A
// database of an older version is brought up to date first, as Open does, and with its errors. The caller must Close the
// Reader.
func OpenReader(ctx context.Context, cfg Config) (*Reader, error) {
	r, err := openReader(ctx, cfg)
	if !errors.Is(err, errSchemaTooOld) {
		return r, err
	}
	q, err := Open(ctx, cfg)
	if err == nil {
		err = q.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("bringing the queue of an older version up to date: %w", err)
	}
	return openReader(ctx, cfg)
}

// errSchemaTooOld is returned by checkSchema.
var errSchemaTooOld = errors.New("the queue has an older schema")

func openReader(ctx context.Context, cfg Config) (*Reader, error) {
	cfg = cfg.withDefaults()
	if !exists(cfg.Path) {
		return nil, fmt.Errorf("%w: %q has no queue", ErrNoCampaign, cfg.Dir)
	}
	r, err := newReader(cfg.Path, modeReader)
	if err == nil {
		err = r.checkSchema(ctx)
	}
	if err != nil && (isCantOpen(err) || isReadOnly(err)) && !exists(cfg.Path+"-wal") {
		// A read-only medium: SQLite cannot make the files a shared reader needs, and nobody can be writing.
		if r != nil {
			_ = r.Close() // it read nothing
		}
		if r, err = newReader(cfg.Path, modeImmutable); err == nil {
			err = r.checkSchema(ctx)
		}
	}
	if err == nil {
		return r, nil
	}
	if r != nil {
		_ = r.Close() // the first error is returned
	}
	if isBusy(err) {
		return nil, cfg.lockedBy()
	}
	return nil, fmt.Errorf("opening the queue %q for reading: %w", cfg.Path, err)
}

// lockedBy says who holds the database.
func (cfg Config) lockedBy() error {
	path := cfg.Path + ".lock"
	f, err := os.Open(path)
	if err != nil {
		return &LockedError{Path: path}
	}
	defer func() { _ = f.Close() }() // only read
	return &LockedError{Path: path, Owner: readOwner(f)}
}

func newReader(path string, m mode) (*Reader, error) {
	c, err := openConn(path, m)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards c
	return &Reader{
		run: func(ctx context.Context, f func(*conn) error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if c == nil {
				return errClosed
			}
			return f(c)
		},
		release: func() error {
			mu.Lock()
			defer mu.Unlock()
			if c == nil {
				return nil
			}
			err := c.close()
			c = nil
			return err
		},
	}, nil
}

func (r *Reader) checkSchema(ctx context.Context) error {
	all, err := steps()
	if err != nil {
		return err
	}
	return r.run(ctx, func(c *conn) error {
		have, err := schemaVersion(ctx, c, int64(len(all)))
		if err == nil && have < int64(len(all)) {
			err = fmt.Errorf("%w: %d", errSchemaTooOld, have)
		}
		return err
	})
}

// Close ends the Reader. A second Close does nothing.
func (r *Reader) Close() error {
	if r.release == nil {
		return nil
	}
	return r.release()
}

const selectMeta = `SELECT value FROM meta WHERE key = ?`
const upsertMeta = `INSERT INTO meta VALUES (?,?) ON CONFLICT DO UPDATE SET value = excluded.value`

// Meta returns the text SetMeta stored under key; "" if there is none.
func (r *Reader) Meta(ctx context.Context, key string) (value string, err error) {
	err = r.run(ctx, func(c *conn) error {
		value, err = c.text(ctx, selectMeta, "user."+key)
		return err
	})
	return value, err
}

// Trust returns what the campaign has learned of the archive's checksums, TrustUnproven at first.
func (r *Reader) Trust(ctx context.Context) (t Trust, err error) {
	err = r.run(ctx, func(c *conn) error {
		s, err := c.text(ctx, selectMeta, metaTrust)
		t = Trust(s)
		return err
	})
	if t == "" {
		t = TrustUnproven
	}
	return t, err
}

// Counts tells where the campaign stands.
func (r *Reader) Counts(ctx context.Context) (n Counts, err error) {
	err = r.run(ctx, func(c *conn) error {
		n, err = countsOf(ctx, c)
		return err
	})
	return n, err
}

func countsOf(ctx context.Context, c *conn) (Counts, error) {
	n := Counts{State: map[State]Count{}, Reason: map[State]map[Reason]Count{}}
	err := c.query(ctx, `SELECT state, reason, files, bytes FROM tally WHERE files > 0`, nil, func(r row) error {
		s, reason, k := State(r.str(0)), Reason(r.str(1)), Count{Files: r.int(2), Bytes: r.int(3)}
		sum := n.State[s]
		n.State[s] = Count{sum.Files + k.Files, sum.Bytes + k.Bytes}
		if reason == "" {
			return nil
		}
		if n.Reason[s] == nil {
			n.Reason[s] = map[Reason]Count{}
		}
		n.Reason[s][reason] = k
		return nil
	})
	if err != nil {
		return Counts{}, fmt.Errorf("counting files: %w", err)
	}
	n.Next, err = nextDue(ctx, c)
	return n, err
}

// Next returns when the earliest waiting or parked file falls due; the zero time if none does by itself.
func (r *Reader) Next(ctx context.Context) (t time.Time, err error) {
	err = r.run(ctx, func(c *conn) error {
		t, err = nextDue(ctx, c)
		return err
	})
	return t, err
}

// nextDue is the first entry of the partial index file_due.
func nextDue(ctx context.Context, c *conn) (t time.Time, err error) {
	err = c.query(ctx, `SELECT due_at FROM file WHERE due_at > 0 ORDER BY due_at LIMIT 1`, nil, func(r row) error {
		t = r.time(0)
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for due files: %w", err)
	}
	return t, nil
}

// Queries returns all queries of the campaign, oldest first.
func (r *Reader) Queries(ctx context.Context) (out []QueryRow, err error) {
	err = r.run(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT id, spec, started_at, finished_at, summary FROM query ORDER BY id`, nil, func(r row) error {
			out = append(out, QueryRow{ID: r.int(0), Spec: r.blob(1), StartedAt: r.time(2), FinishedAt: r.time(3), Summary: r.blob(4)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing queries: %w", err)
	}
	return out, nil
}

const selectRuns = `
SELECT r.id, r.command, r.host, r.version, r.started_at, r.finished_at, ifnull(r.exit_code,-1), r.summary, d.files, d.bytes
FROM run r LEFT JOIN (SELECT done_run_id, count(*) AS files, sum(size_bytes) AS bytes
                      FROM file WHERE state='done' GROUP BY done_run_id) d ON d.done_run_id = r.id
ORDER BY r.id` // reads all files: a report, not a status

// Runs returns all runs of the campaign, oldest first. It reads every file once.
func (r *Reader) Runs(ctx context.Context) (out []Run, err error) {
	err = r.run(ctx, func(c *conn) error {
		return c.query(ctx, selectRuns, nil, func(r row) error {
			out = append(out, Run{
				ID: r.int(0), Command: r.str(1), Host: r.str(2), Version: r.str(3), StartedAt: r.time(4), FinishedAt: r.time(5),
				Exit: int(r.int(6)), Summary: r.blob(7), Files: r.int(8), Bytes: r.int(9),
			})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	return out, nil
}

// Events returns what happened to a file, oldest first; fileID 0 asks for the campaign's own events.
func (r *Reader) Events(ctx context.Context, fileID int64) (out []Event, err error) {
	err = r.run(ctx, func(c *conn) error {
		const list = `SELECT id, file_id, at, kind, detail FROM event WHERE file_id IS ? ORDER BY id` // index event_file
		return c.query(ctx, list, []any{idOrNull(fileID)}, func(r row) error {
			out = append(out, Event{ID: r.int(0), FileID: r.int(1), At: r.time(2), Kind: r.str(3), Detail: r.str(4)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return out, nil
}

// Omission returns the rule that left a URI out of a plan; ok is false if none did.
func (r *Reader) Omission(ctx context.Context, uri string) (rule string, ok bool, err error) {
	err = r.run(ctx, func(c *conn) error {
		const find = `SELECT r.name FROM omitted o JOIN rule r ON r.id = o.rule_id WHERE o.uri_hash IN (?,?) ORDER BY r.id DESC LIMIT 1`
		rule, err = c.text(ctx, find, nearHash(uri), hash64(uri)) // the latter of rows from before schema 3
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("looking for the rule that left out %q: %w", uri, err)
	}
	return rule, rule != "", nil
}

// writeLines writes the journal lines of all done files.
func writeLines(ctx context.Context, w io.Writer, r *Reader) error {
	bw := bufio.NewWriterSize(w, 1<<16)
	for f, err := range r.Done(ctx) {
		if err != nil {
			return err
		}
		b, err := json.Marshal(lineOf(f))
		if err != nil {
			return errors.Join(err, fmt.Errorf("encoding a journal line of %q", f.URI))
		}
		if _, err := bw.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return bw.Flush()
}

// Folders returns how many folders the files that are still to be fetched go to. It reads every row: about a tenth of a second
// at a million files.
func (r *Reader) Folders(ctx context.Context) (n int64, err error) {
	const folders = `
SELECT count(DISTINCT dir_id) FROM file WHERE state='pending' OR state='running' OR state='placing' OR state='waiting'`
	err = r.run(ctx, func(c *conn) error {
		n, _, err = c.one(ctx, folders)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting folders: %w", err)
	}
	return n, nil
}
