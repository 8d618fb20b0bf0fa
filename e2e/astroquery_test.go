//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listed is a file as a listing names it, with the folder it belongs in.
type listed struct{ uri, obsID string }

// TestAstroquery asks the same of the same archive with the unmodified astroquery and with jwstbulk: both must find the
// same (dataURI, obs_id), and files must be equal byte for byte.
func TestAstroquery(t *testing.T) {
	const downloads = 20
	s := startSim(t, nil, observations(400, 1000)...) // several hundred observations, in one product request of astroquery's
	dir := t.TempDir()
	theirs, files, took := astroquery(t, s, program, downloads, "--dir", dir)

	c := newCampaign(t, s)
	r := c.run(t, "plan", "--program", program, "--guide-stars", "--dry-run", "--json").want(t, 0)
	ours := planned(t, r.stdout)
	t.Logf("%d files; astroquery took %v, the plan %v", len(ours), took.Round(time.Millisecond), r.took.Round(time.Millisecond))
	if len(ours) == 0 {
		t.Error("the plan has no file")
	}
	if diff := cmp.Diff(set(theirs), set(ours)); diff != "" {
		t.Errorf("the sets of (dataURI, obs_id) differ (-astroquery +jwstbulk):\n%s", tail(diff))
	}

	if _, err := os.Stat(c.dir); err == nil {
		t.Error("--dry-run made the campaign's directory")
	}
	var names []string
	for uri := range files {
		names = append(names, "--include", path.Base(uri))
	}
	c.run(t, append(append([]string{"get", "--program", program, "--guide-stars"}, names...), fast...)...).want(t, 0)
	sameFiles(t, files, c, downloads)

	// What astroquery downloaded is taken over as it lies; only what has no checksum is fetched.
	other, since := newCampaign(t, s), time.Now()
	r = other.run(t, append(append([]string{"get", "--program", program, "--guide-stars", "--adopt", dir, "--adopt-by", "link"}, names...), fast...)...).want(t, 0)
	sameFiles(t, files, other, downloads)
	for _, b := range s.bodies(t, since) {
		if strings.HasSuffix(b.URI, ".fits") {
			t.Errorf("%s was there, and was fetched", b.URI)
		}
	}
	if !strings.Contains(r.stdout, "\nadopted ") {
		t.Errorf("nothing was adopted:\n%s", r.stdout)
	}
}

// TestAstroqueryToken fetches an exclusive programme with a token of its own, with an expired one and with none.
func TestAstroqueryToken(t *testing.T) {
	const exclusive, valid, expired, downloads = "10002", "e2e-token", "e2e-expired", 10
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "40", "--per-program", "20", "--exclusive", "2", "--scale", "1000",
		"--token", valid+"="+exclusive, "--expired-token", expired)
	get := append([]string{"get", "--program", exclusive, "--guide-stars", "--linger", "0"}, fast...)
	for _, token := range []string{"", expired} {
		args := []string{}
		if token != "" {
			args = append(args, "--token", token)
		}
		if _, files, _ := astroquery(t, s, exclusive, downloads, args...); len(files) != 0 {
			t.Errorf("astroquery with token %q got %d exclusive files, want none", token, len(files))
		}
		c := newCampaign(t, s)
		c.env = []string{"MAST_API_TOKEN=" + token}
		c.run(t, get...).want(t, 4)
		if got := len(c.manifest(t)); got != 0 {
			t.Errorf("jwstbulk with token %q got %d exclusive files, want none", token, got)
		}
	}
	_, files, _ := astroquery(t, s, exclusive, downloads, "--token", valid)
	c := newCampaign(t, s)
	c.env = []string{"MAST_API_TOKEN=" + valid}
	c.run(t, get...).want(t, 0)
	sameFiles(t, files, c, downloads)
}

// sameFiles wants the campaign to have each of n files byte for byte.
func sameFiles(t *testing.T, files map[string]truth, c *campaign, n int) {
	t.Helper()
	got := map[string]truth{}
	for _, e := range c.manifest(t) {
		got[e.URI] = c.digest(t, e.Path)
	}
	for uri, f := range files {
		if diff := cmp.Diff(f, got[uri], cmp.AllowUnexported(truth{})); diff != "" {
			t.Errorf("%s (-astroquery +jwstbulk):\n%s", uri, diff)
		}
	}
	if len(files) != n {
		t.Errorf("astroquery downloaded %d files, want %d", len(files), n)
	}
}

func set(list []listed) map[string]bool {
	all := map[string]bool{}
	for _, l := range list {
		all[l.uri+" "+l.obsID] = true
	}
	return all
}

// astroquery runs the script that drives it; it returns what it lists of a programme and the files it got whole.
func astroquery(t *testing.T, s *sim, programme string, downloads int, more ...string) ([]listed, map[string]truth, time.Duration) {
	t.Helper()
	began := time.Now()
	var found struct {
		Products  [][2]string
		Downloads []struct {
			URI, Status, SHA256 string
			Size                int64
		}
	}
	drive(t, s, &found, append([]string{"--where", "proposal_id=" + programme, "--where", "obs_collection=JWST",
		"--download", itoa(downloads), "--dir", t.TempDir()}, more...)...)
	files := map[string]truth{}
	for _, d := range found.Downloads {
		if d.Status == "COMPLETE" {
			files[d.URI] = truth{d.SHA256, d.Size}
		}
	}
	return pairs(found.Products), files, time.Since(began)
}

// drive runs the script that drives astroquery and decodes what it prints.
func drive(t *testing.T, s *sim, into any, args ...string) {
	t.Helper()
	script, err := filepath.Abs("astroquery/astroquery_check.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{script, "--server", s.url}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("astroquery_check.py: %v\n%s", err, tail(stderr.String()))
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func pairs(products [][2]string) []listed {
	var all []listed
	for _, p := range products {
		all = append(all, listed{p[0], p[1]})
	}
	return all
}

// planned returns the files of plan --json; the folder is the last but one part of the path.
func planned(t *testing.T, out string) []listed {
	t.Helper()
	var all []listed
	for line := range strings.Lines(out) {
		var f struct{ URI, Path string }
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("plan --json: %v in %s", err, line)
		}
		if f.URI != "" {
			all = append(all, listed{f.URI, path.Base(path.Dir(f.Path))})
		}
	}
	return all
}
