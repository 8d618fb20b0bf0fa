package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// RenameNew gives the file old, whose content the caller has flushed, the name new, and makes that durable. It never
// replaces: if something is there already it returns an error that is fs.ErrExist, with nothing changed. Where the system
// or file system cannot refuse to replace (RENAME_NOREPLACE of renameat2(2)), it looks first, which leaves an instant
// between looking and renaming.
//
// Only the directory of new is flushed: after a power cut the file may be there under both names, never under none. As with
// Rename, an error of a rename that took effect all the same counts as success.
//
// The order of system calls:
//
//	fstatat(old)
//	openat(directory of old), openat(directory of new)
//	renameat2(old, new, RENAME_NOREPLACE)
//	fsync(directory of new)
func RenameNew(root *os.Root, old, new string) error {
	info, err := root.Lstat(old)
	if err != nil {
		return fmt.Errorf("inspecting %q: %w", old, err)
	}
	to, err := root.Open(path.Dir(new))
	if err != nil {
		return fmt.Errorf("opening directory %q: %w", path.Dir(new), err)
	}
	defer to.Close() // only flushed, and Sync tells about that
	err = renameNoReplace(root, old, new, to)
	if err != nil && !renamed(root, old, new, info) {
		return fmt.Errorf("renaming %q to %q: %w", old, new, err)
	}
	if err := to.Sync(); err != nil {
		return fmt.Errorf("flushing directory %q: %w", path.Dir(new), err)
	}
	return nil
}

// renameLooking renames after looking that nothing is at new.
func renameLooking(root *os.Root, old, new string) error {
	switch _, err := root.Lstat(new); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return root.Rename(old, new)
}
