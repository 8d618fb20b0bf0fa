//go:build e2e && slurm

package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSlurmChain fetches 500 files of a slow archive by links of one minute each, which Slurm really ends. Before that a link
// is cancelled, which ends the chain.
func TestSlurmChain(t *testing.T) {
	s := startSlurm(t)
	t.Parallel()
	const rate = 10
	archive := startSim(t, nil, "--catalog", "synthetic", "--observations", "53", "--scale", "100000", "--rate", "25000")
	c := newCampaign(t, archive)
	c.env = []string{"SLURM_CONF=" + s.dir + "/etc/slurm.conf"}
	c.run(t, "plan", "--program", "10001").want(t, 0)
	submit := []string{"submit", "--rate", "10", "--time", "1m", "--mem", "", "slurm"}
	begin := time.Now()
	fetching := func() bool { return len(archive.bodies(t, begin)) > 5 }

	c.run(t, submit...).want(t, 0)
	if again := c.run(t, submit...).want(t, 0); !strings.Contains(again.stderr, "there already") {
		t.Errorf("a second submission says %q", again.stderr)
	}
	until(t, "the first link fetches", 30*time.Second, fetching)
	s.must(t, "scancel", s.running(t))
	until(t, "the cancelled link has ended", 20*time.Second, func() bool { return len(s.queue(t, "%i")) == 0 })
	time.Sleep(2 * time.Second) // a next link would be there by now
	if left := s.queue(t, "%i"); len(left) > 0 {
		t.Fatalf("after the link was cancelled, jobs %v are there", left)
	}

	c.run(t, submit...).want(t, 0)
	until(t, "the chain has ended", 6*time.Minute, func() bool { return len(s.queue(t, "%i")) == 0 })
	logs, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/job/*.log"))
	if err != nil || len(logs) < 4 {
		t.Errorf("logs %v, %v, want those of the cancelled link and of three at least", logs, err)
	}
	requests := archive.bodies(t, begin)
	files, sent := c.manifest(t), int64(0)
	size := map[string]int64{}
	whole := map[string]int{}
	total := int64(0)
	for _, f := range files {
		size[f.URI] = f.Size
		total += f.Size
	}
	for _, r := range requests {
		sent += r.Sent
		if r.Range == "" && r.Sent == size[r.URI] {
			whole[r.URI]++
		}
	}
	for uri, n := range whole {
		if n > 1 {
			t.Errorf("%s was sent whole %d times", uri, n)
		}
	}
	most := busiest(requests, budgetTime)
	t.Logf("%d links, %d files, %d requests, at most %d in five seconds, %d bytes sent of %d", len(logs)-1, len(files), len(requests), most, sent, total)
	if len(files) < 500 || most > rate*5+rate/2 {
		t.Errorf("%d files, %d requests in five seconds, want 500 and at most %d", len(files), most, rate*5+rate/2)
	}
	checkSame(t, c, "--program", "10001")
}
