package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// Clone makes the empty file dst share the blocks of src until one of them is written to (FICLONE of ioctl_ficlone(2)). It
// reports false, with dst still empty, where the file system cannot do that or the files lie on different ones: then copy.
func Clone(dst, src *os.File) bool {
	done := false
	err := withFDs(dst, src, func(to, from int) error {
		done = unix.IoctlFileClone(to, from) == nil
		return nil
	})
	return err == nil && done
}
