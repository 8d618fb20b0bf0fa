//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExport hands each exported form to the program it is for; what that downloads must have the recorded digests, and none
// may hold the token.
func TestExport(t *testing.T) {
	const token = "feedfacefeedfacefeedfacefeedface"
	s := startSim(t, nil, append(synthetic(20, 1000), "--token", token)...)
	c := newCampaign(t, s)
	c.env = []string{"MAST_API_TOKEN=" + token}
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	n := len(c.manifest(t))
	dir := t.TempDir()
	export := func(format string) string {
		name := filepath.Join(dir, format)
		launch(t, dir, []string{"JWSTBULK_ARCHIVE=" + s.url, "MAST_API_TOKEN=" + token}, nil, binary("jwstbulk"),
			"manifest", "export", "-o", name, format, c.dir).wait(t, 2*time.Minute).want(t, 0)
		return name
	}
	sums := export("sha256sums")
	tool(t, c.dir, "sha256sum", "--quiet", "-c", sums)
	for _, form := range []struct {
		format string
		tool   []string
	}{
		{"aria2", []string{"aria2c", "-q", "-j8", "--no-conf", "-i"}},
		{"metalink4", []string{"aria2c", "-q", "-j8", "--no-conf", "-M"}},
		{"curl", []string{"curl", "-sS", "-q", "-K"}},
		{"bash", []string{"bash"}},
	} {
		t.Run(form.format, func(t *testing.T) {
			to := t.TempDir()
			name := export(form.format)
			tool(t, to, form.tool[0], append(form.tool[1:], name)...)
			tool(t, to, "sha256sum", "--quiet", "-c", sums)
			text, err := os.ReadFile(name)
			if err != nil || strings.Contains(string(text), token) {
				t.Errorf("the token is in the exported form (%v)", err)
			}
		})
	}
	t.Run("tables", func(t *testing.T) {
		const read = `import sys
from astropy.table import Table
a, b = Table.read(sys.argv[1], format="ascii.ecsv"), Table.read(sys.argv[2], format="ascii.csv")
assert len(a) == len(b) == int(sys.argv[3]), (len(a), len(b))
assert a["size"].dtype.kind == "i" and set(a["obs_collection"]) == {"JWST"}, a.dtype
assert list(a["dataURI"]) == sorted(a["dataURI"]) == list(b["dataURI"])`
		tool(t, dir, "/usr/bin/python3", "-c", read, export("ecsv"), export("csv"), itoa(n))
	})
	t.Run("bagit", func(t *testing.T) {
		script, err := filepath.Abs("testdata/bag.py")
		if err != nil {
			t.Fatal(err)
		}
		tool(t, dir, "/usr/bin/python3", script, export("bagit"))
	})
}

// TestExportedScriptIsHonest breaks one file for good: the script must fetch the others and end with a failure.
func TestExportedScriptIsHonest(t *testing.T) {
	s := startSim(t, nil, synthetic(20, 1000)...)
	c := newCampaign(t, s)
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	files := c.manifest(t)
	broken := startSim(t, []fault{{"uri": files[0].URI, "do": "status", "status": 404}}, synthetic(20, 1000)...)
	to := t.TempDir()
	script := filepath.Join(to, "get.sh")
	launch(t, to, []string{"JWSTBULK_ARCHIVE=" + broken.url}, nil, binary("jwstbulk"), "manifest", "export", "-o", script, "bash", c.dir).
		wait(t, 2*time.Minute).want(t, 0)
	r := launch(t, to, nil, nil, "bash", script).wait(t, 2*time.Minute).want(t, 1)
	if !strings.Contains(r.stderr, files[0].Path) {
		t.Errorf("the script does not name the file that failed:\n%s", tail(r.stderr))
	}
	for _, e := range files[1:] {
		if _, err := os.Stat(filepath.Join(to, e.Path)); err != nil {
			t.Errorf("not fetched: %v", err)
		}
	}
}

// tool runs a program in dir; it must end well.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(string(out)))
	}
	return string(out)
}
