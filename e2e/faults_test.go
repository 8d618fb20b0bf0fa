//go:build e2e

package e2e_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// scout plans against an undisturbed archive of the same catalogue and returns the URIs of the files and the truth.
func scout(t *testing.T, catalog []string) ([]string, map[string]truth) {
	t.Helper()
	s := startSim(t, nil, catalog...)
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", program).want(t, 0)
	var uris []string
	for _, row := range c.query(t, `SELECT uri FROM v_files WHERE state = 'pending' ORDER BY uri`) {
		uris = append(uris, row[0].(string))
	}
	return uris, fetchTruth(t, s.url, uris)
}

// pick returns one of the larger FITS files at random.
func pick(t *testing.T, uris []string, of map[string]truth) string {
	t.Helper()
	large := slices.DeleteFunc(slices.Clone(uris), func(u string) bool {
		return !strings.HasSuffix(u, ".fits") || of[u].size < 100_000
	})
	if len(large) == 0 {
		t.Fatal("the catalogue has no FITS file of 100 kB")
	}
	return large[random(t).IntN(len(large))]
}

// TestOneMissing has one file of a thousand that is always 404: the others finish, the run ends once nothing is due within
// --linger, and the exit code and `errors` tell.
func TestOneMissing(t *testing.T) {
	catalog := synthetic(1000, 1000)
	uris, want := scout(t, catalog)
	victim := pick(t, uris, want)
	s := startSim(t, []fault{{"uri": victim, "do": "missing"}}, catalog...)
	c := newCampaign(t, s)
	began := time.Now()
	c.run(t, append([]string{"get", "--program", program, "--linger", "2s"}, fast...)...).want(t, 3)
	t.Logf("%d files in %v", len(uris), time.Since(began).Round(time.Millisecond))
	delete(want, victim)
	c.checkComplete(t, want)
	c.checkErrors(t, victim, "404")
}

// TestAlwaysWrong has one file whose bytes differ from the archive's checksum at every fetch, each time in another place.
func TestAlwaysWrong(t *testing.T) {
	catalog := synthetic(100, 1000)
	uris, want := scout(t, catalog)
	victim := pick(t, uris, want)
	var faults []fault
	for i := range 40 { // the i-th fetch finds another bit flipped
		faults = append(faults, fault{"uri": victim, "do": "bitflip", "skip": i, "count": 1, "after": 3000 + 8*i})
	}
	s := startSim(t, faults, catalog...)
	c := newCampaign(t, s)
	c.run(t, append([]string{"get", "--program", program, "--linger", "2s"}, fast...)...).want(t, 6)
	delete(want, victim)
	c.checkFinished(t, want)
	c.checkErrors(t, victim, "MD5 is")
	for _, p := range c.files(t, "JWST") {
		if path.Base(p) == path.Base(victim) {
			t.Errorf("%s is under its final name, but its bytes are wrong", p)
		}
	}
}

// checkErrors wants `errors` to name the file, the cause, and something to do about it.
func (c *campaign) checkErrors(t *testing.T, uri, cause string) {
	t.Helper()
	out := c.run(t, "errors").want(t, 0).stdout
	t.Logf("errors:\n%s", tail(out))
	for _, want := range []string{path.Base(uri), cause, "retry"} {
		if !strings.Contains(out, want) {
			t.Errorf("errors does not say %q:\n%s", want, out)
		}
	}
}

// TestForeignChecksums lists, for a hundred files, the first 32 digits of another algorithm as the checksum: the run must
// find that out at the price of a few fetches, say it once, and finish.
func TestForeignChecksums(t *testing.T) {
	catalog := synthetic(98, 1000)
	uris, want := scout(t, catalog)
	s := startSim(t, []fault{{"do": "checksum", "value": "sha256"}}, catalog...)
	c := newCampaign(t, s)
	r := c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	c.checkComplete(t, want)
	n := len(s.bodies(t, time.Time{}))
	t.Logf("%d files, %d requests for bodies", len(uris), n)
	if most := len(uris) + 8; n > most {
		t.Errorf("%d requests for bodies, want at most %d", n, most)
	}
	if warned := strings.Count(r.stderr, "WARNING: the archive's checksums are not the MD5 of its files"); warned != 1 {
		t.Errorf("standard error warns %d times that the checksums are not MD5, want once:\n%s", warned, tail(r.stderr))
	}
}

// TestReprocessed changes a file between two attempts, keeping its name and length: whatever the archive says or hides
// about that, the file must end as one whole version.
func TestReprocessed(t *testing.T) {
	const cut = 40_000
	tests := []struct {
		name   string
		more   []fault // beside the cut and the reprocessing
		second string  // the range that the second attempt must ask for
		most   int     // requests for the file
	}{
		{"new ETag", nil, "bytes=40000-", 2},
		{"no validators but proven checksum", []fault{{"do": "novalidators"}}, "bytes=40000-", 3},
		{"206 that ignores If-Range", []fault{{"do": "ignoreifrange"}}, "bytes=40000-", 3},
	}
	catalog := synthetic(49, 1000)
	uris, of := scout(t, catalog)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			victim := pick(t, uris, of)
			faults := append([]fault{
				{"uri": victim, "do": "cut", "count": 1, "after": cut},
				{"uri": victim, "do": "reprocess", "skip": 1, "count": 1},
			}, tt.more...)
			s := startSim(t, faults, catalog...)
			c := newCampaign(t, s)
			// The others first: they prove the archive's checksums.
			c.run(t, append([]string{"get", "--program", program, "--exclude", path.Base(victim)}, fast...)...).want(t, 0)
			c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
			bodies := slices.DeleteFunc(s.bodies(t, time.Time{}), func(r request) bool { return r.URI != victim })
			for _, r := range bodies {
				t.Logf("range %q, if-range %q: %d, %d bytes", r.Range, r.IfRange, r.Status, r.Sent)
			}
			if len(bodies) < 2 || len(bodies) > tt.most || bodies[1].Range != tt.second {
				t.Errorf("%d requests for the file, want 2 to %d, the second with the range %q", len(bodies), tt.most, tt.second)
			}
			checkNow(t, s, c, victim, len(uris))
		})
	}
}

// checkNow wants the file to be what the archive serves now, on disk and in a manifest of so many files.
func checkNow(t *testing.T, s *sim, c *campaign, uri string, files int) {
	t.Helper()
	now := fetchTruth(t, s.url, []string{uri})[uri]
	entries := c.manifest(t)
	i := slices.IndexFunc(entries, func(e entry) bool { return e.URI == uri })
	if i < 0 || len(entries) != files {
		t.Fatalf("the manifest has %d files, the reprocessed one at %d; want %d files", len(entries), i, files)
	}
	if got := c.digest(t, entries[i].Path); got != now || entries[i].SHA256 != now.sha256 {
		t.Errorf("the file is %v, the manifest says %s, the archive has %v", got, entries[i].SHA256, now)
	}
	c.checkStrays(t, c.manifestPaths(t))
}

// manifestPaths returns the paths of the manifest as a set.
func (c *campaign) manifestPaths(t *testing.T) map[string]bool {
	t.Helper()
	paths := map[string]bool{}
	for _, e := range c.manifest(t) {
		paths[e.Path] = true
	}
	return paths
}
