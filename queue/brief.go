package queue

import (
	"context"
	"fmt"
	"iter"
)

// Brief is the little of a file that a walk over a whole campaign can afford.
type Brief struct {
	Name  string // the last path component of the URI
	State State
	Exact bool // the size is the keyword service's
}

// Along the primary key, without the joins of fileColumns.
const listBriefs = `
SELECT id, name, state, exact FROM file WHERE id > ?1 AND (?2 = 0 OR query_id = ?2) ORDER BY id LIMIT ?3`

// Briefs yields the files of a query (0: of all queries) in the order in which they were first listed, at a fifth of the cost
// of Files. An error ends the sequence.
func (r *Reader) Briefs(ctx context.Context, queryID int64) iter.Seq2[Brief, error] {
	return func(yield func(Brief, error) bool) {
		page := make([]Brief, 0, pageSize)
		for last := int64(0); ; {
			page = page[:0]
			err := r.run(ctx, func(c *conn) error {
				return c.query(ctx, listBriefs, []any{last, queryID, pageSize}, func(r row) error {
					last = r.int(0)
					page = append(page, Brief{Name: r.str(1), State: State(r.str(2)), Exact: r.int(3) == 1})
					return nil
				})
			})
			if err != nil {
				yield(Brief{}, fmt.Errorf("listing files: %w", err))
				return
			}
			for _, b := range page {
				if !yield(b, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// Known returns how many rows of a query were of files that an earlier query had listed: PlanSummary.Known alone, without
// reading the files.
func (r *Reader) Known(ctx context.Context, queryID int64) (n int64, err error) {
	err = r.run(ctx, func(c *conn) error {
		n, _, err = c.one(ctx, `SELECT known FROM query WHERE id = ?`, queryID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading query %d: %w", queryID, err)
	}
	return n, nil
}
