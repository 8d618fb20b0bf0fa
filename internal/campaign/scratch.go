package campaign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	scratchPrefix = "jwstbulk-scratch-"
	// scratchAge is how old a directory must be before it may be one that was left behind: between making and locking one
	// it looks like that.
	scratchAge = 10 * time.Minute
)

// Scratch makes a directory for temporary files below os.TempDir, and removes those of processes that were killed. done
// removes it.
func Scratch() (dir string, done func() error, err error) {
	sweepScratch()
	if dir, err = os.MkdirTemp("", scratchPrefix); err != nil {
		return "", nil, fmt.Errorf("making a directory for temporary files: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("opening the directory for temporary files: %w", err), os.Remove(dir))
	}
	// Where the system cannot lock, nobody can take it for left behind either.
	_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Close()) }, nil
}

// sweepScratch removes the directories that nobody has locked. What cannot be removed does no harm.
func sweepScratch() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*"))
	if err != nil {
		return // only for a malformed pattern
	}
	for _, dir := range dirs {
		if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() || time.Since(fi.ModTime()) < scratchAge {
			continue
		}
		f, err := os.Open(dir)
		if err != nil {
			continue // another user's, or gone
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close() // only read from
	}
}
