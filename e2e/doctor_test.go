//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// check is one line of doctor --json.
type check struct{ Name, Result, Text string }

// doctor returns what the checks of a run say, by name.
func (r result) doctor(t *testing.T) map[string]check {
	t.Helper()
	out := map[string]check{}
	for line := range strings.Lines(r.stdout) {
		var c check
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		out[c.Name] = c
	}
	return out
}

// doctor starts jwstbulk doctor --cluster in the campaign's directory, behind a command such as unshare.
func (c *campaign) doctor(t *testing.T, before []string, env []string, args ...string) *proc {
	t.Helper()
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	all := append(append(append([]string{}, before...), binary("jwstbulk"), "doctor", "--cluster", "--json", "-d", c.dir, "--archive", c.url), args...)
	return launch(t, filepath.Dir(c.dir), env, nil, all[0], all[1:]...)
}

// TestDoctor finds each trait of a node, and ends with 5 within 20 seconds where there is no way out.
func TestDoctor(t *testing.T) {
	const token = "secretToken0123456789"
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "2", "--token", token, "--expired-token", "expired0123")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers, as some firewalls do
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	b := newBatch(t)
	for _, x := range []struct {
		name   string
		url    string
		before []string
		env    []string
		code   int
		want   map[string]string // check: result and a word of its text
	}{
		{"all well", s.url, nil, []string{"MAST_API_TOKEN=" + token, "PATH=/nonexistent"}, 0, map[string]string{
			"archive": "ok directly", "clock": "ok agrees", "token": "ok valid", "space": "ok inodes", "local disk": "ok holds the queues",
			"batch system": "warn login node", "locks": "ok kept out", "file system": "warn local to this machine"}},
		{"batch system", s.url, nil, b.env(), 0, map[string]string{"batch system": "ok slurm"}},
		{"expired token", s.url, nil, []string{"MAST_API_TOKEN=expired0123"}, 4, map[string]string{"token": "fail not valid"}},
		{"no network", s.url, []string{"unshare", "-n"}, nil, 5, map[string]string{"archive": "fail data transfer partition", "locks": "ok kept out"}},
		{"silence", "http://" + silent.Addr().String(), nil, nil, 5, map[string]string{"archive": "fail no answer"}},
		{"dead proxy", "http://mast.invalid", nil, []string{"HTTP_PROXY=http://me:hidden@127.0.0.1:9"}, 5, map[string]string{"archive": "fail through the proxy"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if len(x.before) > 0 {
				needRoot(t)
			}
			t.Parallel()
			c := &campaign{dir: filepath.Join(t.TempDir(), "campaign"), url: x.url}
			r := c.doctor(t, x.before, x.env).wait(t, 30*time.Second).want(t, x.code)
			got := r.doctor(t)
			for name, want := range x.want {
				if result, text, _ := strings.Cut(want, " "); got[name].Result != result || !strings.Contains(got[name].Text, text) {
					t.Errorf("%s: %+v, want %s and %q", name, got[name], result, text)
				}
			}
			if r.took > 20*time.Second || strings.Contains(r.stdout+r.stderr, token) || strings.Contains(r.stdout+r.stderr, "hidden") {
				t.Errorf("it took %v, want at most 20 s and no secret:\n%s%s", r.took, r.stdout, r.stderr)
			}
			if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v behind, %v", left, err)
			}
		})
	}
	t.Run("file system of a cluster", func(t *testing.T) {
		c := mountFaults(t, "", "-locks", "grant", "-nommap").campaign(s)
		got := c.doctor(t, nil, nil).wait(t, 30*time.Second).want(t, 0).doctor(t)
		if got["locks"].Result != "warn" || !strings.Contains(got["file system"].Text, "fuse, shared") {
			t.Errorf("%+v, %+v, want fuse, and a warning of its locks", got["file system"], got["locks"])
		}
	})
}
