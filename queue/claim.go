package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// StartRun records that a run begins; Claim needs its id.
func (q *Queue) StartRun(ctx context.Context, info RunInfo) (runID int64, err error) {
	if info.Host == "" {
		info.Host, _ = os.Hostname() // stays empty if the system does not say
	}
	err = q.write(ctx, func(t *tx) error {
		const insert = `INSERT INTO run(command, host, version, started_at) VALUES (?,?,?,?)`
		_, runID, err = t.exec(ctx, insert, info.Command, info.Host, info.Version, t.now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("starting a run: %w", err)
	}
	return runID, nil
}

// FinishRun records how a run ended: its exit code and a summary in JSON, nil for none. Files it still holds stay its own
// until the next Open.
func (q *Queue) FinishRun(ctx context.Context, runID int64, exit int, summary []byte) error {
	err := q.write(ctx, func(t *tx) error {
		const update = `UPDATE run SET finished_at=?, exit_code=?, summary=? WHERE id=? AND finished_at IS NULL`
		n, _, err := t.exec(ctx, update, t.now, exit, orNull(string(summary)), runID)
		if err == nil && n == 0 {
			err = ErrStale
		}
		if err != nil {
			return err
		}
		t.q.working = false
		return t.resize(ctx, planCache)
	})
	if err != nil {
		return fmt.Errorf("finishing run %d: %w", runID, err)
	}
	return nil
}

// Claim hands at most n pending files to the run: they are running, for one attempt. None, without an error, means that
// nothing is pending; Reader.Next tells when that changes. It also makes waiting and parked files pending that have
// fallen due, at most once a second and some thousands at a time, so that a large flock does not hold up the claims.
func (q *Queue) Claim(ctx context.Context, runID int64, n int, order Order) ([]Job, error) {
	if n <= 0 {
		return nil, nil
	}
	shares, err := order.shares(n)
	if err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	if order.bySize() {
		if err := q.indexSizes(ctx); err != nil {
			return nil, fmt.Errorf("claiming: %w", err)
		}
	}
	var jobs []Job
	err = q.write(ctx, func(t *tx) error {
		jobs = jobs[:0]
		if err := t.startWork(ctx); err != nil {
			return err
		}
		if err := t.wake(ctx, false); err != nil {
			return err
		}
		if jobs, err = t.claim(ctx, runID, shares, jobs); err != nil || len(jobs) > 0 {
			return err
		}
		if err := t.wake(ctx, true); err != nil {
			return err
		}
		jobs, err = t.claim(ctx, runID, shares, jobs)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claiming for run %d: %w", runID, err)
	}
	order.sort(jobs)
	return jobs, nil
}

// startWork makes the page cache small at the first claim, and drops what planning keeps in memory; FinishRun makes the cache
// large again, for a plan that may follow.
func (t *tx) startWork(ctx context.Context) error {
	if t.q.working {
		return nil
	}
	t.q.working, t.q.memory = true, chunkMemory{}
	return t.resize(ctx, workCache)
}

const (
	// What a file waits for does not matter to bytes that are here already. A failed file without a path has nowhere to go.
	freeFile = `
UPDATE file SET state='pending', reason=NULL, due_at=NULL
WHERE id=? AND (state IN ('waiting','parked') OR state='failed' AND dir_id IS NOT NULL)`
	claimFile = `UPDATE file SET state='running', run_id=?, attempt=attempt+1 WHERE id=? AND state='pending'`
)

// ClaimFile hands one file to the run, whose bytes are on disk already: it may be pending, waiting, parked, or failed with a
// path. ok is false, with nothing changed, if it is in any other state.
func (q *Queue) ClaimFile(ctx context.Context, runID, fileID int64) (j Job, ok bool, err error) {
	err = q.write(ctx, func(t *tx) error {
		if _, _, err := t.exec(ctx, freeFile, fileID); err != nil {
			return err
		}
		n, _, err := t.exec(ctx, claimFile, runID, fileID)
		if err != nil || n == 0 {
			return err
		}
		ok = true
		jobs, err := t.jobs(ctx, []int64{fileID})
		if err == nil {
			j = jobs[0]
		}
		return err
	})
	if err != nil {
		return Job{}, false, fmt.Errorf("claiming file %d for run %d: %w", fileID, runID, err)
	}
	return j, ok, nil
}

// share is how many rows to take by which statement.
type share struct {
	sql string
	n   int
}

// Each names its partial index, which holds pending rows alone: the planner of SQLite would rather walk the whole table
// along its primary key, which is fast only while nothing is done.
const (
	claimPlan = `
UPDATE file SET state='running', run_id=?, attempt=attempt+1 WHERE id IN (
  SELECT id FROM file INDEXED BY file_pending WHERE state='pending' ORDER BY id LIMIT CAST(? AS INTEGER))
RETURNING id`
	claimSmall = `
UPDATE file SET state='running', run_id=?, attempt=attempt+1 WHERE id IN (
  SELECT id FROM file INDEXED BY file_pending_size WHERE state='pending' ORDER BY size_bytes, id LIMIT CAST(? AS INTEGER))
RETURNING id`
	claimLarge = `
UPDATE file SET state='running', run_id=?, attempt=attempt+1 WHERE id IN (
  SELECT id FROM file INDEXED BY file_pending_size WHERE state='pending' ORDER BY size_bytes DESC, id DESC LIMIT CAST(? AS INTEGER))
RETURNING id`
)

func (o Order) shares(n int) ([]share, error) {
	switch o {
	case OrderPlan, "":
		return []share{{claimPlan, n}}, nil
	case OrderSize:
		return []share{{claimSmall, n}}, nil
	case OrderSizeDesc:
		return []share{{claimLarge, n}}, nil
	case OrderMixed:
		return []share{{claimLarge, (n + 1) / 2}, {claimSmall, n / 2}}, nil
	}
	return nil, fmt.Errorf("%q is not an order (plan, size, size,desc or mixed)", string(o))
}

// sort puts a claim in order; RETURNING promises none.
func (o Order) sort(jobs []Job) {
	slices.SortFunc(jobs, func(a, b Job) int {
		switch o {
		case OrderSize:
			return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.ID, b.ID))
		case OrderSizeDesc, OrderMixed:
			return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(b.ID, a.ID))
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

func (t *tx) claim(ctx context.Context, runID int64, shares []share, jobs []Job) ([]Job, error) {
	for _, p := range shares {
		if p.n == 0 {
			continue
		}
		var ids []int64
		err := t.query(ctx, p.sql, []any{runID, p.n}, func(r row) error {
			ids = append(ids, r.int(0))
			return nil
		})
		if err != nil {
			return nil, err
		}
		claimed, err := t.jobs(ctx, ids)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, claimed...)
	}
	return jobs, nil
}

const selectJobs = `
SELECT f.id, f.run_id, f.attempt, s.path || f.name, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END,
  f.size_bytes, f.exact, f.checksum, f.want_sha256, f.tries, f.checks, f.last_sha256, k.rights, f.release_at,
  p.token, p.source, p.boot, p.durable_bytes, p.size_bytes, p.checksum, p.etag, p.last_modified, p.http_date
FROM ` + eachID + ` CROSS JOIN file f ON f.id = each.value JOIN dir s ON s.id = f.stem_id JOIN dir d ON d.id = f.dir_id
JOIN kind k ON k.id = f.kind_id LEFT JOIN part p ON p.file_id = f.id`

// jobs reads the rows of claimed files, in the order of ids.
func (t *tx) jobs(ctx context.Context, ids []int64) ([]Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	jobs := make([]Job, 0, len(ids))
	err := t.query(ctx, selectJobs, []any{idList(ids)}, func(r row) error {
		j := Job{
			ID: r.int(0), RunID: r.int(1), Attempt: r.int(2), URI: r.str(3), Path: r.str(4), Size: r.intOr(5, -1), Exact: r.int(6) == 1,
			Checksum: r.blob(7), Want: r.blob(8), Tries: int(r.int(9)), Checks: int(r.int(10)), LastSHA: r.blob(11), ReleaseAt: r.time(13),
			Part: partOf(r, 14),
		}
		j.Public = isPublic(r.str(12), j.ReleaseAt, time.UnixMilli(t.now))
		jobs = append(jobs, j)
		return nil
	})
	if err == nil && len(jobs) != len(ids) {
		err = errors.New("a claimed row is not there")
	}
	return jobs, err
}

// partOf reads nine columns of the part table from column i on; the zero Part if there is none.
func partOf(r row, i int) Part {
	if r.str(i) == "" {
		return Part{}
	}
	return Part{
		Token: r.str(i), Source: r.str(i + 1), Boot: r.str(i + 2), Durable: r.int(i + 3), Size: r.intOr(i+4, -1), Checksum: r.blob(i + 5),
		Validator: Validator{ETag: r.str(i + 6), LastModified: r.str(i + 7), Date: r.str(i + 8)},
	}
}

// sweep remembers when due rows were last moved. Only the writer uses it.
type sweep struct {
	at   int64 // UTC milliseconds
	more bool  // the last one stopped at its limit
}

const sweepEvery = 1000 // milliseconds
const sweepLimit = 2000 // rows: some ten milliseconds

// The partial index file_due holds rows with a due time alone. They go to pending in the order they fell due.
const wakeDue = `
UPDATE file SET state='pending', reason=NULL, due_at=NULL WHERE id IN (
  SELECT id FROM file INDEXED BY file_due WHERE due_at > 0 AND due_at <= CAST(? AS INTEGER) ORDER BY due_at LIMIT CAST(? AS INTEGER))`

// wake makes due rows pending: once a second, or at once if the claims have run dry while more are known to be due. A
// clock that was set back starts a new second.
func (t *tx) wake(ctx context.Context, dry bool) error {
	s := &t.q.swept
	since := t.now - s.at
	if since >= 0 && since < sweepEvery && (!dry || !s.more) {
		return nil
	}
	n, _, err := t.exec(ctx, wakeDue, t.now, sweepLimit)
	if err != nil {
		return fmt.Errorf("waking due files: %w", err)
	}
	s.at, s.more = t.now, n == sweepLimit
	return nil
}
