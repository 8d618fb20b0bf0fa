package campaign

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"jwstbulk/internal/durable"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// CheckSpace compares what is still to be fetched with the free space and inodes of the campaign's file system, and with the
// user's quota where one can be read. The error is a *planner.SpaceError if it does not fit.
func (c *Campaign) CheckSpace(ctx context.Context) error {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return err
	}
	folders, err := c.folders(ctx, counts)
	if err != nil {
		return err
	}
	err = planner.CheckSpace(counts, folders, func() (bytes, inodes uint64, err error) { return durable.FreeSpace(c.Dir) })
	bytes, inodes, limited := durable.Quota(c.Dir)
	if err != nil || !limited {
		return err
	}
	err = planner.CheckSpace(counts, folders, func() (uint64, uint64, error) { return bytes, inodes, nil })
	var space *planner.SpaceError
	if errors.As(err, &space) {
		space.Quota = true
	}
	return err
}

// Forecast says what the campaign has still to fetch, whether that fits into dir, which need not exist yet, and how long the
// limits make it at least.
func (c *Campaign) Forecast(ctx context.Context, l planner.Limits, dir string) (planner.Forecast, error) {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return planner.Forecast{}, err
	}
	folders, err := c.folders(ctx, counts)
	if err != nil {
		return planner.Forecast{}, err
	}
	dir = nearest(dir)
	f := planner.NewForecast(counts, folders, l, func() (bytes, inodes uint64, err error) { return durable.FreeSpace(dir) })
	if bytes, inodes, limited := durable.Quota(dir); limited {
		f = f.WithQuota(bytes, inodes)
	}
	return f, nil
}

// nearest is dir, or the nearest directory above it that is there.
func nearest(dir string) string {
	for {
		_, err := os.Stat(dir)
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return dir
		}
		dir = parent
	}
}

// partFolders is the most folders that parts are spread over.
const partFolders = 256

// folders is how many folders a fetch makes at most: those of the files, and those of their parts.
func (c *Campaign) folders(ctx context.Context, counts queue.Counts) (int64, error) {
	n, err := c.Queue.Folders(ctx)
	return n + min(partFolders, counts.Total().Files), err
}
