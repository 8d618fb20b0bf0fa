package queue

import (
	"context"
	"errors"
	"fmt"
)

// forgetQuery removes what a query left, children before parents.
var forgetQuery = [...]string{
	`DELETE FROM omitted WHERE rule_id IN (SELECT id FROM rule WHERE query_id = ?)`,
	`DELETE FROM rule WHERE query_id = ?`,
	`DELETE FROM query_observation WHERE query_id = ?`,
	`DELETE FROM chunk WHERE query_id = ?`,
	`DELETE FROM query WHERE id = ?`,
}

const countOfQuery = `SELECT count(*) FROM file WHERE query_id = ?`

var errQueryHasFiles = errors.New("it has files")

// ForgetQuery removes a query that listed no file, as if it had never been asked. It fails, with nothing changed, if a file
// was listed first by this query.
func (q *Queue) ForgetQuery(ctx context.Context, queryID int64) error {
	err := q.writeAlone(ctx, func(t *tx) error {
		var n int64
		err := t.query(ctx, countOfQuery, []any{queryID}, func(r row) error {
			n = r.int(0)
			return nil
		})
		if err != nil {
			return err
		}
		if n > 0 {
			return errQueryHasFiles
		}
		for _, sql := range forgetQuery {
			if _, _, err := t.exec(ctx, sql, queryID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting query %d: %w", queryID, err)
	}
	return nil
}
