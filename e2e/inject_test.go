//go:build e2e

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inject starts a subcommand in the campaign under strace, which tampers with system calls as told (strace(1), -e inject):
// "fsync:error=EIO:when=5+".
func (c *campaign) inject(t *testing.T, how string, args ...string) *proc {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	calls, _, _ := strings.Cut(how, ":")
	args = append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + how,
		binary("jwstbulk"), args[0], "-d", c.dir}, args[1:]...)
	return launch(t, filepath.Dir(c.dir), append([]string{"JWSTBULK_ARCHIVE=" + c.url}, c.env...), nil, strace, args...)
}
