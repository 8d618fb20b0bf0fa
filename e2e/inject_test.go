//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// inject starts a subcommand in the campaign under strace, which tampers with system calls as told (strace(1), -e inject):
// "fsync:error=EIO:when=5+".
func (c *campaign) inject(t *testing.T, how string, args ...string) *proc {
	t.Helper()
	calls, _, _ := strings.Cut(how, ":")
	under := *c
	under.wrap = slices.Concat(c.wrap, []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + how})
	return under.start(t, args...)
}
