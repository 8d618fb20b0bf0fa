package durable

import (
	"errors"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within root and refuses to replace. to is the open directory of new.
func renameNoReplace(root *os.Root, old, new string, to *os.File) error {
	from, err := root.Open(path.Dir(old))
	if err != nil {
		return err
	}
	defer from.Close() // only a handle for the rename
	err = withFDs(from, to, func(oldDir, newDir int) error {
		return unix.Renameat2(oldDir, path.Base(old), newDir, path.Base(new), unix.RENAME_NOREPLACE)
	})
	// A file system without the flag says EINVAL, an old kernel or a sandbox ENOSYS or EPERM.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EPERM) {
		return renameLooking(root, old, new)
	}
	return err
}

// withFDs calls f with the descriptors of two files, which stay open meanwhile.
func withFDs(a, b *os.File, f func(a, b int) error) error {
	ca, err := a.SyscallConn()
	if err != nil {
		return err
	}
	cb, err := b.SyscallConn()
	if err != nil {
		return err
	}
	var inner, result error
	outer := ca.Control(func(fa uintptr) {
		inner = cb.Control(func(fb uintptr) { result = f(int(fa), int(fb)) })
	})
	return errors.Join(outer, inner, result)
}
