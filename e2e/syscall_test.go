//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestKillAtSystemCall kills runs inside chosen system calls, where a random moment seldom falls: between writing, flushing
// and renaming, of data, of the queue and of the records. strace counts the calls of each thread by itself, so the n-th
// call is the first that any thread makes an n-th time.
func TestKillAtSystemCall(t *testing.T) {
	calls := []struct {
		name string
		most int // the highest n worth trying
	}{
		{"renameat", 6}, {"fsync", 12}, {"fdatasync", 8}, {"pwrite64", 40}, {"write", 30}, {"openat", 60}, {"unlinkat", 2}, {"ftruncate", 2},
	}
	rng := random(t)
	catalog := synthetic(49, 1000)
	uris, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	reached := 0
	n := count(14, 300)
	for i := range n {
		call := calls[i%len(calls)]
		when := 1 + rng.IntN(call.most)
		t.Run(fmt.Sprintf("%s-%d", call.name, when), func(t *testing.T) {
			c := newCampaign(t, s)
			c.run(t, "plan", "--program", program).want(t, 0)
			p := c.strace(t, call.name, when, append([]string{"run"}, fast...)...)
			if r := p.wait(t, 2*time.Minute); r.code != 0 {
				reached++
			}
			for _, row := range c.query(t, `SELECT uri, path, sha256, size_bytes FROM v_files WHERE state = 'done'`) {
				uri, path := row[0].(string), row[1].(string)
				if got := c.digest(t, path); got != want[uri] || got.sha256 != row[2] {
					t.Errorf("after the kill %s is %v, the queue says %s, the archive has %v", path, got, row[2], want[uri])
				}
			}
			c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
			c.checkComplete(t, want)
		})
	}
	t.Logf("%d of %d runs over %d files were killed in the call; the others never made it so often", reached, n, len(uris))
	if reached < n/2 {
		t.Errorf("only %d of %d runs were killed", reached, n)
	}
}

// strace runs a subcommand that is killed at the n-th call of the name.
func (c *campaign) strace(t *testing.T, call string, n int, args ...string) *proc {
	t.Helper()
	args = append([]string{args[0], "-d", c.dir}, args[1:]...)
	args = append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n),
		binary("jwstbulk")}, args...)
	return launch(t, filepath.Dir(c.dir), []string{"JWSTBULK_ARCHIVE=" + c.url}, nil, "strace", args...)
}
