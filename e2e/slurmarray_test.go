//go:build e2e && slurm

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSlurmArray fetches 2,000 files with an array of 24 shards, four at a time, while one task is killed, one cancelled, one
// requeued, and a node is lost whose tasks sleep and wake up when their shards are worked on elsewhere; collect submits the
// rest. Once on a local disk, once on a file system like those of clusters: every lock succeeds, and memory cannot be mapped.
func TestSlurmArray(t *testing.T) {
	for _, x := range []struct {
		name string
		dir  func(t *testing.T) string
	}{
		{"local", func(t *testing.T) string { return t.TempDir() }},
		{"shared", func(t *testing.T) string { return mountFaults(t, "", "-locks", "grant", "-nommap").mount }},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := x.dir(t)
			s := startSlurm(t)
			t.Parallel()
			testSlurmArray(t, s, dir)
		})
	}
}

func testSlurmArray(t *testing.T, s *slurm, dir string) {
	const (
		token = "secretToken0123456789"
		rate  = 30
	)
	archive := startSim(t, nil, "--catalog", "synthetic", "--observations", "205", "--per-program", "205", "--scale", "100000", "--token", token)
	c := &campaign{dir: filepath.Join(dir, "campaign"), url: archive.url, env: []string{"SLURM_CONF=" + s.dir + "/etc/slurm.conf", "MAST_API_TOKEN=" + token}}
	c.run(t, "plan", "--program", "10001").want(t, 0)
	begin := time.Now()
	r := c.run(t, "submit", "--tasks", "4", "--shards", "24", "--rate", strconv.Itoa(rate), "--time", "10m", "--mem", "", "--sbatch", "--spread-job", "slurm").want(t, 0)
	job, _, _ := strings.Cut(strings.TrimPrefix(r.stdout, "submitted job "), ":")
	if again := c.run(t, "submit", "--tasks", "4", "slurm"); again.code != 10 {
		t.Errorf("submitting beside an array: exit %d, %s", again.code, again.stderr)
	}

	killed := s.aTask(t, c)
	signal(t, killed.pid, syscall.SIGKILL)
	cancelled := s.aTask(t, c, killed.shard)
	s.must(t, "scancel", job+"_"+cancelled.shard)
	requeued := s.aTask(t, c, killed.shard, cancelled.shard)
	s.must(t, "scontrol", "requeue", job+"_"+requeued.shard)
	lost := s.loseNodeAsleep(t, c, killed.shard, cancelled.shard, requeued.shard)
	t.Logf("killed the task of shard %s, cancelled %s, requeued %s, lost the node of %v", killed.shard, cancelled.shard, requeued.shard, lost)
	s.checkNoToken(t, c, token)
	if r := c.run(t, "collect"); r.code != 10 { // at any moment
		t.Errorf("collect in the middle: exit %d, want 10\n%s", r.code, r.stderr)
	}
	for _, k := range lost {
		until(t, "the shard of a lost task is worked on elsewhere", 2*time.Minute, func() bool { return len(c.journals(t, 1, k.shard)) > 1 })
		signal(t, k.pid, syscall.SIGCONT)
	}
	until(t, "the jobs have ended", 5*time.Minute, func() bool { return len(s.queue(t, "%i")) == 0 })
	until(t, "the lost tasks have ended", time.Minute, func() bool { return len(s.tasks(t)) == 0 })
	c.run(t, "collect").want(t, 0)
	requests := archive.bodies(t, begin)
	checkFetches(t, c, requests, lost)
	checkBudget(t, requests, rate)
	s.checkNoToken(t, c, token)
	checkSame(t, c, "--program", "10001")
	checkCollectAgain(t, c)
}

// loseNodeAsleep loses a node on which a task works that is at none of these shards, with all its tasks put to sleep.
func (s *slurm) loseNodeAsleep(t *testing.T, c *campaign, but ...string) (lost []task) {
	t.Helper()
	node := s.aTask(t, c, but...).node
	s.loseNode(t, node)
	for _, k := range s.tasks(t) {
		if k.node == node {
			signal(t, k.pid, syscall.SIGSTOP)
			lost = append(lost, k)
		}
	}
	return lost
}

// journalLines reads all journals of a shard of all rounds; shard may be a glob.
func (c *campaign) journalLines(t *testing.T, shard string) []journalLine {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/shard/*", shard+".*.*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []journalLine
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var l struct {
				URI, SHA256 string
				At          int64
			}
			if json.Unmarshal(line, &l) == nil && l.SHA256 != "" { // the first and the last line have another kind of time
				out = append(out, journalLine{l.URI, l.SHA256, name, time.UnixMilli(l.At)})
			}
		}
	}
	return out
}

// checkFetches holds the requests for files against the journals: none was asked for after it was done, but by tasks of lost
// nodes and by those who took over from them.
func checkFetches(t *testing.T, c *campaign, requests []request, lost []task) {
	t.Helper()
	shards := map[string]bool{}
	for _, k := range lost {
		shards[k.shard] = true
	}
	done, excused := map[string]time.Time{}, map[string]bool{}
	lines := c.journalLines(t, "*")
	for _, l := range lines {
		if at, ok := done[l.URI]; !ok || l.At.Before(at) {
			done[l.URI] = l.At
		}
		round := filepath.Base(filepath.Dir(l.journal))
		shard, _, _ := strings.Cut(filepath.Base(l.journal), ".")
		excused[l.URI] = excused[l.URI] || round == "1" && shards[shard]
	}
	files := c.manifest(t)
	again, by := 0, 0
	for _, r := range requests {
		at, ok := done[r.URI]
		switch {
		case !ok || !r.Time.After(at.Add(time.Millisecond)): // journals tell milliseconds
		case excused[r.URI]:
			by++
		default:
			again++
			t.Errorf("%s was asked for %v after it was done", r.URI, r.Time.Sub(at))
		}
	}
	t.Logf("%d files in %d journals' lines, %d requests, %d of files of lost tasks that were done", len(files), len(lines), len(requests), by)
	if len(files) < 2000 || again > 0 {
		t.Errorf("%d files, %d asked for after they were done, want 2,000 and none", len(files), again)
	}
}

// checkBudget holds all tasks together to the rate, also those that wake up.
func checkBudget(t *testing.T, requests []request, rate int) {
	t.Helper()
	most, mean := busiest(requests, budgetTime), float64(len(requests))/requests[len(requests)-1].Time.Sub(requests[0].Time).Seconds()
	t.Logf("%.1f requests a second, at most %d in five seconds", mean, most)
	if limit := rate*5 + rate/2; most > limit {
		t.Errorf("%d requests in five seconds, want at most %d", most, limit)
	}
}

// checkSame compares the campaign with one that a single machine fetched.
func checkSame(t *testing.T, c *campaign, args ...string) {
	t.Helper()
	single := &campaign{dir: filepath.Join(t.TempDir(), "single"), url: c.url, env: c.env}
	single.run(t, slices.Concat([]string{"get"}, args, fast)...).want(t, 0)
	for _, name := range []string{"manifest.jsonl", "SHA256SUMS"} {
		want, err := os.ReadFile(filepath.Join(single.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from that of a single machine (%v)", name, err)
		}
	}
	c.run(t, "verify", "--level", "digest").want(t, 0)
}

// checkCollectAgain: collecting once more changes nothing.
func checkCollectAgain(t *testing.T, c *campaign) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.run(t, "collect").want(t, 0); !strings.Contains(r.stdout, "collected 0 files") {
		t.Errorf("collecting again says\n%s", r.stdout)
	}
	if after, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("collecting again changed the manifest (%v)", err)
	}
}
