package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

const (
	scratchMark = "jwstbulk-scratch-" // in the names of all scratch directories; a digest of the boot follows, then a random number
	scratchLock = ".lock"             // in each of them; held as long as its process lives
)

// Scratch makes a directory for temporary files below os.TempDir, and removes those of processes that were killed. done
// removes it.
func Scratch() (dir string, done func() error, err error) {
	return scratchIn(os.TempDir(), scratchMark)
}

// scratchBeside makes a directory for what is to get the name to, on the same file system, and removes those that killed
// writers of to left. done removes it.
func scratchBeside(to string) (dir string, done func() error, err error) {
	return scratchIn(filepath.Dir(to), filepath.Base(to)+"."+scratchMark)
}

// WriteNew writes a file that appears whole or not at all. What it has written when it is killed, the next call for the same
// name removes. Errors are those of write and of the disk.
func WriteNew(to string, write func(io.Writer) error) (err error) {
	dir, done, err := scratchBeside(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	beside, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer beside.Close() // what was written was flushed
	made := filepath.Base(dir) + "/new"
	if err := durable.WriteFile(beside, made, 0o666, write); err != nil {
		return err
	}
	return durable.Rename(beside, made, filepath.Base(to))
}

func scratchIn(parent, prefix string) (dir string, done func() error, err error) {
	boot := bootMark()
	_, network, err := durable.FSKind(parent)
	if err != nil {
		return "", nil, fmt.Errorf("making a directory for temporary files: %w", err)
	}
	sweepScratch(parent, prefix, boot, network)
	for {
		if dir, err = os.MkdirTemp(parent, prefix+boot+"-*"); err != nil {
			return "", nil, fmt.Errorf("making a directory for temporary files: %w", err)
		}
		lock, err := holdScratch(dir)
		if err != nil {
			return "", nil, errors.Join(fmt.Errorf("locking the directory for temporary files: %w", err), os.RemoveAll(dir))
		}
		if lock != nil {
			return dir, func() error { return dropScratch(dir, lock) }, nil
		}
	}
}

// bootMark tells this boot from others: locks of processes of one boot are to be trusted on every file system. It is
// "" where the system does not tell.
func bootMark() string {
	boot := queue.BootID()
	if boot == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(boot))
	return hex.EncodeToString(sum[:4])
}

// holdScratch locks a directory that was just made. It returns nil if another process took it for left behind before that.
func holdScratch(dir string) (*os.File, error) {
	name := filepath.Join(dir, scratchLock)
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Where the system cannot lock, nobody can take it for left behind either.
	for errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX), syscall.EINTR) {
	}
	if there, err := sameAt(name, lock); err != nil || !there {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func sameAt(name string, f *os.File) (bool, error) {
	at, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(at, info), err
}

// sweepScratch removes the directories whose name begins with prefix and whose process is dead: nobody has their lock. On a
// network file system that proves something for processes of this boot alone. What has such a name and is no directory with
// a lock is somebody else's and stays, unless it is an empty directory. What cannot be removed does no harm.
func sweepScratch(parent, prefix, boot string, network bool) {
	if network {
		if boot == "" {
			return
		}
		prefix += boot + "-"
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		lock, err := os.OpenFile(filepath.Join(dir, scratchLock), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			_ = os.Remove(dir) // only if it is empty: killed before there was a lock
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = dropScratch(dir, lock)
		} else {
			_ = lock.Close() // nothing was written
		}
	}
}

// dropScratch removes a directory whose lock is held. The lock goes last, so that a kill leaves what the next sweep knows; and
// while it is held, so that whoever has just made this directory sees it gone.
func dropScratch(dir string, lock *os.File) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != scratchLock {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	err = errors.Join(os.Remove(lock.Name()), lock.Close()) // on NFS an open file keeps its directory
	if e := os.Remove(dir); !errors.Is(e, fs.ErrNotExist) { // empty, it may be removed by anybody
		err = errors.Join(err, e)
	}
	return err
}
