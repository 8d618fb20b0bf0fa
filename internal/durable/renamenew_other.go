//go:build !linux

package durable

import "os"

// renameNoReplace looks before it renames: no call that this system and Go share refuses to replace.
func renameNoReplace(root *os.Root, old, new string, _ *os.File) error {
	return renameLooking(root, old, new)
}
