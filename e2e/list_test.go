//go:build e2e

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestRecordedList plans from a script that MAST made (80 files of programme 2733, 2.44 GB) and fetches it at true sizes.
// Tools that know nothing of jwstbulk must find every file right, and a second run must leave the archive alone.
func TestRecordedList(t *testing.T) {
	const files, bytes = 80, 2_437_539_840
	script, err := filepath.Abs("../internal/filelist/testdata/mastDownload_20230125125957.sh") // one copy, with its licence and provenance
	if err != nil {
		t.Fatal(err)
	}
	s := startSim(t, nil, programme2733...)
	c := newCampaign(t, s)
	r := c.run(t, append([]string{"get", "--from", script}, fast...)...).want(t, 0)
	var total int64
	entries := c.manifest(t)
	for _, e := range entries {
		total += e.Size
	}
	t.Logf("%d files, %d bytes in %v, %.0f MB/s, memory %d MB", len(entries), total, r.took.Round(time.Millisecond),
		float64(total)/1e6/r.took.Seconds(), r.memory>>20)
	if len(entries) != files || total != bytes {
		t.Errorf("%d files, %d bytes; the list has %d files, %d bytes", len(entries), total, files, bytes)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = c.dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum -c SHA256SUMS: %v\n%s", err, tail(string(out)))
	}
	c.run(t, "verify").want(t, 0)
	c.checkStrays(t, c.manifestPaths(t))

	before := time.Now()
	c.run(t, "run").want(t, 0)
	if again := s.bodies(t, before); len(again) != 0 {
		t.Errorf("a second run made %d requests for files, the first for %s", len(again), again[0].URI)
	}
}
