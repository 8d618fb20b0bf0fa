//go:build !linux

package durable

import "os"

// Clone reports false: files can share their blocks only where the system says how, on Linux.
func Clone(_, _ *os.File) bool { return false }
