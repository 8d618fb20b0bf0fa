//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
)

// TestFailingDevice (F43, F44, F45) runs whole runs on a file system that fails part of the time, as a dying disk, a full quota of a
// server or a read-only remount do: the run ends with exit 7 and says why, nothing wrong is under a final name, and once the
// file system is well the next run ends with everything right.
func TestFailingDevice(t *testing.T) {
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
			run := append([]string{"run", "--max-outage", "2s"}, fast...)
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
