package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock is an advisory lock that the kernel drops with the process. The file stays: removing it would let two
// processes lock two files of one name.
type fileLock struct{ f *os.File }

// lockFile takes the lock at path and signs it with owner, or returns a *LockedError with the owner's signature, or
// ErrNoLocks.
func lockFile(path string, owner Owner) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, unix.EWOULDBLOCK):
		who := readOwner(f)
		_ = f.Close() // nothing was written
		return nil, &LockedError{Path: path, Owner: who}
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("%w: locking %q: %w", ErrNoLocks, path, err)
	default:
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	l := &fileLock{f: f}
	if err := l.sign(owner); err != nil {
		_ = unlock(f) // the signature's error is returned
		return nil, fmt.Errorf("signing the lock %q: %w", path, err)
	}
	return l, nil
}

// Held reports whether a process has the campaign in dir, or may have it: only a lock that can be taken is free. To find
// out it takes the lock for an instant, at which Open fails. It proves nothing on a file system whose locks do not work.
func Held(dir string) bool {
	f, err := os.Open(filepath.Join(dir, stateDir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		return true
	}
	held := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
	_ = unlock(f) // nothing was written
	return held
}

func (l *fileLock) sign(owner Owner) error {
	b, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err = l.f.WriteAt(append(b, '\n'), 0)
	return err
}

// release wipes the signature and drops the lock.
func (l *fileLock) release() error { return errors.Join(l.f.Truncate(0), unlock(l.f)) }

// unlock drops the lock and closes f: not by closing alone, for a program that is just being started by this process still has
// the file open until it begins.
func unlock(f *os.File) error {
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}

// readOwner returns the zero Owner for what it cannot read: the lock may have been taken but not signed yet.
func readOwner(f *os.File) Owner {
	var o Owner
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 64<<10))
	if err != nil || json.Unmarshal(b, &o) != nil {
		return Owner{}
	}
	return o
}

// self describes this process. What the system does not tell stays empty.
func self(command string, now time.Time) Owner {
	host, _ := os.Hostname()
	if command == "" {
		command = filepath.Base(os.Args[0])
	}
	return Owner{Host: host, BootID: BootID(), PID: os.Getpid(), Started: now.UTC().Truncate(time.Millisecond), Command: command}
}
