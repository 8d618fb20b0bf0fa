package queue

import (
	"context"
	"fmt"
	"strconv"
)

// Finish records that the file has its final name: it is done, and its line is in the journal, when Finish returns.
// ErrStale if the job is no longer the row's attempt, or was not placed.
func (q *Queue) Finish(ctx context.Context, j Job) error {
	if err := q.do(ctx, op{finish: &j}); err != nil {
		return fmt.Errorf("finishing %q: %w", j.URI, err)
	}
	return nil
}

// Files of one run, keyed by id, with their attempts. The guard is that of guardRunning, for the state before.
const finishFiles = `
UPDATE file SET state='done', done_run_id=run_id, run_id=NULL, finished_at=CAST(? AS INTEGER), tries=0, checks=0, last_sha256=NULL
FROM json_each(CAST(? AS TEXT)) each
WHERE file.id = CAST(each.key AS INTEGER) AND file.state='placing' AND file.run_id = CAST(? AS INTEGER) AND file.attempt = each.value
RETURNING file.id, file.attempt`

// attempt is one run's attempt at one file.
type attempt struct{ id, run, n int64 }

func (j *Job) held() attempt { return attempt{j.ID, j.RunID, j.Attempt} }

// finish ends all finishes of a group by one statement, which takes half the time of one each, and gives their results: nil or
// ErrStale. Entries of other operations stay as they are.
func (t *tx) finish(ctx context.Context, group []*op, results []error) error {
	runs := map[int64][]attempt{}
	for _, o := range group {
		if o.finish != nil && o.ctx.Err() == nil {
			a := o.finish.held()
			runs[a.run] = append(runs[a.run], a)
		}
	}
	done := map[attempt]bool{}
	for run, attempts := range runs {
		err := t.query(ctx, finishFiles, []any{t.now, attemptList(attempts), run}, func(r row) error {
			done[attempt{r.int(0), run, r.int(1)}] = true
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i, o := range group {
		if o.finish == nil {
			continue
		}
		a := o.finish.held()
		switch {
		case done[a]: // even if its caller went away meanwhile
			delete(done, a) // the same finish again is stale
			t.journalFile(a.id)
		case o.ctx.Err() != nil:
			results[i] = o.ctx.Err()
		default:
			results[i] = ErrStale
		}
	}
	return nil
}

// attemptList writes a JSON object of attempts by id.
func attemptList(attempts []attempt) string {
	b := []byte{'{'}
	for i, a := range attempts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, '"'), a.id, 10), '"', ':')
		b = strconv.AppendInt(b, a.n, 10)
	}
	return string(append(b, '}'))
}
