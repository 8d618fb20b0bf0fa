package campaign

import (
	"context"

	"jwstbulk/internal/durable"
	"jwstbulk/planner"
)

// CheckSpace compares what is still to be fetched with the free space and inodes of the campaign's file system. The error is
// a *planner.SpaceError if it does not fit.
func (c *Campaign) CheckSpace(ctx context.Context) error {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return err
	}
	return planner.CheckSpace(counts, 0, func() (bytes, inodes uint64, err error) { return durable.FreeSpace(c.Dir) })
}
