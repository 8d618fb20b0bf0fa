package campaign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"jwstbulk/internal/durable"
)

// keeper is a directory that gets replaced versions, under their paths.
type keeper struct {
	dir  string // absolute
	root *os.Root
}

// openKeeper opens the directory, which is made, durably, if it is not there.
func openKeeper(dir string) (*keeper, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("making the directory for old versions: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the directory for old versions: %w", err)
	}
	return &keeper{dir, root}, nil
}

func (k *keeper) close() { _ = k.root.Close() } // whatever was written was flushed

// take moves an old version here from name below the campaign's directory, by a copy where that is another file system. A
// file that stands here with other bytes is never replaced: the digest then distinguishes them. A kill leaves the version in
// both places at most, and the next call recognises it.
func (k *keeper) take(c *Campaign, name string, o oldFile) error {
	if err := durable.MkdirAll(k.root, path.Dir(o.Path)); err != nil {
		return err
	}
	for _, to := range []string{o.Path, o.Path + "." + o.SHA256[:min(12, len(o.SHA256))]} {
		sum, err := sumOf(k.root, to)
		if errors.Is(err, fs.ErrNotExist) {
			err, sum = k.bring(c, name, to), o.SHA256
		}
		if err != nil {
			return err
		}
		if sum != o.SHA256 {
			continue
		}
		if err := durable.SyncDir(k.root, path.Dir(to)); err != nil {
			return err
		}
		return c.Root.Remove(name)
	}
	return fmt.Errorf("%q is in the way", filepath.Join(k.dir, o.Path))
}

// bring makes a hard link or a copy here. What a killed process left of a copy is removed first; a copy of the same file that
// another campaign makes here at this moment would fail with it, and be made by its next update.
func (k *keeper) bring(c *Campaign, name, to string) error {
	if linked, err := tryLink(c.Root, name, k.root, to); linked || err != nil {
		return err
	}
	if err := durable.SweepTemp(k.root, to); err != nil {
		return err
	}
	return copyFile(c.Root, name, k.root, to)
}

// makeDir makes an absolute directory and what misses on the way to it, durably.
func makeDir(dir string) error {
	base := dir
	for {
		_, err := os.Stat(base)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		base = filepath.Dir(base)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer root.Close() // what was made was flushed
	rel, err := filepath.Rel(base, dir)
	if err != nil {
		return err
	}
	return durable.MkdirAll(root, filepath.ToSlash(rel))
}

// Inside reports whether dir, which need not exist, is base or lies below it; both are absolute. Symbolic links are followed.
func Inside(dir, base string) (bool, error) {
	want, err := os.Stat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	real, err := filepath.EvalSymlinks(dir)
	for errors.Is(err, fs.ErrNotExist) { // what exists of it decides
		dir = filepath.Dir(dir)
		real, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return false, err
	}
	for {
		if fi, err := os.Stat(real); err == nil && os.SameFile(fi, want) {
			return true, nil
		}
		parent := filepath.Dir(real)
		if parent == real {
			return false, nil
		}
		real = parent
	}
}
