package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// MkdirAll creates the directory dir below root and all that miss on the way, with mode 0777 before the umask, and makes
// each new one durable by flushing its parent. dir is slash separated; "." and "" mean root itself. A directory that is
// there already costs one stat. Concurrent calls are safe: whoever finds a directory that another call just made flushes
// nothing, so a caller that needs durability of a directory made by others calls SyncDir on the parent.
//
// The order of system calls, for each missing directory from the top:
//
//	mkdirat(dir)
//	openat(parent), fsync(parent), close(parent)
func MkdirAll(root *os.Root, dir string) error {
	dir = path.Clean(dir)
	if dir == "." {
		return nil
	}
	switch info, err := root.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("not a directory")}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("inspecting directory %q: %w", dir, err)
	}
	done := ""
	for _, part := range strings.Split(dir, "/") {
		parent := path.Join(".", done)
		done = path.Join(done, part)
		err := root.Mkdir(done, 0o777)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("creating directory %q: %w", done, err)
		}
		if err := SyncDir(root, parent); err != nil {
			return err
		}
	}
	// What was there already may be a file: the last element tells.
	if info, err := root.Stat(dir); err != nil {
		return fmt.Errorf("inspecting directory %q: %w", dir, err)
	} else if !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("not a directory")}
	}
	return nil
}

// SyncDir flushes the entries of the directory dir below root: names made, renamed or removed there are durable when it
// returns nil. dir is slash separated; "." means root itself.
func SyncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return fmt.Errorf("opening directory %q: %w", dir, err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("flushing directory %q: %w", dir, err)
	}
	return nil
}
