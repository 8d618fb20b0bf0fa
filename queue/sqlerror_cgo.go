//go:build cgo

package queue

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// sqlError gives SQLite's errors the identity callers test for: ErrDamaged, ErrNoLocks, and the system's ENOSPC, EROFS or errno.
func sqlError(err error) error {
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return err
	}
	if se.Code == sqlite3.ErrProtocol || se.ExtendedCode == sqlite3.ErrIoErrLock {
		return fmt.Errorf("%w: %w", ErrNoLocks, err)
	}
	switch se.Code {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	case sqlite3.ErrReadonly:
		return fmt.Errorf("%w: %w", syscall.EROFS, err)
	case sqlite3.ErrIoErr, sqlite3.ErrCantOpen:
		if se.SystemErrno != 0 {
			return fmt.Errorf("%w: %w", se.SystemErrno, err)
		}
		if se.Code == sqlite3.ErrIoErr {
			return fmt.Errorf("%w: %w", syscall.EIO, err)
		}
	}
	return err
}

func isBusy(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.Code == sqlite3.ErrBusy || se.Code == sqlite3.ErrLocked)
}

func isCantOpen(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code == sqlite3.ErrCantOpen
}

// isNoTempFile recognises that SQLite could not make a temporary file: opening it failed, or no directory is fit for one.
func isNoTempFile(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.Code == sqlite3.ErrCantOpen || se.ExtendedCode == sqlite3.ErrIoErrGetTempPath)
}

// isDatabase reports whether err is SQLite's own and not a broken constraint, which concerns one operation alone.
func isDatabase(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code != sqlite3.ErrConstraint
}

// isNoTransaction recognises the answer to ROLLBACK after SQLite has rolled back by itself.
func isNoTransaction(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code == sqlite3.ErrError
}

func isReadOnly(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code == sqlite3.ErrReadonly
}
