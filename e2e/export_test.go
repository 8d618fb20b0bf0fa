//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExportKilled kills exports at random: the next one to the same name leaves its output alone behind.
func TestExportKilled(t *testing.T) {
	rng := random(t)
	s := startSim(t, nil, synthetic(100, 1000)...)
	c := newCampaign(t, s)
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	for _, args := range [][]string{{"ecsv", c.dir}, {"--payload", "copy", "bagit", c.dir}} {
		dir := t.TempDir()
		export := append([]string{"manifest", "export", "-o", filepath.Join(dir, "out")}, args...)
		left := 0
		for range count(10, 100) {
			p := launch(t, dir, nil, nil, binary("jwstbulk"), export...)
			select {
			case <-p.done:
			case <-time.After(time.Duration(5+rng.IntN(60)) * time.Millisecond):
				p.kill()
			}
			if names, err := filepath.Glob(filepath.Join(dir, "out.*")); err != nil || len(names) > 1 {
				t.Fatalf("%s left %q (%v)", args, names, err)
			} else if len(names) == 1 {
				left++
			}
			if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil {
				t.Fatal(err)
			}
		}
		launch(t, dir, nil, nil, binary("jwstbulk"), export...).wait(t, time.Minute).want(t, 0)
		names, err := os.ReadDir(dir)
		if err != nil || len(names) != 1 || names[0].Name() != "out" {
			t.Errorf("%s: beside the output are %v (%v)", args, names, err)
		}
		t.Logf("%s: a directory was left behind %d times", args, left)
	}
}

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
	exports := 0
	export := func(format string, flags ...string) string {
		exports++
		name := filepath.Join(dir, format+itoa(exports))
		args := append([]string{"manifest", "export", "-o", name, "--s3", s.url + "/stpubdata"}, flags...)
		launch(t, dir, []string{"JWSTBULK_ARCHIVE=" + s.url, "MAST_API_TOKEN=" + token}, nil, binary("jwstbulk"), append(args, format, c.dir)...).
			wait(t, 2*time.Minute).want(t, 0)
		return name
	}
	sums := export("sha256sums")
	tool(t, c.dir, "sha256sum", "--quiet", "-c", sums)
	for _, form := range []struct {
		format string
		flags  []string
		tool   []string
	}{
		{"aria2", nil, []string{"aria2c", "-q", "-j8", "--no-conf", "-i"}},
		{"aria2", []string{"--cloud"}, []string{"aria2c", "-q", "-j8", "--no-conf", "-i"}},
		{"metalink4", nil, []string{"aria2c", "-q", "-j8", "--no-conf", "-M"}},
		{"metalink4", []string{"--cloud"}, []string{"aria2c", "-q", "-j8", "--no-conf", "-M"}},
		{"curl", nil, []string{"curl", "-sS", "-q", "-K"}},
		{"bash", nil, []string{"bash"}},
	} {
		t.Run(form.format+strings.Join(form.flags, ""), func(t *testing.T) {
			to := t.TempDir()
			name := export(form.format, form.flags...)
			since := time.Now()
			tool(t, to, form.tool[0], append(form.tool[1:], name)...)
			tool(t, to, "sha256sum", "--quiet", "-c", sums)
			text, err := os.ReadFile(name)
			if err != nil || strings.Contains(string(text), token) {
				t.Errorf("the token is in the exported form (%v)", err)
			}
			copies := 0
			for _, r := range s.requests(t) {
				if !r.Time.Before(since) && strings.HasPrefix(r.Path, "/stpubdata/") {
					copies++
				}
			}
			if cloud := len(form.flags) > 0; cloud != (copies > 0) {
				t.Errorf("%d requests went to the public copies", copies)
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
		for _, flags := range [][]string{nil, {"--payload", "link"}, {"--payload", "copy"}} {
			tool(t, dir, "/usr/bin/python3", script, export("bagit", flags...))
		}
	})
	t.Run("copies are away", func(t *testing.T) {
		to := t.TempDir()
		name := export("metalink4", "--cloud", "--s3", "http://127.0.0.1:1/gone")
		tool(t, to, "aria2c", "-q", "-j8", "--no-conf", "--max-tries=2", "--retry-wait=1", "-M", name)
		tool(t, to, "sha256sum", "--quiet", "-c", sums)
	})
	t.Run("metalink4 by its rules", func(t *testing.T) {
		const check = `import sys, xml.etree.ElementTree as x
m = "{urn:ietf:params:xml:ns:metalink}"
root = x.parse(sys.argv[1]).getroot()
files = root.findall(m + "file")
assert root.tag == m + "metalink" and len(files) == int(sys.argv[2]), (root.tag, len(files))
for f in files:
    name = f.get("name")
    assert name and not name.startswith("/") and ".." not in name.split("/"), name  # 4.1.2.1
    assert int(f.findtext(m + "size")) >= 0
    hashes = {h.get("type"): h.text for h in f.findall(m + "hash")}
    assert len(hashes["sha-256"]) == 64 and set(hashes) <= {"sha-256", "md5"}, hashes  # 4.2.4
    urls = [(int(u.get("priority")), u.text) for u in f.findall(m + "url")]
    assert [p for p, _ in urls] == [1, 2] and "stpubdata" in urls[0][1] and "Download/file" in urls[1][1], urls  # 4.2.16`
		tool(t, dir, "/usr/bin/python3", "-c", check, export("metalink4", "--cloud"), itoa(n))
	})
	t.Run("as lists", func(t *testing.T) {
		root := rootOf(t, c)
		for _, format := range []string{"sha256sums", "aria2", "metalink4", "curl", "bash", "csv", "ecsv"} {
			l := newCampaign(t, s)
			l.run(t, append([]string{"get", "--from", export(format)}, fast...)...).want(t, 0)
			if got := rootOf(t, l); got != root {
				t.Errorf("%s as a list: root %s, want %s", format, got, root)
			}
		}
	})
}

// rootOf is the name of the data set that a campaign holds.
func rootOf(t *testing.T, c *campaign) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var h struct{ Root string }
	if err := json.Unmarshal(line, &h); err != nil || h.Root == "" {
		t.Fatalf("the manifest's first line is %s (%v)", line, err)
	}
	return h.Root
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
