package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Rebuild moves the database of the campaign in cfg.Dir aside, with its log files, and makes a new one that holds the
// done files of the journal; nothing verified is fetched again. Queries, failures and events are lost: plan again. It takes
// the campaign's locks, so it fails with a *LockedError while another process works. It also serves when there is no
// database at all. If it is interrupted, run it again.
func Rebuild(ctx context.Context, cfg Config) (rep RebuildReport, err error) {
	cfg.Create = true
	cfg = cfg.withDefaults()
	if err := cfg.prepare(); err != nil {
		return RebuildReport{}, err
	}
	locks, err := cfg.lock(self(cfg.Command, cfg.Now()))
	if err != nil {
		return RebuildReport{}, err
	}
	defer func() {
		for _, l := range locks {
			err = errors.Join(err, l.release())
		}
	}()
	if rep.Aside, err = cfg.moveAside(); err != nil {
		return rep, err
	}
	if err := cfg.rebuild(ctx, &rep); err != nil {
		return rep, fmt.Errorf("rebuilding the queue %q: %w", cfg.Path, err)
	}
	return rep, nil
}

// restoreLost rebuilds a database that is gone although the journal is not empty: with nothing to move aside there is
// nothing to decide.
func (q *Queue) restoreLost(ctx context.Context) error {
	if q.cfg.Journal != "" {
		return nil // a task's queue begins empty: its shard's list says what is left to do
	}
	info, err := os.Stat(q.cfg.journalPath())
	if err != nil || info.Size() == 0 || exists(q.cfg.Path) {
		return nil // a journal that cannot be read is reported when it is opened
	}
	var rep RebuildReport
	if err := q.cfg.rebuild(ctx, &rep); err != nil {
		return fmt.Errorf("rebuilding the lost queue %q: %w", q.cfg.Path, err)
	}
	q.cfg.Warn(fmt.Sprintf("the queue was gone; rebuilt it from the journal with %d finished files: plan again to get the rest", rep.Done))
	return nil
}

// moveAside renames the database and its log files, which belong together, to one new stem.
func (cfg Config) moveAside() ([]string, error) {
	stem := cfg.Path + ".damaged-" + cfg.Now().UTC().Format("20060102T150405Z")
	for n := 1; exists(stem); n++ {
		stem = fmt.Sprintf("%s.damaged-%s-%d", cfg.Path, cfg.Now().UTC().Format("20060102T150405Z"), n)
	}
	var moved []string
	// The logs first: a database without its log can be told, a log beside a new database would be played into it.
	for _, suffix := range []string{"-journal", "-shm", "-wal", ""} {
		err := rename(cfg.Path+suffix, stem+suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return moved, fmt.Errorf("moving the damaged queue aside: %w", err)
		}
		moved = append(moved, stem+suffix)
	}
	return moved, syncDir(filepath.Dir(cfg.Path))
}

// rebuild fills a database under a temporary name and renames it, so that a kill leaves none rather than half of one.
func (cfg Config) rebuild(ctx context.Context, rep *RebuildReport) error {
	tmp := cfg.Path + ".rebuilding"
	for _, suffix := range []string{"", "-journal"} {
		if err := os.Remove(tmp + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an unfinished rebuild: %w", err)
		}
	}
	c, err := openConn(tmp, modeExclusive) // no log files to be left beside the temporary name
	if err != nil {
		return err
	}
	err = migrate(ctx, c)
	if err == nil {
		err = cfg.refill(ctx, c, rep)
	}
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	if err := rename(tmp, cfg.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(cfg.Path))
}

// refill takes the done rows from the journal, in one transaction.
func (cfg Config) refill(ctx context.Context, c *conn, rep *RebuildReport) error {
	f, err := os.Open(cfg.journalPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	q := &Queue{cfg: cfg, conn: c}
	q.names.reset()
	t := &tx{conn: c, q: q, now: cfg.Now().UnixMilli()}
	return inTx(ctx, c, func() error {
		if err := t.refillLines(ctx, ReadJournal(f), rep); err != nil {
			return err
		}
		if _, _, err := c.exec(ctx, upsertMeta, metaClean, "1"); err != nil {
			return err
		}
		done, err := countsOf(ctx, c)
		rep.Done, rep.Bytes = done.State[Done].Files, done.State[Done].Bytes
		return err
	})
}

func (t *tx) refillLines(ctx context.Context, lines iter.Seq2[JournalLine, error], rep *RebuildReport) error {
	for l, err := range lines {
		switch {
		case errors.Is(err, ErrJournalLine):
			rep.Skipped++
			continue
		case err != nil:
			return err
		}
		gone, err := t.forget(ctx, l.URI)
		if err != nil {
			return err
		}
		if l.Undone {
			rep.Undone += gone
			continue
		}
		if err := t.restore(ctx, l.file()); err != nil {
			return err
		}
	}
	return nil
}

const selectFileID = `SELECT id FROM file WHERE name = ? AND stem_id = ?` // unique index file_uri

// forget removes what an earlier line of the journal said of a URI.
func (t *tx) forget(ctx context.Context, uri string) (int64, error) {
	stem, name := splitURI(uri)
	stemID, ok, err := t.findDir(ctx, stem)
	if err != nil || !ok {
		return 0, err
	}
	id, ok, err := t.one(ctx, selectFileID, name, stemID)
	if err != nil || !ok {
		return 0, err
	}
	if _, _, err := t.exec(ctx, `DELETE FROM file_observation WHERE file_id = ?`, id); err != nil {
		return 0, err
	}
	n, _, err := t.exec(ctx, `DELETE FROM file WHERE id = ?`, id)
	return n, err
}

const restoreFile = `
INSERT INTO file(stem_id, name, state, kind_id, obs_dir_id, dir_id, path_hash, size_bytes, sha256, md5, proof, source,
  header_id, header_date, done_run_id, finished_at, flagged)
VALUES (?,?,'done',?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

func (t *tx) restore(ctx context.Context, f File) error {
	stem, name := splitURI(f.URI)
	stemID, err := t.dir(ctx, stem)
	if err != nil {
		return err
	}
	folder, file := splitPath(f.Path)
	dirID, err := t.dir(ctx, folder)
	if err != nil {
		return err
	}
	kindID, err := t.kind(ctx, facts2kind(f.Facts, name))
	if err != nil {
		return err
	}
	headerID, date, err := t.header(ctx, f.Header)
	if err != nil {
		return err
	}
	_, id, err := t.exec(ctx, restoreFile, stemID, name, kindID, nil, dirID, pathHash(folder, file), f.Size,
		f.SHA256, f.MD5, string(f.Proof), orNull(f.Source), headerID, date, f.RunID, f.FinishedAt.UnixMilli(), orNull(f.Flagged))
	if err != nil {
		return fmt.Errorf("restoring %q: %w", f.URI, err)
	}
	if err := t.tally(ctx, Done, "", Count{Files: 1, Bytes: f.Size}); err != nil {
		return err
	}
	for _, obs := range f.Observations {
		if err := t.restoreObs(ctx, id, obs); err != nil {
			return err
		}
	}
	return nil
}

// restoreObs links a file with an observation known by name only: negative numbers are not MAST's.
func (t *tx) restoreObs(ctx context.Context, fileID int64, obsID string) error {
	obsid := hash64(obsID) | -1<<63
	_, _, err := t.exec(ctx, `INSERT INTO observation VALUES (?,?,'','',-2,'',NULL) ON CONFLICT DO NOTHING`, obsid, obsID)
	if err != nil {
		return err
	}
	_, _, err = t.exec(ctx, `INSERT INTO file_observation VALUES (?,?) ON CONFLICT DO NOTHING`, fileID, obsid)
	return err
}

// rewriteJournal makes the journal anew from the done rows. The writer is not running yet.
func (q *Queue) rewriteJournal(ctx context.Context) error {
	q.cfg.Warn("the journal of finished files was lost or cut; writing it anew from the queue")
	path := q.cfg.journalPath()
	if err := q.journal.close(); err != nil {
		return err
	}
	r := &Reader{run: func(_ context.Context, f func(*conn) error) error { return f(q.conn) }}
	err := replaceFile(path, func(w io.Writer) error { return writeLines(ctx, w, r) })
	if err != nil {
		return err
	}
	q.journal, err = openJournal(path, q.fault)
	return err
}
