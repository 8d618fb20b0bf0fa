//go:build e2e

package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestKillUpdateAtSyscall kills updates of a few files, previews among them, inside system calls, each at the n-th of one
// thread; the next update must end as if nothing had happened: the files and records of a fresh download, the old versions in
// the directory for them, and nothing left behind.
func TestKillUpdateAtSyscall(t *testing.T) {
	calls := []syscallKills{
		{"openat", 80}, {"write", 40}, {"/^f(data)?sync$", 10}, {"/^rename", 6}, {"/^unlink", 6}, {"/^link", 2}, {"/^mkdir", 2}, {"pwrite64", 40},
	}
	s := startSim(t, nil, append(synthetic(20, 3000), "--control", "/_sim/")...)
	get := append([]string{"get", "--program", program, "--suffix", "cal"}, fast...)
	c := newCampaign(t, s)
	c.run(t, get...).want(t, 0)
	resp, err := http.Post(s.url+"/_sim/reprocess?glob="+url.QueryEscape("*_cal.*"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // nothing of it is wanted
	fresh := newCampaign(t, s)
	fresh.run(t, get...).want(t, 0)
	killedAt := func(t *testing.T, call string, n int) bool {
		t.Helper()
		u, old := c.clone(t), filepath.Join(t.TempDir(), "old")
		update := append([]string{"update", "--keep-old", old}, fast...)
		killed := u.inject(t, call+":signal=SIGKILL:when="+itoa(n), update...).wait(t, time.Minute).code != 0
		u.run(t, update...).want(t, 0)
		sameTree(t, fresh, u)
		checkOld(t, old, c, fresh)
		if left := u.files(t, ".jwstbulk/replaced"); len(left) > 0 {
			t.Errorf("%d old versions were left behind", len(left))
		}
		if _, err := os.Lstat(filepath.Join(u.dir, ".jwstbulk/update.jsonl")); !os.IsNotExist(err) {
			t.Errorf("the list of old versions was left behind: %v", err)
		}
		if t.Failed() {
			t.Fatalf("after a kill at call %d of %s", n, call)
		}
		if err := os.RemoveAll(u.dir); err != nil {
			t.Fatal(err)
		}
		return killed
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) { call.each(t, killedAt) })
	}
}

// checkOld wants exactly those versions in old that c has and fresh has not.
func checkOld(t *testing.T, old string, c, fresh *campaign) {
	t.Helper()
	now := map[string]string{}
	for _, e := range fresh.manifest(t) {
		now[e.URI] = e.SHA256
	}
	kept, n := &campaign{dir: old}, 0
	for _, e := range c.manifest(t) {
		if now[e.URI] == e.SHA256 {
			continue
		}
		n++
		if got := kept.digest(t, e.Path); got.sha256 != e.SHA256 {
			t.Errorf("%s was kept with other bytes", e.Path)
		}
	}
	if have := len(kept.files(t, ".")); have != n || n == 0 {
		t.Errorf("%d old versions were kept, want %d", have, n)
	}
}
