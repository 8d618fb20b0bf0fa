package queue

import (
	"context"
	"fmt"
	"iter"
)

// PartName says which part on disk belongs to which file.
type PartName struct{ URI, Token string }

const selectParts = `
SELECT p.file_id, s.path || f.name, p.token
FROM part p JOIN file f ON f.id = p.file_id JOIN dir s ON s.id = f.stem_id WHERE p.file_id > ? ORDER BY p.file_id LIMIT ?`

// Parts yields every part that the queue knows of: whatever else lies in the directory of parts belongs to nobody. An error
// ends the sequence.
func (r *Reader) Parts(ctx context.Context) iter.Seq2[PartName, error] {
	return func(yield func(PartName, error) bool) {
		for last := int64(0); ; {
			var page []PartName
			err := r.run(ctx, func(c *conn) error {
				return c.query(ctx, selectParts, []any{last, pageSize}, func(row row) error {
					last = row.int(0)
					page = append(page, PartName{URI: row.str(1), Token: row.str(2)})
					return nil
				})
			})
			if err != nil {
				yield(PartName{}, fmt.Errorf("listing parts: %w", err))
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}
