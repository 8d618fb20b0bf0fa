package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Round is one submission of shards to a batch system.
type Round struct {
	ID        int64
	StartedAt time.Time
	Shards    int
	Spec      []byte    // JSON: how it was submitted
	Job       string    // the batch system's id; "" until it is known
	ClosedAt  time.Time // when its last file was back; zero while some are lent
	Lent      int64     // files still lent
}

// Lending says what to lend.
type Lending struct {
	Shards int
	Spec   []byte // JSON, kept with the round
	// Assign is called once for each file, the largest first (unknown sizes, -1, last), and returns its shard, 0 to
	// Shards-1. It runs inside the transaction.
	Assign func(size int64) int
	// After is the number of the last round whose lists are on disk: the new round's is higher, also after Rebuild.
	After int64
}

// ErrNothingToLend is returned by Lend when no file is pending.
var ErrNothingToLend = errors.New("no file is pending")

// Lend puts all pending files into the shards of a new round, in one transaction: they are lent until TakeBack. Files that
// have fallen due are pending. It fails with ErrNothingToLend, and then has changed nothing. Cost: about fifteen
// microseconds and forty bytes of memory a file.
func (q *Queue) Lend(ctx context.Context, l Lending) (round int64, files int64, err error) {
	if l.Shards < 1 || l.Assign == nil {
		return 0, 0, errors.New("lending: no shards, or nothing that assigns files to them")
	}
	err = q.writeAlone(ctx, func(t *tx) error {
		round, files, err = t.lend(ctx, l)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("lending files: %w", err)
	}
	return round, files, nil
}

const (
	wakeAll = `UPDATE file SET state='pending', reason=NULL, due_at=NULL WHERE id IN (
  SELECT id FROM file INDEXED BY file_due WHERE due_at > 0 AND due_at <= CAST(? AS INTEGER))`
	listPending = `SELECT id, size_bytes FROM file INDEXED BY file_pending WHERE state='pending' ORDER BY id`
	insertRound = `
INSERT INTO round(id, started_at, shards, spec) VALUES (max((SELECT ifnull(max(id),0) FROM round), ?) + 1, ?,?,?)`
	insertLoan = `INSERT INTO loan(file_id, round, shard) VALUES (?,?,?)`
	lendSome   = `UPDATE file SET state='lent' WHERE id > ? AND id <= ? AND state='pending'` // by the primary key
)

// lendStep is how many rows one statement lends: SQLite keeps the old pages of a statement in memory, in case it fails.
const lendStep = 10_000

func (t *tx) lend(ctx context.Context, l Lending) (round, files int64, err error) {
	if _, _, err := t.exec(ctx, wakeAll, t.now); err != nil {
		return 0, 0, err
	}
	rows, err := t.pendingBySize(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case len(rows) == 0:
		return 0, 0, ErrNothingToLend
	}
	if _, round, err = t.exec(ctx, insertRound, l.After, t.now, l.Shards, string(l.Spec)); err != nil {
		return 0, 0, err
	}
	last := int64(0)
	for _, r := range rows {
		shard := l.Assign(r.size)
		if shard < 0 || shard >= l.Shards {
			return 0, 0, fmt.Errorf("a file was assigned to a shard that is not among %d", l.Shards)
		}
		if _, _, err := t.exec(ctx, insertLoan, r.id, round, shard); err != nil {
			return 0, 0, err
		}
		last = max(last, r.id)
	}
	for id := int64(0); id < last; id += lendStep {
		n, _, err := t.exec(ctx, lendSome, id, id+lendStep)
		if err != nil {
			return 0, 0, err
		}
		files += n
	}
	return round, files, nil
}

// sizedFile is a file and its size in bytes, -1 if that is unknown.
type sizedFile struct{ id, size int64 }

// pendingBySize lists the pending files, the largest first. SQLite would hold them all in memory to sort them, at twice the size.
func (t *tx) pendingBySize(ctx context.Context) (rows []sizedFile, err error) {
	err = t.query(ctx, listPending, nil, func(r row) error {
		rows = append(rows, sizedFile{r.int(0), r.intOr(1, -1)})
		return nil
	})
	slices.SortFunc(rows, func(a, b sizedFile) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.id, b.id)) })
	return rows, err
}

// SetRoundJob records which job of the batch system works on a round, and how it was submitted (JSON).
func (q *Queue) SetRoundJob(ctx context.Context, round int64, job string, spec []byte) error {
	err := q.write(ctx, func(t *tx) error {
		n, _, err := t.exec(ctx, `UPDATE round SET job=?, spec=? WHERE id=?`, orNull(sanitise(job)), string(spec), round)
		if err == nil && n == 0 {
			err = errors.New("no such round")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("recording the job of round %d: %w", round, err)
	}
	return nil
}

// Unlend makes all files of a round that are still lent pending again, in one transaction: for a round that no batch system
// took. Should a task work on it all the same, TakeBack takes in what it finishes.
func (q *Queue) Unlend(ctx context.Context, round int64) (files int64, err error) {
	err = q.writeAlone(ctx, func(t *tx) error {
		shards, _, err := t.one(ctx, `SELECT shards FROM round WHERE id=?`, round)
		if err != nil {
			return err
		}
		files = 0
		for k := range int(shards) { // a statement a shard: see lendStep
			n, err := t.returnShard(ctx, round, k)
			if err != nil {
				return err
			}
			files += n
		}
		return t.closeRounds(ctx)
	})
	if err != nil {
		return 0, fmt.Errorf("taking back round %d: %w", round, err)
	}
	return files, nil
}

const selectRounds = `
SELECT id, started_at, shards, spec, job, closed_at, (SELECT count(*) FROM loan WHERE loan.round = r.id) FROM round r ORDER BY id`

// Rounds returns all rounds, oldest first.
func (r *Reader) Rounds(ctx context.Context) (out []Round, err error) {
	err = r.run(ctx, func(c *conn) error {
		return c.query(ctx, selectRounds, nil, func(r row) error {
			out = append(out, Round{ID: r.int(0), StartedAt: r.time(1), Shards: int(r.int(2)), Spec: r.blob(3), Job: r.str(4),
				ClosedAt: r.time(5), Lent: r.int(6)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing rounds: %w", err)
	}
	return out, nil
}

// Loan is a file as a shard lends it: what is needed to fetch it, and a line of the shard's list. Digests are raw bytes, nil
// if unknown.
type Loan struct {
	URI       string    `json:"uri"`
	Path      string    `json:"path"`
	Size      int64     `json:"size"` // -1 unknown
	Exact     bool      `json:"exact,omitempty"`
	Checksum  []byte    `json:"checksum,omitempty"` // the archive's
	Want      []byte    `json:"want,omitempty"`
	LastSHA   []byte    `json:"last_sha,omitempty"`
	Tries     int       `json:"tries,omitempty"`
	Checks    int       `json:"checks,omitempty"`
	Rights    string    `json:"rights,omitempty"`
	ReleaseAt int64     `json:"release_at,omitempty"` // UTC milliseconds
	Part      *PartLine `json:"part,omitempty"`       // what is left on disk of it
}

// PartLine is a Part as JSON.
type PartLine struct {
	Token    string `json:"token"`
	Source   string `json:"source,omitempty"`
	Boot     string `json:"boot,omitempty"`
	Durable  int64  `json:"durable"`
	Size     int64  `json:"size"`
	Checksum []byte `json:"checksum,omitempty"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
	Date     string `json:"date,omitempty"`
}

func partLine(p Part) *PartLine {
	if p.Token == "" {
		return nil
	}
	return &PartLine{p.Token, p.Source, p.Boot, p.Durable, p.Size, p.Checksum, p.ETag, p.LastModified, p.Date}
}

// part is partLine's inverse; nil is the zero Part.
func (l *PartLine) part() Part {
	if l == nil {
		return Part{}
	}
	return Part{l.Token, l.Source, l.Boot, l.Durable, l.Size, l.Checksum, Validator{l.ETag, l.Modified, l.Date}}
}

const listLoans = `
SELECT f.id, s.path || f.name, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.size_bytes, f.exact, f.checksum,
  f.want_sha256, f.last_sha256, f.tries, f.checks, k.rights, f.release_at,
  p.token, p.source, p.boot, p.durable_bytes, p.size_bytes, p.checksum, p.etag, p.last_modified, p.http_date
FROM loan l JOIN file f ON f.id = l.file_id JOIN dir s ON s.id = f.stem_id JOIN dir d ON d.id = f.dir_id JOIN kind k ON k.id = f.kind_id
LEFT JOIN part p ON p.file_id = f.id
WHERE l.round = ? AND l.shard = ? AND l.file_id > ? ORDER BY l.file_id LIMIT ?` // index loan_shard

// Loans yields the files that are lent in a shard, in the order of the plan. An error ends the sequence.
func (r *Reader) Loans(ctx context.Context, round int64, shard int) iter.Seq2[Loan, error] {
	return func(yield func(Loan, error) bool) {
		for last := int64(0); ; {
			page := make([]Loan, 0, pageSize)
			err := r.run(ctx, func(c *conn) error {
				return c.query(ctx, listLoans, []any{round, shard, last, pageSize}, func(r row) error {
					last = r.int(0)
					page = append(page, Loan{URI: r.str(1), Path: r.str(2), Size: r.intOr(3, -1), Exact: r.int(4) == 1, Checksum: r.blob(5),
						Want: r.blob(6), LastSHA: r.blob(7), Tries: int(r.int(8)), Checks: int(r.int(9)), Rights: r.str(10), ReleaseAt: r.int(11),
						Part: partLine(partOf(r, 12))})
					return nil
				})
			})
			if err != nil {
				yield(Loan{}, fmt.Errorf("listing shard %d of round %d: %w", shard, round, err))
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
