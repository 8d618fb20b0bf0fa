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

// pick returns one of the FITS files at random.
func pick(t *testing.T, uris []string) string {
	t.Helper()
	fits := slices.DeleteFunc(slices.Clone(uris), func(u string) bool { return !strings.HasSuffix(u, ".fits") })
	if len(fits) == 0 {
		t.Fatal("the catalogue has no FITS file")
	}
	return fits[random(t).IntN(len(fits))]
}

// TestOneMissing has one file of a thousand that is always 404: the others finish, the run ends once nothing is due within
// --linger, and the exit code and `errors` tell.
func TestOneMissing(t *testing.T) {
	catalog := synthetic(1000)
	uris, want := scout(t, catalog)
	victim := pick(t, uris)
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
	catalog := synthetic(100)
	uris, want := scout(t, catalog)
	victim := pick(t, uris)
	var faults []fault
	for i := range 40 { // the i-th fetch finds another bit flipped
		faults = append(faults, fault{"uri": victim, "do": "bitflip", "skip": i, "count": 1, "after": 3000 + 8*i})
	}
	s := startSim(t, faults, catalog...)
	c := newCampaign(t, s)
	c.run(t, append([]string{"get", "--program", program, "--linger", "2s"}, fast...)...).want(t, 6)
	delete(want, victim)
	c.checkFinished(t, want)
	c.checkErrors(t, victim, "checksum")
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
	catalog := synthetic(100)
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
	if warned := strings.Count(strings.ToLower(r.stderr), "not md5"); warned != 1 {
		t.Errorf("standard error warns %d times that the checksums are not MD5, want once:\n%s", warned, tail(r.stderr))
	}
}

// TestReprocessed changes a file between two attempts, keeping its name and length: whatever the archive says or hides
// about that, the file must end as one whole version.
func TestReprocessed(t *testing.T) {
	const cut = 40_000
	tests := []struct {
		name string
		more []fault // beside the cut and the reprocessing
		args []string
	}{
		{"new ETag", nil, nil},
		{"no validators, proven checksum", []fault{{"do": "novalidators"}}, nil},
		{"206 that ignores If-Range", []fault{{"do": "ignoreifrange"}}, nil},
		{"no validators, 206", []fault{{"do": "novalidators"}, {"do": "ignoreifrange"}}, nil},
	}
	catalog := synthetic(50)
	uris, _ := scout(t, catalog)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			victim := pick(t, uris)
			faults := append([]fault{
				{"uri": victim, "do": "cut", "count": 1, "after": cut},
				{"uri": victim, "do": "reprocess", "skip": 1, "count": 1},
			}, tt.more...)
			s := startSim(t, faults, catalog...)
			c := newCampaign(t, s)
			c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
			bodies := slices.DeleteFunc(s.bodies(t, time.Time{}), func(r request) bool { return r.URI != victim })
			for _, r := range bodies {
				t.Logf("range %q, if-range %q: %d, %d bytes", r.Range, r.IfRange, r.Status, r.Sent)
			}
			if len(bodies) < 2 {
				t.Fatalf("%d requests for the file, want at least 2", len(bodies))
			}
			want := fetchTruth(t, s.url, []string{victim}) // the archive now serves the new version
			for _, e := range c.manifest(t) {
				if e.URI != victim {
					continue
				}
				if got := c.digest(t, e.Path); got != want[victim] || e.SHA256 != got.sha256 {
					t.Errorf("the file is %v, the manifest says %s, the archive has %v", got, e.SHA256, want[victim])
				}
			}
			c.checkStrays(t, c.manifestPaths(t))
		})
	}
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
