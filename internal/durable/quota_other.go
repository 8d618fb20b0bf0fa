//go:build !linux

package durable

// Quota reports that no quota can be read: only Linux is asked.
func Quota(string) (bytes, inodes uint64, ok bool) { return 0, 0, false }
