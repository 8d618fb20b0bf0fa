//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// slow has a run take some seconds, so that it can be killed in the middle.
var slow = []string{"--limit-rate", "12M"}

// lastRun is what run --json says at its end.
type lastRun struct {
	Bytes    int64   `json:"bytes"`
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	Sources  map[string]struct {
		Files    int64 `json:"files"`
		Requests int64 `json:"requests"`
		Failures int64 `json:"failures"`
	} `json:"sources"`
}

// finish runs the campaign to its end and returns what it says of itself.
func (c *campaign) finish(t *testing.T, args ...string) lastRun {
	t.Helper()
	r := c.run(t, append([]string{"run", "--json"}, args...)...).want(t, 0)
	for line := range strings.Lines(r.stdout) {
		var l struct {
			Type string `json:"type"`
			lastRun
		}
		if err := json.Unmarshal([]byte(line), &l); err == nil && strings.Contains(line, `"requests"`) {
			return l.lastRun
		}
	}
	t.Fatalf("run --json says nothing of the run:\n%s", r.stdout)
	return lastRun{}
}

// killInTheMiddle starts a run, kills it at a random moment, and returns the bytes of the files that are done and of the parts.
func (c *campaign) killInTheMiddle(t *testing.T, args ...string) (done, parts int64) {
	t.Helper()
	p := c.start(t, append([]string{"run"}, args...)...)
	for begin := time.Now(); len(c.files(t, "JWST")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("no file came in %v:\n%s", time.Since(begin), p.stderr.String())
		}
	}
	time.Sleep(time.Duration(300+random(t).IntN(1500)) * time.Millisecond)
	p.kill()
	for _, name := range c.files(t, "JWST") {
		info, err := os.Stat(filepath.Join(c.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		done += info.Size()
	}
	for _, n := range c.parts(t) {
		parts += n
	}
	return done, parts
}

func total(want map[string]truth) (sum int64) {
	for _, w := range want {
		sum += w.size
	}
	return sum
}

// TestNginx has a real web server, with every kind of validator and with none, serve a mixed set of files in the archive's
// place. The run is killed in the middle; in the end every file is right, and where the server or a proven checksum allows it,
// no byte is fetched twice.
func TestNginx(t *testing.T) {
	catalog := synthetic(300, 200)
	uris, _ := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	files, want := exportFiles(t, s, uris)
	for _, tt := range []struct{ name, directives, ifRange string }{
		{"entity tags", "", `"`},
		{"dates alone", "etag off;", "GMT"},
		{"no validators", `etag off; if_modified_since off; add_header Last-Modified "";`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := startNginx(t, s, files, tt.directives)
			c := newCampaign(t, s)
			c.url = n.url
			c.run(t, "plan", "--program", program).want(t, 0)
			done, parts := c.killInTheMiddle(t, append(fast, slow...)...)
			last := c.finish(t, fast...)
			c.checkComplete(t, want)
			all := total(want)
			t.Logf("%d files, %d bytes; killed after %d, with parts of %d; then %d bytes in %.2f s (%.0f MB/s), %d requests", len(want), all, done, parts,
				last.Bytes, last.Seconds, float64(last.Bytes)/last.Seconds/1e6, len(n.downloads(t)))
			least, most := all-done-parts, all-done-parts
			if tt.ifRange == "" {
				most = all - done // of files without a checksum nothing is continued
			}
			if last.Bytes < least || last.Bytes > most {
				t.Errorf("after the kill %d bytes were fetched, want %d to %d", last.Bytes, least, most)
			}
			resumed := 0
			for _, d := range n.downloads(t) {
				if d.Range == "" {
					continue
				}
				resumed++
				if d.Status != 206 || !strings.Contains(d.IfRange, tt.ifRange) || tt.ifRange == "" && d.IfRange != "" {
					t.Errorf("a part was continued with %+v, want 206 and If-Range with %q", d, tt.ifRange)
				}
			}
			if parts > 0 && resumed == 0 && tt.ifRange != "" {
				t.Errorf("parts of %d bytes, and nothing was continued", parts)
			}
		})
	}
}

// TestBucket has a real S3 server hold the public copies, but for one that is missing and one that is cut short: those come
// from the archive, everything else from the bucket, also after a kill in the middle.
func TestBucket(t *testing.T) {
	catalog := synthetic(300, 200)
	uris, _ := scout(t, catalog)
	s := startSim(t, nil, catalog...)
	files, want := exportFiles(t, s, uris)
	b := startBucket(t)
	keys := cloudKeys(t, s, uris)
	missing := pick(t, uris, want)
	short := pick(t, slices.DeleteFunc(slices.Clone(uris), func(u string) bool { return u == missing }), want)
	err := each(uris, func(uri string) error {
		body, err := os.ReadFile(filepath.Join(files, path.Base(uri)))
		switch {
		case err != nil:
			return err
		case uri == missing:
			return nil
		case uri == short:
			body = body[:len(body)/2]
		}
		return b.put(keys[uri], body)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCampaign(t, s)
	c.env = []string{"JWSTBULK_S3=" + b.url, "MAST_API_TOKEN=never-to-s3"}
	c.run(t, "plan", "--program", program).want(t, 0)
	since := time.Now()
	done, parts := c.killInTheMiddle(t, append(fast, slow...)...)
	last := c.finish(t, fast...)
	c.checkComplete(t, want)
	all := total(want)
	t.Logf("%d files, %d bytes; killed after %d, with parts of %d; then %d bytes in %.2f s (%.0f MB/s), %d requests, %+v", len(want), all, done, parts, last.Bytes,
		last.Seconds, float64(last.Bytes)/last.Seconds/1e6, last.Requests, last.Sources)
	spent := want[missing].size + want[short].size // what came of these two before the kill may be lost with it
	if least := all - done - parts; last.Bytes < least || last.Bytes > least+spent {
		t.Errorf("after the kill %d bytes were fetched, want %d", last.Bytes, least)
	}
	count := map[string]int{}
	for uri, from := range c.sources(t) {
		count[from]++
		if (uri == missing || uri == short) && from != "mast" {
			t.Errorf("%s came from %s, which does not have it", uri, from)
		}
	}
	// Once something is known of the archive's pace, it takes files that would have to wait for the bucket.
	if count["s3"] < len(want)/2 || count["mast"] > len(want)/2 {
		t.Errorf("files by source: %v", count)
	}
	t.Logf("files by source: %v", count)
	lookups := 0
	for _, r := range s.requests(t) {
		if strings.Contains(r.Path, "path_lookup") && !r.Time.Before(since) {
			lookups++
		}
	}
	t.Logf("%d look-ups", lookups)
	if most := 2*(len(want)/40) + 8; lookups > most {
		t.Errorf("%d look-ups for %d files in two runs, want at most %d", lookups, len(want), most)
	}
}

// sources returns where each finished file came from.
func (c *campaign) sources(t *testing.T) map[string]string {
	t.Helper()
	of := map[string]string{}
	for _, row := range c.query(t, `SELECT uri, source FROM v_files WHERE state = 'done'`) {
		of[fmt.Sprint(row[0])] = fmt.Sprint(row[1])
	}
	return of
}
