//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFailingDevice (F43, F44, F45) runs whole runs on a file system that fails part of the time, as a dying disk, a full quota of a
// server or a read-only remount do: the run ends with exit 7 and says why, nothing wrong is under a final name, and once the
// file system is well the next run ends with everything right.
func TestFailingDevice(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	for _, tt := range []struct {
		name, fault string
		says        string
	}{
		{"F43 fsync of parts", "fail fsync EIO *.part", "input/output error"},
		{"F43 write of parts", "fail write EIO *.part", "input/output error"},
		{"F43 every fsync", "fail fsync EIO", "input/output error"},
		{"F43 every write", "fail write EIO", "input/output error"},
		{"F44 close", "fail flush EIO *.part", "input/output error"},
		{"F44 close over quota", "fail flush EDQUOT *.part", "quota"},
		{"F44 every close", "fail flush EIO", "input/output error"},
		{"F45 read-only part files", "fail create EROFS *.part", "read-only file system"},
		{"F45 read-only at rename", "fail rename EROFS", "read-only file system"},
		{"F45 permission at rename", "fail rename EACCES", "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := mountFaults(t, "")
			c := f.campaign(s)
			c.run(t, "plan", "--program", program).want(t, 0)
			run := append([]string{"run", "--max-outage", "1s"}, fast...)
			f.tell(t, "%s", tt.fault)
			r := c.run(t, run...)
			if r.code != 7 || !strings.Contains(r.stderr, tt.says) {
				t.Errorf("exit %d, want 7 and a word about %q:\n%s", r.code, tt.says, tail(r.stderr))
			}
			t.Log(tail(r.stderr))
			f.below(s).checkFinals(t, want)
			f.tell(t, "heal")
			c.run(t, run...).want(t, 0)
			c.checkComplete(t, want)
		})
	}
}

// TestF64RenameRetransmitted: renames that happen and are reported as failed, as after a lost reply of NFS, cost nothing.
func TestF64RenameRetransmitted(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	uris, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	f := mountFaults(t, "", "-do", "late rename ENOENT")
	c := f.campaign(s)
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	c.checkComplete(t, want)
	if n := len(s.bodies(t, time.Time{})); n != len(uris) {
		t.Errorf("%d requests for %d files", n, len(uris))
	}
}

// TestF65CaseInsensitive: on a file system that ignores case everything arrives, also where a directory of the same name in
// another case is in the way. That paths which differ in case alone are refused is the planner's rule on any file system.
func TestF65CaseInsensitive(t *testing.T) {
	t.Parallel()
	catalog := synthetic(40, 1000)
	_, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	f := mountFaults(t, "", "-fold")
	c := f.campaign(s)
	// The user's own directory in another case is the same directory there.
	if err := os.MkdirAll(filepath.Join(c.dir, "jwst"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	c.checkFinished(t, want)
	c.run(t, "verify").want(t, 0)
}

// TestF68BitRot: a disk that returns one other bit in each of many files, at the same length and time of change, is found
// out file by file.
func TestF68BitRot(t *testing.T) {
	t.Parallel()
	catalog := synthetic(count(200, 1000), 1000)
	uris, want := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	f := mountFaults(t, "")
	c := f.campaign(s)
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	c.run(t, "verify").want(t, 0)
	f.tell(t, "rot JWST/*/*")
	f.tell(t, "rot campaign/JWST/*/*")
	r := c.run(t, "verify", "--json").want(t, 6)
	corrupt := strings.Count(r.stdout, `"corrupt"`)
	t.Logf("%d of %d files are called corrupt", corrupt, len(uris))
	if corrupt < len(uris) {
		t.Errorf("%d of %d rotten files were found", corrupt, len(uris))
	}
	f.tell(t, "heal")
	c.run(t, "verify").want(t, 0)
	c.checkComplete(t, want)
}
