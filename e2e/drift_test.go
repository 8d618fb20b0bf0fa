//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded are the flags of an archive that serves the recorded keyword rows of some programmes at their first versions.
func recorded(programs []string) []string {
	return []string{"--catalog", "recorded", "--scale", "1000", "--old", "--control", "/_sim/", "--programs", strings.Join(programs, ",")}
}

func allPrograms(t *testing.T) []string {
	t.Helper()
	return strings.Fields(tool(t, ".", "/usr/bin/python3", "-c",
		`import csv, gzip; print(*sorted({r["program"] for r in csv.DictReader(gzip.open("`+keywordRows+`", "rt"))}))`))
}

const keywordRows = "../internal/masttest/testdata/keyword-rows.csv.gz"

// change is what became of a file: its cause and whether it kept its size.
type change struct {
	Cause    string
	SameSize bool
}

// recordedChanges asks the record itself, by a script that shares no code with jwstbulk.
func recordedChanges(t *testing.T, programs []string) map[string]change {
	t.Helper()
	out := tool(t, ".", "/usr/bin/python3", append([]string{"testdata/changed.py", keywordRows}, programs...)...)
	var rows map[string][2]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	all := map[string]change{}
	for uri, row := range rows {
		all[uri] = change{row[0].(string), row[1].(bool)}
	}
	return all
}

// reprocess brings the files of the archive to their second versions.
func (s *sim) reprocess(t *testing.T, changes map[string]change) {
	t.Helper()
	for uri := range changes {
		resp, err := http.Post(s.url+"/_sim/reprocess?glob="+url.QueryEscape(uri), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // nothing of it is wanted
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("reprocessing %s: %s", uri, resp.Status)
		}
	}
}

// clone copies the campaign's directory.
func (c *campaign) clone(t *testing.T) *campaign {
	t.Helper()
	other := &campaign{dir: filepath.Join(t.TempDir(), "campaign"), url: c.url, env: c.env}
	if err := os.CopyFS(other.dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	return other
}

// TestDrift takes four recorded programmes in which some files were reprocessed and some not, for several causes: 430 files,
// 179 of them changed. A soak then takes all recorded programmes.
func TestDrift(t *testing.T) {
	t.Run("four programmes", func(t *testing.T) { drift(t, []string{"4528", "7772", "12486", "5324"}, count(5, 50)) })
	if count(0, 1) == 1 {
		t.Run("all programmes", func(t *testing.T) { drift(t, allPrograms(t), 30) })
	}
}

// drift fetches the recorded files at their first versions, lets the archive reprocess what it did reprocess, and asks for
// the difference, an update, and the first versions again.
func drift(t *testing.T, programs []string, kills int) {
	t.Helper()
	want := recordedChanges(t, programs)
	s := startSim(t, nil, recorded(programs)...)
	c := newCampaign(t, s)
	get := append([]string{"get"}, fast...)
	for _, p := range programs {
		get = append(get, "--program", p)
	}
	c.run(t, get...).want(t, 0)
	cited := filepath.Join(t.TempDir(), "cited.jsonl")
	text, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl"))
	if err == nil {
		err = os.WriteFile(cited, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	frozen := func(c *campaign) result {
		return c.run(t, append([]string{"get", "--manifest", cited, "--frozen"}, fast...)...)
	}
	t.Run("frozen, unchanged", func(t *testing.T) {
		f := newCampaign(t, s)
		frozen(f).want(t, 0)
		sameTree(t, c, f)
	})
	s.reprocess(t, want)
	t.Run("diff", func(t *testing.T) {
		since := time.Now()
		checkDiff(t, c, cited, want)
		requests := 0
		for _, r := range s.requests(t) {
			if !r.Time.Before(since) {
				requests++
				if r.body() {
					t.Errorf("%s was downloaded", r.URI)
				}
			}
		}
		t.Logf("%d of %d files changed; %d requests", len(want), len(c.manifest(t)), requests)
		if requests > 10+len(c.manifest(t))/100 {
			t.Errorf("%d requests for %d files", requests, len(c.manifest(t)))
		}
	})
	t.Run("frozen, changed", func(t *testing.T) {
		f := newCampaign(t, s)
		frozen(f).want(t, 11)
		if _, err := os.Stat(f.dir); !os.IsNotExist(err) {
			t.Errorf("something was made although the archive drifted: %v", err)
		}
	})
	fresh := newCampaign(t, s)
	fresh.run(t, get...).want(t, 0)
	var took time.Duration
	t.Run("update", func(t *testing.T) {
		u, old := c.clone(t), filepath.Join(t.TempDir(), "old")
		took = u.run(t, append([]string{"update", "--keep-old", old}, fast...)...).want(t, 0).took
		sameTree(t, fresh, u)
		checkKept(t, old, c, want)
		u.run(t, "update", "-q", "--error-on-nothing").want(t, 9)
	})
	t.Run("update, killed", func(t *testing.T) {
		rng := random(t)
		done := 0
		for round := 0; done < kills; round++ {
			u, update := c.clone(t), append([]string{"update"}, fast...)
			old := filepath.Join(t.TempDir(), "old")
			keep := round%2 == 1
			if keep {
				update = append(update, "--keep-old", old)
			}
			for done < kills {
				p := u.start(t, update...)
				select {
				case <-p.done:
				case <-time.After(100*time.Millisecond + time.Duration(rng.Int64N(int64(took)))):
				}
				p.kill()
				if p.cmd.ProcessState.Success() {
					break // it finished first; go on with a new campaign
				}
				done++
			}
			u.run(t, update...).want(t, 0)
			sameTree(t, fresh, u)
			if left := u.files(t, ".jwstbulk/replaced"); len(left) > 0 {
				t.Errorf("%d old versions were left behind", len(left))
			}
			if keep {
				checkKept(t, old, c, want)
			}
			if t.Failed() {
				return
			}
		}
		t.Logf("%d kills; an update takes %v", done, took)
	})
}

// checkDiff asks for the difference and holds it against the record.
func checkDiff(t *testing.T, c *campaign, cited string, want map[string]change) {
	t.Helper()
	r := launch(t, filepath.Dir(c.dir), []string{"JWSTBULK_ARCHIVE=" + c.url}, nil, binary("jwstbulk"), "manifest", "diff", "--json", cited).
		wait(t, 2*time.Minute).want(t, 11)
	got := map[string]change{}
	for line := range strings.Lines(r.stdout) {
		var l struct {
			Type, Kind, URI, Cause string
			Old, New               struct{ Size int64 }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if l.Type != "change" {
			continue
		}
		if l.Kind != "reprocessed" {
			t.Errorf("%s is %s", l.URI, l.Kind)
		}
		got[l.URI] = change{l.Cause, l.Old.Size == l.New.Size}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was reprocessed (-record +manifest diff):\n%s", tail(diff))
	}
}

// sameTree holds the data and records of two campaigns against each other.
func sameTree(t *testing.T, a, b *campaign) {
	t.Helper()
	for _, name := range []string{"manifest.jsonl", "SHA256SUMS"} {
		one, err := os.ReadFile(filepath.Join(a.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.ReadFile(filepath.Join(b.dir, name)); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs (%v)", name, err)
		}
	}
	if diff := cmp.Diff(a.files(t, "JWST"), b.files(t, "JWST")); diff != "" {
		t.Errorf("files:\n%s", tail(diff))
	}
	tool(t, b.dir, "sha256sum", "--quiet", "-c", "SHA256SUMS")
}

// checkKept wants exactly the old versions of what changed in old.
func checkKept(t *testing.T, old string, c *campaign, want map[string]change) {
	t.Helper()
	kept := &campaign{dir: old}
	n := 0
	for _, e := range c.manifest(t) {
		if _, changed := want[e.URI]; !changed {
			continue
		}
		n++
		if got := kept.digest(t, e.Path); got.sha256 != e.SHA256 {
			t.Errorf("%s was kept with other bytes", e.Path)
		}
	}
	if have := len(kept.files(t, ".")); have != n {
		t.Errorf("%d old versions were kept, want %d", have, n)
	}
}
