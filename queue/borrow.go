package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// Borrow puts the files of a shard into this queue, which is a task's own: all pending, in one transaction. A URI that is
// known already is left as it is. It returns how many were new. A file whose path is not valid fails the whole call: lists
// are written by Loans, so such a list is not one of ours.
func (q *Queue) Borrow(ctx context.Context, loans iter.Seq2[Loan, error]) (files int64, err error) {
	err = q.writeAlone(ctx, func(t *tx) error {
		files = 0
		for l, err := range loans {
			if err != nil {
				return err
			}
			n, err := t.borrow(ctx, l)
			if err != nil {
				return fmt.Errorf("%q: %w", sanitise(l.URI), err)
			}
			files += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("taking up a shard: %w", err)
	}
	return files, nil
}

const borrowFile = `
INSERT INTO file(stem_id, name, state, kind_id, dir_id, path_hash, size_bytes, exact, checksum, release_at, tries, checks, last_sha256, want_sha256)
VALUES (?,?,'pending',?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`

func (t *tx) borrow(ctx context.Context, l Loan) (int64, error) {
	if !validPath(l.Path) || l.URI == "" {
		return 0, errors.New("not a file of a campaign")
	}
	stem, name := splitURI(l.URI)
	stemID, err := t.dir(ctx, stem)
	if err != nil {
		return 0, err
	}
	folder, file := splitPath(l.Path)
	dirID, err := t.dir(ctx, folder)
	if err != nil {
		return 0, err
	}
	kindID, err := t.kind(ctx, kind{level: -2, suffix: suffixOf(name), rights: l.Rights})
	if err != nil {
		return 0, err
	}
	var release any
	if l.ReleaseAt != 0 {
		release = l.ReleaseAt
	}
	n, id, err := t.exec(ctx, borrowFile, stemID, name, kindID, dirID, pathHash(folder, file), known(l.Size), flag(l.Exact),
		bytesOrNull(l.Checksum), release, l.Tries, l.Checks, bytesOrNull(l.LastSHA), bytesOrNull(l.Want))
	if err != nil || n == 0 || l.Part == nil || !isToken(l.Part.Token) {
		return n, err
	}
	return n, t.keepPart(ctx, id, l.Part.part())
}

// OutcomeLine is what became of a file that a task did not finish: one line of its journal, beside the JournalLines of finished files.
type OutcomeLine struct {
	URI     string    `json:"uri"`
	State   State     `json:"state"` // pending, waiting, parked or failed
	Reason  Reason    `json:"reason,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	DueAt   int64     `json:"due_at,omitempty"` // UTC milliseconds; 0 none
	Tries   int       `json:"tries,omitempty"`
	Checks  int       `json:"checks,omitempty"`
	LastSHA []byte    `json:"last_sha,omitempty"`
	Part    *PartLine `json:"part,omitempty"`
}

const listOutcomes = `
SELECT f.id, s.path || f.name, f.state, f.reason, f.detail, f.due_at, f.tries, f.checks, f.last_sha256,
  p.token, p.source, p.boot, p.durable_bytes, p.size_bytes, p.checksum, p.etag, p.last_modified, p.http_date
FROM file f JOIN dir s ON s.id = f.stem_id LEFT JOIN part p ON p.file_id = f.id
WHERE f.id > ? AND f.state <> 'done' ORDER BY f.id LIMIT ?`

// Outcomes yields what became of the files that are not done, for a task's journal. Files that are under way count as
// pending. An error ends the sequence.
func (r *Reader) Outcomes(ctx context.Context) iter.Seq2[OutcomeLine, error] {
	return func(yield func(OutcomeLine, error) bool) {
		for last := int64(0); ; {
			page := make([]OutcomeLine, 0, pageSize)
			err := r.run(ctx, func(c *conn) error {
				return c.query(ctx, listOutcomes, []any{last, pageSize}, func(r row) error {
					last = r.int(0)
					l := OutcomeLine{URI: r.str(1), State: State(r.str(2)), Reason: Reason(r.str(3)), Detail: r.str(4), DueAt: r.int(5),
						Tries: int(r.int(6)), Checks: int(r.int(7)), LastSHA: r.blob(8), Part: partLine(partOf(r, 9))}
					if l.State == Running || l.State == Placing {
						l.State = Pending
					}
					page = append(page, l)
					return nil
				})
			})
			if err != nil {
				yield(OutcomeLine{}, fmt.Errorf("listing outcomes: %w", err))
				return
			}
			for _, l := range page {
				if !yield(l, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// journalPart has the journal tell of a part that has durable bytes, so that another node can continue it. Only the
// journal of a task does.
func (t *tx) journalPart(j Job, p Part) error {
	if t.q.cfg.Journal == "" || p.Durable == 0 {
		return nil
	}
	b, err := json.Marshal(OutcomeLine{URI: j.URI, State: Pending, Tries: j.Tries, Checks: j.Checks, LastSHA: j.LastSHA, Part: partLine(p)})
	if err != nil {
		return fmt.Errorf("encoding a journal line: %w", err)
	}
	t.lines = append(append(t.lines, b...), '\n')
	return nil
}
