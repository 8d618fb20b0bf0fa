package queue

import (
	"context"
	"fmt"
	"time"
)

// Both walk a partial index that holds pending rows alone, as the claims do. That of sizes may not be there yet; then SQLite
// sorts, a third of a second at a million files.
const (
	upcoming = `
SELECT s.path || f.name, k.rights, f.release_at FROM file f %s JOIN dir s ON s.id = f.stem_id JOIN kind k ON k.id = f.kind_id
WHERE f.state='pending' ORDER BY %s LIMIT CAST(? AS INTEGER)`
	upcomingPlan  = "f.id"
	upcomingSmall = "f.size_bytes, f.id"
	upcomingLarge = "f.size_bytes DESC, f.id DESC"
)

// Upcoming returns the URIs of the public files among the next n that Claim would hand out, soonest first. It is a forecast:
// nothing is claimed, and due files may come in between.
func (r *Reader) Upcoming(ctx context.Context, n int, order Order) ([]string, error) {
	shares, err := order.shares(n)
	if err != nil {
		return nil, fmt.Errorf("looking ahead: %w", err)
	}
	var uris []string
	err = r.run(ctx, func(c *conn) error {
		now := time.Now()
		for _, s := range shares {
			index, by := "", upcomingSmall
			switch s.sql {
			case claimPlan:
				index, by = "INDEXED BY file_pending", upcomingPlan
			case claimLarge:
				by = upcomingLarge
			}
			err := c.query(ctx, fmt.Sprintf(upcoming, index, by), []any{s.n}, func(r row) error {
				if isPublic(r.str(1), r.time(2), now) {
					uris = append(uris, r.str(0))
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking ahead: %w", err)
	}
	return uris, nil
}

// isPublic judges by the catalogue's word; without one a file counts as public once its release date, if any, has passed.
func isPublic(rights string, release, now time.Time) bool {
	return rights == "PUBLIC" || rights == "" && !release.After(now)
}
