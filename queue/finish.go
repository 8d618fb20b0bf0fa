package queue

import (
	"context"
	"errors"
	"fmt"
)

// Every statement here is guarded by run and attempt: the outcome of an older run or attempt changes nothing, and zero
// changed rows are ErrStale. Finishes are in done.go.
const (
	guardRunning = ` WHERE id=? AND state='running' AND run_id=? AND attempt=?`
	guardHeld    = ` WHERE id=? AND state IN ('running','placing') AND run_id=? AND attempt=?`
)

// guarded runs a statement that ends in one of the guards.
func (t *tx) guarded(ctx context.Context, j Job, sql string, args ...any) error {
	n, _, err := t.exec(ctx, sql, append(args, j.ID, j.RunID, j.Attempt)...)
	if err == nil && n == 0 {
		err = ErrStale
	}
	return err
}

// outcome runs apply in the writer's group and names the file in an error.
func (q *Queue) outcome(ctx context.Context, j Job, doing string, apply func(*tx) error) error {
	if err := q.write(ctx, apply); err != nil {
		return fmt.Errorf("%s %q: %w", doing, j.URI, err)
	}
	return nil
}

const savePart = `
INSERT INTO part(file_id, token, source, boot, durable_bytes, size_bytes, checksum, etag, last_modified, http_date)
SELECT id,?,?,?,?,?,?,?,?,? FROM file` + guardRunning + `
ON CONFLICT DO UPDATE SET token=excluded.token, source=excluded.source, boot=excluded.boot, durable_bytes=excluded.durable_bytes,
  size_bytes=excluded.size_bytes, checksum=excluded.checksum, etag=excluded.etag, last_modified=excluded.last_modified,
  http_date=excluded.http_date`
const dropPart = `DELETE FROM part WHERE file_id = ?`

// Progress records what is on disk of a running file: under which version it was begun and how much of it is flushed. The
// zero Part says that nothing is. ErrStale if the job is no longer the row's attempt.
func (q *Queue) Progress(ctx context.Context, j Job, p Part) error {
	return q.outcome(ctx, j, "recording progress of", func(t *tx) error {
		if p.Token == "" {
			// The guard first: an old attempt must not drop a newer one's part.
			if err := t.guarded(ctx, j, `UPDATE file SET attempt=attempt`+guardRunning); err != nil {
				return err
			}
			_, _, err := t.exec(ctx, dropPart, j.ID)
			return err
		}
		if err := t.guarded(ctx, j, savePart, p.args()...); err != nil {
			return err
		}
		return t.journalPart(j, p)
	})
}

func (p Part) args() []any {
	return []any{p.Token, p.Source, p.Boot, p.Durable, known(p.Size), bytesOrNull(p.Checksum), p.ETag, p.LastModified, p.Date}
}

const placeFile = `
UPDATE file SET state='placing', size_bytes=?, sha256=?, md5=?, proof=?, flagged=?, source=?, etag=?, last_modified=?,
  header_id=?, header_date=?, detail=NULL` + guardRunning

// Place records, before the rename, that a part is proven: if the process dies from here on, the next one can settle by
// SHA-256 whether the rename happened. p.Trust, if set, is stored in the same transaction. ErrStale if the job is no
// longer the row's attempt.
func (q *Queue) Place(ctx context.Context, j Job, p Placement) error {
	return q.outcome(ctx, j, "placing", func(t *tx) error {
		if err := p.validate(); err != nil {
			return err
		}
		headerID, date, err := t.header(ctx, p.Header)
		if err != nil {
			return err
		}
		err = t.guarded(ctx, j, placeFile, p.Size, p.SHA256, p.MD5, string(p.Proof), orNull(sanitise(p.Flagged)), orNull(p.Source),
			packETag(p.Validator.ETag), packDate(p.Validator.LastModified), headerID, date)
		if err != nil || p.Trust == "" {
			return err
		}
		return t.setTrust(ctx, p.Trust)
	})
}

func (p Placement) validate() error {
	if p.Size < 0 || len(p.SHA256) != 32 || len(p.MD5) != 16 || proofRank(p.Proof) == 0 {
		return errors.New("a placement needs the size, both digests and the proof")
	}
	return nil
}

// endFile ends an attempt without a file. What Place had recorded no longer holds. A size that the archive gave as exact
// was equal to the placed one, so size_bytes can stay.
const endFile = `
UPDATE file SET state=?, reason=?, detail=?, due_at=?, run_id=NULL, tries=CASE ? WHEN 1 THEN tries+1 ELSE 0 END, checks=checks+?,
  last_sha256=coalesce(?,last_sha256), sha256=NULL, md5=NULL, proof=NULL, flagged=NULL, header_id=NULL, header_date=NULL,
  source=NULL, etag=NULL, last_modified=NULL` + guardHeld

// Fail gives the file up for o.Reason, until Retry. ErrStale if the job is no longer the row's attempt.
func (q *Queue) Fail(ctx context.Context, j Job, o Outcome) error { return q.end(ctx, j, Failed, o) }

// Wait has the file tried again at o.DueAt. ErrStale if the job is no longer the row's attempt.
func (q *Queue) Wait(ctx context.Context, j Job, o Outcome) error { return q.end(ctx, j, Waiting, o) }

// Park puts the file aside until o.DueAt, or, if that is zero, until Unpark. ErrStale if the job is no longer the row's
// attempt.
func (q *Queue) Park(ctx context.Context, j Job, o Outcome) error { return q.end(ctx, j, Parked, o) }

func (q *Queue) end(ctx context.Context, j Job, to State, o Outcome) error {
	return q.outcome(ctx, j, "recording the outcome of", func(t *tx) error {
		if err := o.validate(to); err != nil {
			return err
		}
		err := t.guarded(ctx, j, endFile, string(to), string(o.Reason), orNull(sanitise(o.Detail)), millis(o.DueAt), flag(o.Spent),
			flag(o.Recheck), bytesOrNull(o.LastSHA))
		if err != nil {
			return err
		}
		if err := t.keepPart(ctx, j.ID, o.Part); err != nil {
			return err
		}
		detail := string(o.Reason)
		if o.Detail != "" {
			detail += ": " + o.Detail
		}
		return t.event(ctx, j.ID, string(to), detail)
	})
}

func (o Outcome) validate(to State) error {
	switch {
	case o.Reason == "":
		return fmt.Errorf("a %s file needs a reason", to)
	case to == Waiting && o.DueAt.IsZero():
		return errors.New("a waiting file needs a due time")
	case to == Failed && !o.DueAt.IsZero():
		return errors.New("a failed file has no due time")
	case len(o.LastSHA) != 0 && len(o.LastSHA) != 32:
		return errors.New("the last SHA-256 has not 32 bytes")
	}
	return nil
}

const putPart = `INSERT OR REPLACE INTO part VALUES (?,?,?,?,?,?,?,?,?,?)`

// keepPart stores what is left on disk of a file whose row the caller has just changed under guard.
func (t *tx) keepPart(ctx context.Context, id int64, p Part) error {
	if p.Token == "" {
		_, _, err := t.exec(ctx, dropPart, id)
		return err
	}
	_, _, err := t.exec(ctx, putPart, append([]any{id}, p.args()...)...)
	return err
}

const releaseFile = `
UPDATE file SET state='pending', run_id=NULL, sha256=NULL, md5=NULL, proof=NULL, flagged=NULL, header_id=NULL, header_date=NULL,
  source=NULL, etag=NULL, last_modified=NULL` + guardHeld

// Release gives the file back untried, as a stop does; p is what is on disk of it. ErrStale if the job is no longer the
// row's attempt.
func (q *Queue) Release(ctx context.Context, j Job, p Part) error {
	return q.outcome(ctx, j, "releasing", func(t *tx) error {
		if err := t.guarded(ctx, j, releaseFile); err != nil {
			return err
		}
		return t.keepPart(ctx, j.ID, p)
	})
}
