package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"jwstbulk/queue"
)

// recover settles what an earlier run left half done: files between record and rename, parts that no row names, and done
// files that are gone.
func (f *Fetcher) recover(ctx context.Context) error {
	if err := mkdirAll(f.root, partDir); err != nil {
		return &StorageError{Err: err}
	}
	placings, err := f.cfg.Queue.Placings(ctx)
	if err != nil {
		return asQueueError(err)
	}
	for i := range placings {
		if err := f.settlePlacing(ctx, &placings[i]); err != nil {
			return err
		}
	}
	if err := f.sweepParts(ctx); err != nil {
		return err
	}
	return f.audit(ctx)
}

// settlePlacing finds out by SHA-256 which side of the rename a crash was on. Length proves nothing.
func (f *Fetcher) settlePlacing(ctx context.Context, file *queue.File) error {
	to, left := queue.Pending, queue.Part{}
	switch {
	case f.holds(file.Path, file.SHA256):
		to = queue.Done
	case file.Part.Token != "" && f.holds(partPath(file.URI, file.Part.Token), file.SHA256):
		err := f.moveIn(partPath(file.URI, file.Part.Token), file.Path, file.SHA256)
		var failure *failError
		if errors.As(err, &failure) {
			left = file.Part // something stands in the way; the next attempt says so
			break
		}
		if err != nil {
			return &StorageError{Err: err}
		}
		to = queue.Done
	case file.Part.Token != "":
		left = file.Part
	}
	return asQueueError(f.cfg.Queue.SettlePlaced(ctx, file.ID, to, left))
}

// holds reports whether a regular file with these bytes is at name.
func (f *Fetcher) holds(name string, sum []byte) bool {
	got, err := hashFile(f.root, name)
	return err == nil && bytes.Equal(got, sum)
}

// sweepParts removes parts that no unfinished row names, unless they may be those of other tasks, and counts the quarantine.
func (f *Fetcher) sweepParts(ctx context.Context) error {
	if f.cfg.Shared {
		return f.weighQuarantine()
	}
	known := map[string]bool{}
	for p, err := range f.cfg.Queue.Parts(ctx) {
		if err != nil {
			return asQueueError(err)
		}
		known[partPath(p.URI, p.Token)] = true
	}
	err := fs.WalkDir(f.root.FS(), partDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || known[name] || !strings.HasSuffix(name, ".part") && path.Base(name) != "probe" {
			return err
		}
		return f.removePart(name)
	})
	if err != nil {
		return &StorageError{Err: fmt.Errorf("sweeping old parts: %w", err)}
	}
	return f.weighQuarantine()
}

func (f *Fetcher) weighQuarantine() error {
	err := fs.WalkDir(f.root.FS(), quarantineDir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			f.quarantined.Add(fi.Size())
		}
		return err
	})
	if err != nil {
		return &StorageError{Err: fmt.Errorf("looking at the quarantine: %w", err)}
	}
	return nil
}

func (f *Fetcher) removePart(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an old part: %w", err)
	}
	return nil
}

// audit looks whether the done files are still there, by name and length: what a user deleted is fetched again. Whether
// their bytes are still right is for `verify` to find out.
func (f *Fetcher) audit(ctx context.Context) error {
	for file, err := range f.cfg.Queue.Files(ctx, queue.Filter{States: []queue.State{queue.Done}}) {
		if err != nil {
			return asQueueError(err)
		}
		fi, err := f.root.Lstat(file.Path)
		if err == nil && fi.Mode().IsRegular() && fi.Size() == file.Size {
			continue
		}
		why := "its file is gone"
		if err == nil {
			why = "its file has another length"
		}
		if err := f.cfg.Queue.Requeue(ctx, file.ID, why); err != nil {
			return asQueueError(err)
		}
		f.cfg.Reporter.Note(fmt.Sprintf("%s is fetched again: %s", file.Path, why))
	}
	return nil
}
