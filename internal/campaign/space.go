package campaign

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

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
	folders, err := c.Queue.Folders(ctx)
	if err != nil {
		return err
	}
	return planner.CheckSpace(counts, folders, func() (bytes, inodes uint64, err error) { return durable.FreeSpace(c.Dir) })
}

// Forecast says what the campaign has still to fetch, whether that fits into dir, which need not exist yet, and how long the
// limits make it at least.
func (c *Campaign) Forecast(ctx context.Context, l planner.Limits, dir string) (planner.Forecast, error) {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return planner.Forecast{}, err
	}
	folders, err := c.Queue.Folders(ctx)
	if err != nil {
		return planner.Forecast{}, err
	}
	return planner.NewForecast(counts, folders, l, func() (bytes, inodes uint64, err error) {
		for {
			bytes, inodes, err = durable.FreeSpace(dir)
			parent := filepath.Dir(dir)
			if !errors.Is(err, fs.ErrNotExist) || parent == dir {
				return bytes, inodes, err
			}
			dir = parent
		}
	}), nil
}
