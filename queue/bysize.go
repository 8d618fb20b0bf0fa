package queue

import (
	"context"
	"errors"
	"fmt"
)

// An index of sizes costs each pending file two changes, and only claims by size use it. So the first of them makes it: half a
// second at a million files. Campaigns that keep to the order of the plan never have it.

// bySize tells that claims in this order need the index of sizes.
func (o Order) bySize() bool { return o != OrderPlan && o != "" }

const makeSizes = `CREATE INDEX IF NOT EXISTS file_pending_size ON file(size_bytes) WHERE state = 'pending'`

// indexSizes makes the index of sizes unless it is there. A statement by itself is a transaction: a kill leaves all of the index
// or none. SQLite sorts in a temporary file, with no more memory than its page cache; where none can be opened, in memory,
// 55 MB for a million files. Whether temporary data may be files can be changed between transactions only.
func (q *Queue) indexSizes(ctx context.Context) error {
	if q.sized.Load() {
		return nil
	}
	err := q.do(ctx, op{bare: true, apply: func(t *tx) error {
		if err := t.startWork(ctx); err != nil {
			return err
		}
		err := t.script(ctx, "PRAGMA temp_store=FILE")
		if err == nil {
			err = q.point("temporary-file")
		}
		if err == nil {
			err = t.script(ctx, makeSizes)
		}
		if back := t.script(ctx, "PRAGMA temp_store=MEMORY"); back != nil {
			return q.fail(errors.Join(err, back))
		}
		if isNoTempFile(err) { // no write has failed: SQLite sorts before it writes
			err = t.script(ctx, makeSizes)
		}
		if err != nil {
			err = q.fail(err)
		}
		return err
	}})
	if err != nil {
		return fmt.Errorf("indexing pending files by size: %w", err)
	}
	q.sized.Store(true)
	return nil
}
