package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Unpark makes all files pending that are parked for reason, and returns how many.
func (q *Queue) Unpark(ctx context.Context, reason Reason) (n int64, err error) {
	err = q.writeAlone(ctx, func(t *tx) error {
		// The partial index file_stopped serves this.
		const unpark = `UPDATE file SET state='pending', reason=NULL, due_at=NULL WHERE reason > '' AND state='parked' AND reason=?`
		n, _, err = t.exec(ctx, unpark, string(reason))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("unparking files: %w", err)
	}
	return n, nil
}

// Retry makes failed files pending that f selects, with all their attempts back, and returns how many. Those that never
// got a path (ReasonRefusedName, ReasonCollision) become planned: Offer decides about them anew.
func (q *Queue) Retry(ctx context.Context, f RetryFilter) (n int64, err error) {
	sql := `UPDATE file SET state=CASE WHEN dir_id IS NULL THEN 'planned' ELSE 'pending' END, reason=NULL, tries=0, checks=0
WHERE reason > '' AND state='failed'` // partial index file_stopped
	var args []any
	if f.URI != "" {
		sql += ` AND (SELECT path FROM dir WHERE id = stem_id) || name GLOB ?`
		args = append(args, f.URI)
	}
	if len(f.Reasons) > 0 {
		sql += ` AND reason IN (?` + strings.Repeat(",?", len(f.Reasons)-1) + `)`
		for _, r := range f.Reasons {
			args = append(args, string(r))
		}
	}
	err = q.writeAlone(ctx, func(t *tx) error {
		n, _, err = t.exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retrying files: %w", err)
	}
	return n, nil
}

const requeueFile = `
UPDATE file SET state='pending', done_run_id=NULL, finished_at=NULL, sha256=NULL, md5=NULL, proof=NULL, flagged=NULL,
  header_id=NULL, header_date=NULL, source=NULL, etag=NULL, last_modified=NULL, detail=?
WHERE id=? AND state='done'`

// Requeue makes a done file pending, because its bytes are gone or damaged; why is kept for reports. The journal says so
// too, so that Rebuild does not bring the old record back. ErrStale if the file is not done.
func (q *Queue) Requeue(ctx context.Context, fileID int64, why string) error {
	err := q.write(ctx, func(t *tx) error {
		n, _, err := t.exec(ctx, requeueFile, orNull(sanitise(why)), fileID)
		if err == nil && n == 0 {
			err = ErrStale
		}
		if err != nil {
			return err
		}
		t.journalFile(fileID)
		return t.event(ctx, fileID, "requeued", why)
	})
	if err != nil {
		return fmt.Errorf("requeueing file %d: %w", fileID, err)
	}
	return nil
}

// Its index is named since SQLite would walk the whole table to have the ids in order.
const listPlacings = `SELECT id FROM file INDEXED BY file_held WHERE run_id > 0 AND state='placing' ORDER BY id`
const selectPart = `
SELECT token, source, boot, durable_bytes, size_bytes, checksum, etag, last_modified, http_date FROM part WHERE file_id=?`

// Placings returns the files whose rename may or may not have happened, with their Part. After Open and before the first
// Claim these are all an earlier process left; each must be settled with SettlePlaced.
func (q *Queue) Placings(ctx context.Context) (out []File, err error) {
	err = q.run(ctx, func(c *conn) error {
		var ids []int64
		err := c.query(ctx, listPlacings, nil, func(r row) error {
			ids = append(ids, r.int(0))
			return nil
		})
		for _, id := range ids {
			if err != nil {
				return err
			}
			var f File
			if f, err = oneFile(ctx, c, id); err != nil {
				return err
			}
			err = c.query(ctx, selectPart, []any{id}, func(r row) error {
				f.Part = partOf(r, 0)
				return nil
			})
			out = append(out, f)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing files to settle: %w", err)
	}
	return out, nil
}

const (
	settleDone = `
UPDATE file SET state='done', done_run_id=run_id, run_id=NULL, finished_at=?, tries=0, checks=0, last_sha256=NULL
WHERE id=? AND state='placing'`
	settlePending = `
UPDATE file SET state='pending', run_id=NULL, sha256=NULL, md5=NULL, proof=NULL, flagged=NULL, header_id=NULL, header_date=NULL,
  source=NULL, etag=NULL, last_modified=NULL
WHERE id=? AND state='placing'`
)

// SettlePlaced ends the doubt about a file of Placings: Done if the final file has the recorded SHA-256, Pending if it has
// not; then part is what is left on disk. ErrStale if the file is not placing. It is for files of earlier runs only.
func (q *Queue) SettlePlaced(ctx context.Context, fileID int64, to State, part Part) error {
	err := q.write(ctx, func(t *tx) error {
		switch to {
		case Done:
			n, _, err := t.exec(ctx, settleDone, t.now, fileID)
			if err != nil || n == 0 {
				return staleOr(err)
			}
			t.journalFile(fileID)
			return nil
		case Pending:
			n, _, err := t.exec(ctx, settlePending, fileID)
			if err != nil || n == 0 {
				return staleOr(err)
			}
			return t.keepPart(ctx, fileID, part)
		}
		return fmt.Errorf("%q is neither done nor pending", to)
	})
	if err != nil {
		return fmt.Errorf("settling file %d: %w", fileID, err)
	}
	return nil
}

func staleOr(err error) error {
	if err == nil {
		return ErrStale
	}
	return err
}

// SetMeta stores a value of the caller's under key; "" removes it.
func (q *Queue) SetMeta(ctx context.Context, key, value string) error {
	err := q.write(ctx, func(t *tx) error {
		// A prefix keeps the callers' keys apart from the queue's own.
		if value == "" {
			_, _, err := t.exec(ctx, `DELETE FROM meta WHERE key=?`, "user."+key)
			return err
		}
		_, _, err := t.exec(ctx, upsertMeta, "user."+key, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing %q: %w", key, err)
	}
	return nil
}

// SetTrust stores what the campaign has learned of the archive's checksums.
func (q *Queue) SetTrust(ctx context.Context, trust Trust) error {
	err := q.write(ctx, func(t *tx) error { return t.setTrust(ctx, trust) })
	if err != nil {
		return fmt.Errorf("storing the trust in checksums: %w", err)
	}
	return nil
}

func (t *tx) setTrust(ctx context.Context, trust Trust) error {
	switch trust {
	case TrustUnproven, TrustProven, TrustNotMD5:
	default:
		return fmt.Errorf("%q is not a trust", trust)
	}
	_, _, err := t.exec(ctx, upsertMeta, metaTrust, string(trust))
	return err
}

// SetFacts stores what the keyword services say of a file when asked again. A finished file keeps the facts it was proven
// under.
func (q *Queue) SetFacts(ctx context.Context, fileID int64, f KeywordFact) error {
	err := q.write(ctx, func(t *tx) error {
		old, ok, err := t.lookupID(ctx, fileID)
		if err == nil && !ok {
			err = errors.New("no such file")
		}
		if err != nil {
			return err
		}
		return t.storeFact(ctx, old, f, func(old, next knownFile) error { return t.put(ctx, old, next) })
	})
	if err != nil {
		return fmt.Errorf("storing facts of file %d: %w", fileID, err)
	}
	return nil
}

// SetWant demands a SHA-256 of the file with this URI, as a trusted manifest gives it; nil takes the demand back.
func (q *Queue) SetWant(ctx context.Context, uri string, sha256 []byte) error {
	err := q.write(ctx, func(t *tx) error {
		stem, name := splitURI(uri)
		const set = `UPDATE file SET want_sha256=? WHERE name=? AND stem_id=(SELECT id FROM dir WHERE path=?)`
		n, _, err := t.exec(ctx, set, bytesOrNull(sha256), name, stem)
		if err == nil && n == 0 {
			err = errors.New("no such file")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("demanding a digest of %q: %w", uri, err)
	}
	return nil
}

// ClearWants takes back the demands of a SHA-256 of all files.
func (q *Queue) ClearWants(ctx context.Context) error {
	err := q.writeAlone(ctx, func(t *tx) error {
		_, _, err := t.exec(ctx, `UPDATE file SET want_sha256=NULL WHERE want_sha256 IS NOT NULL`) // reads the whole table
		return err
	})
	if err != nil {
		return fmt.Errorf("taking back demands of digests: %w", err)
	}
	return nil
}

// Event records something for Reader.Events; fileID 0 is the campaign. kind is one word.
func (q *Queue) Event(ctx context.Context, fileID int64, kind, detail string) error {
	err := q.write(ctx, func(t *tx) error { return t.event(ctx, fileID, kind, detail) })
	if err != nil {
		return fmt.Errorf("recording an event: %w", err)
	}
	return nil
}

func (t *tx) event(ctx context.Context, fileID int64, kind, detail string) error {
	const insert = `INSERT INTO event(file_id, at, kind, detail) VALUES (?,?,?,?)`
	_, _, err := t.exec(ctx, insert, idOrNull(fileID), t.now, sanitise(kind), sanitise(detail))
	return err
}
