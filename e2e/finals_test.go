//go:build e2e

package e2e_test

import (
	"path"
	"testing"
)

// checkFinals holds what is there after something went wrong against the truth: every file that the queue calls done is
// there and right, and whatever is under a final name is a whole file of the archive. It returns the number of both.
func (c *campaign) checkFinals(t *testing.T, want map[string]truth) (done, finals int) {
	t.Helper()
	for _, row := range c.query(t, `SELECT uri, path FROM v_files WHERE state = 'done'`) {
		done++
		if got := c.digest(t, row[1].(string)); got != want[row[0].(string)] {
			t.Errorf("%s is done, and is %v, want %v", row[1], got, want[row[0].(string)])
		}
	}
	byName := map[string]truth{}
	for uri, tr := range want {
		byName[path.Base(uri)] = tr
	}
	for _, p := range c.files(t, "JWST") {
		finals++
		if got, w := c.digest(t, p), byName[path.Base(p)]; got != w {
			t.Errorf("%s is under its final name and is %v, want %v", p, got, w)
		}
	}
	return done, finals
}
