//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFewHandles (F60) allows a whole run few open files, then too few: no file fails for that.
func TestFewHandles(t *testing.T) {
	t.Parallel()
	catalog := synthetic(100, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	for _, tt := range []struct {
		name    string
		handles int
		codes   []int
	}{
		{"F60 few", 40, []int{0}},
		{"F60 too few at times", 25, []int{0, 7}},
		{"F60 too few", 18, []int{7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCampaign(t, s)
			c.run(t, "plan", "--program", program).want(t, 0)
			c.wrap = []string{"prlimit", fmt.Sprintf("--nofile=%d:%d", tt.handles, tt.handles)}
			r := c.run(t, append([]string{"run", "--max-outage", "1s"}, fast...)...)
			if !slices.Contains(tt.codes, r.code) {
				t.Errorf("exit %d, want one of %v:\n%s", r.code, tt.codes, tail(r.stderr))
			}
			if r.code != 0 && !strings.Contains(r.stderr, "ulimit -n") {
				t.Errorf("standard error does not say what to do:\n%s", tail(r.stderr))
			}
			c.checkFinals(t, want)
			if failed := c.query(t, `SELECT uri, reason, detail FROM v_files WHERE state = 'failed'`); len(failed) > 0 {
				t.Errorf("%d files failed, among them %v", len(failed), failed[0])
			}
			c.wrap = nil
			c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
			c.checkComplete(t, want)
		})
	}
}

// TestF61MemoryLimit plans and fetches in a control group of 64 MiB, page cache and all.
func TestF61MemoryLimit(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	catalog := synthetic(count(500, 20000), 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	c := newCampaign(t, s)
	c.wrap = []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, memoryGroup(t, limit)}
	for _, args := range [][]string{{"plan", "--program", program}, {"run", "-j", "32", "--rate", "0"}, {"verify"}} {
		r := c.run(t, args...).want(t, 0)
		if r.memory > limit {
			t.Errorf("%s: %d bytes resident", args[0], r.memory)
		}
		t.Logf("%s of %d files: at most %d MiB resident, %v", args[0], len(want), r.memory>>20, r.took.Round(time.Millisecond))
	}
	c.checkComplete(t, want)
}

// memoryGroup makes a control group with a limit and returns the file that takes the processes into it, /dev/null if there can
// be none.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	for _, g := range []struct{ parent, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/unified", "memory.max"},
	} {
		dir, err := os.MkdirTemp(g.parent, "jwstbulk-e2e-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = syscall.Rmdir(dir) }) // fails if somebody is still in it, who ends with the test
		if os.WriteFile(filepath.Join(dir, g.limit), []byte(itoa(limit)), 0o644) == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
	}
	t.Log("no control group for memory can be made here: the resident set alone is measured")
	return "/dev/null"
}

// TestF45NoPermission runs as an ordinary user and takes the permission to write away, from the start and under the run.
func TestF45NoPermission(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const nobody = 65534
	catalog := synthetic(49, 500)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(4<<20)...)...)
	c := newCampaign(t, s)
	for dir := filepath.Dir(c.dir); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.wrap = []string{"setpriv", "--reuid", itoa(nobody), "--regid", itoa(nobody), "--clear-groups"}
	get := append([]string{"get", "--program", program}, fast...)
	if r := c.run(t, get...).want(t, 7); !strings.Contains(r.stderr, "permission denied") {
		t.Errorf("standard error does not speak of permission:\n%s", r.stderr)
	}
	if err := os.Chown(c.dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	p := c.start(t, get...)
	var taken []string
	for len(taken) == 0 {
		time.Sleep(10 * time.Millisecond)
		taken, _ = filepath.Glob(filepath.Join(c.dir, "JWST", "*")) // fails for a bad pattern only
	}
	for _, dir := range append(taken, filepath.Join(c.dir, "JWST")) {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.wait(t, time.Minute).want(t, 7); !strings.Contains(r.stderr, "permission denied") {
		t.Errorf("standard error does not speak of permission:\n%s", tail(r.stderr))
	}
	c.checkFinals(t, want)
	for _, dir := range append(taken, filepath.Join(c.dir, "JWST")) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.run(t, get...).want(t, 0)
	c.checkComplete(t, want)
}

// TestF45ReadOnlyRemount has an ext4 turn read-only under a run, as it does when it finds itself damaged.
func TestF45ReadOnlyRemount(t *testing.T) {
	t.Parallel()
	catalog := synthetic(49, 500)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(4<<20)...)...)
	d := newLoopDisk(t, "ext4", filepath.Join(t.TempDir(), "image"))
	c := &campaign{dir: filepath.Join(d.mount, "campaign"), url: s.url}
	c.run(t, "plan", "--program", program).want(t, 0)
	p := c.start(t, append([]string{"run"}, fast...)...)
	for len(s.bodies(t, time.Time{})) < 8 {
		time.Sleep(10 * time.Millisecond)
	}
	command(t, "mount", "-o", "remount,abort", d.mount)
	r := p.wait(t, time.Minute).want(t, 7)
	t.Log(tail(r.stderr))
	d.restart(t)
	c.checkFinals(t, want)
	c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
	c.checkComplete(t, want)
}
