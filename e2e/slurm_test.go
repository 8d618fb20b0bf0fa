//go:build e2e && slurm

package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slurm is a throw-away Slurm with three emulated nodes on this machine.
type slurm struct {
	dir string
	env []string
}

func startSlurm(t *testing.T) *slurm {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "jws") // unix sockets in it: their paths must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &slurm{dir: dir, env: append(os.Environ(), "SLURM_CONF="+dir+"/etc/slurm.conf", "SLURM_UP_NODE_TIMEOUT=10", "SLURM_UP_CPUS=2")}
	s.must(t, "bash", "slurm/slurm-up.sh", dir)
	t.Cleanup(func() {
		cmd := exec.Command("bash", "slurm/slurm-down.sh", "--purge", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("slurm-down: %v\n%s", err, out)
		}
	})
	return s
}

func (s *slurm) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// queue returns the lines of squeue in a format.
func (s *slurm) queue(t *testing.T, format string) []string {
	t.Helper()
	return strings.Fields(s.must(t, "squeue", "-h", "-r", "-o", format))
}

// anyTask finds a process of ours that works on a shard, other than those of the shards in but.
func anyTask(t *testing.T, but ...string) (shard string, pid int) {
	t.Helper()
	until(t, fmt.Sprintf("a task at work, none of %q", but), 30*time.Second, func() bool {
		procs, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range procs {
			env, _ := os.ReadFile(p) // gone meanwhile, or not ours
			exe, _ := os.Readlink(filepath.Join(filepath.Dir(p), "exe"))
			_, after, found := strings.Cut("\x00"+string(env), "\x00SLURM_ARRAY_TASK_ID=")
			if exe != binary("jwstbulk") || !found {
				continue
			}
			shard, _, _ = strings.Cut(after, "\x00")
			if !slices.Contains(but, shard) {
				pid, err = strconv.Atoi(filepath.Base(filepath.Dir(p)))
				return err == nil
			}
		}
		return false
	})
	return shard, pid
}

// checkSame compares the campaign with one that a single machine fetched.
func checkSame(t *testing.T, c *campaign, args ...string) {
	t.Helper()
	single := &campaign{dir: filepath.Join(t.TempDir(), "single"), url: c.url, env: c.env}
	single.run(t, append(append([]string{"get"}, args...), "-j", "16", "--rate", "0")...).want(t, 0)
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

// checkNoToken looks for the token in everything that the controller and the nodes keep, and in all files of the campaign
// but one.
func checkNoToken(t *testing.T, s *slurm, c *campaign, token string) {
	t.Helper()
	out, _ := exec.Command("grep", "-rl", "--", token, s.dir, c.dir).Output() // exit 1 if there is none
	if got := strings.TrimSpace(string(out)); got != filepath.Join(c.dir, ".jwstbulk/token") {
		t.Errorf("the token is in %q, want it in .jwstbulk/token alone", got)
	}
}

// checkRate counts file requests in every window of five seconds.
func checkRate(t *testing.T, requests []request, rate float64, burst int) {
	t.Helper()
	most := int(rate*5) + burst
	for i := range requests {
		n := 0
		for n+i < len(requests) && requests[i+n].Time.Sub(requests[i].Time) < 5*time.Second {
			n++
		}
		if n > most {
			t.Errorf("%d file requests in five seconds, want at most %d", n, most)
			return
		}
	}
}

// fetchedTwice returns how many files were sent whole more than once.
func fetchedTwice(requests []request, files []entry) int {
	size := map[string]int64{}
	for _, f := range files {
		size[f.URI] = f.Size
	}
	whole := map[string]int{}
	again := 0
	for _, r := range requests {
		if r.Status == 200 && r.Range == "" && r.Sent == size[r.URI] {
			if whole[r.URI]++; whole[r.URI] == 2 {
				again++
			}
		}
	}
	return again
}

// TestSlurmArray fetches with an array while one task is cancelled, one requeued, one killed, and one loses its node.
func TestSlurmArray(t *testing.T) {
	const token = "secretToken0123456789"
	s := startSlurm(t)
	archive := startSim(t, nil, "--catalog", "synthetic", "--observations", "200", "--per-program", "200", "--scale", "100000", "--token", token)
	c := newCampaign(t, archive)
	c.env = []string{"SLURM_CONF=" + s.dir + "/etc/slurm.conf", "MAST_API_TOKEN=" + token}
	c.run(t, "plan", "--program", "10001").want(t, 0)
	begin := time.Now()
	r := c.run(t, "submit", "--tasks", "4", "--shards", "24", "--rate", "20", "--time", "10m", "--mem", "", "--sbatch", "--spread-job", "slurm").want(t, 0)
	job := strings.Fields(strings.TrimPrefix(r.stdout, "submitted job "))[0]
	job = strings.TrimSuffix(job, ":")
	if again := c.run(t, "submit", "--tasks", "4", "slurm"); again.code != 10 || !strings.Contains(again.stderr, "lent") {
		t.Errorf("submitting what is lent: exit %d, %s", again.code, again.stderr)
	}
	killed, pid := anyTask(t)
	kill(t, pid)
	cancelled, _ := anyTask(t, killed)
	s.must(t, "scancel", job+"_"+cancelled)
	requeued, _ := anyTask(t, killed, cancelled)
	s.must(t, "scontrol", "requeue", job+"_"+requeued)
	t.Logf("killed the task of shard %s, cancelled %s, requeued %s", killed, cancelled, requeued)
	lost := loseNode(t, s, job)
	t.Logf("node %s is lost", lost)
	if r := c.run(t, "collect"); r.code != 10 { // at any moment
		t.Errorf("collect in the middle: exit %d, want 10\n%s", r.code, r.stderr)
	}
	until(t, "the jobs have ended", 4*time.Minute, func() bool {
		st := c.run(t, "status")
		return st.code == 0 && len(s.queue(t, "%i")) == 0
	})
	c.run(t, "collect").want(t, 0)

	requests := archive.bodies(t, begin)
	checkRate(t, requests, 20, 8)
	files := c.manifest(t)
	if twice := fetchedTwice(requests, files); twice > len(files)/24+8 {
		t.Errorf("%d of %d files were sent twice, want at most those of the lost node's shard", twice, len(files))
	}
	checkNoToken(t, s, c, token)
	checkSame(t, c, "--program", "10001")
	checkCollectAgain(t, c)
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatalf("killing %d: %v", pid, err)
	}
}

// loseNode kills the daemon of a node that a task runs on; the task itself goes on.
func loseNode(t *testing.T, s *slurm, job string) string {
	t.Helper()
	var node string
	until(t, "a task runs on a node", 30*time.Second, func() bool {
		for _, f := range s.queue(t, "%F/%K/%N") {
			p := strings.Split(f, "/")
			if p[0] == job && p[2] != "" {
				node = p[2]
				return true
			}
		}
		return false
	})
	pids, err := os.ReadFile(s.dir + "/pids")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pids)) {
		f := strings.Fields(line)
		if slices.Contains([]string{"slurmd-" + node, "slurmd." + node, node}, f[0]) {
			pid, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			kill(t, pid)
			return node
		}
	}
	t.Fatalf("no daemon of node %s in\n%s", node, pids)
	return ""
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

// TestSlurmChain fetches with a chain whose links are told twice that their time is over.
func TestSlurmChain(t *testing.T) {
	s := startSlurm(t)
	archive := startSim(t, nil, "--catalog", "synthetic", "--observations", "50", "--scale", "100000")
	c := newCampaign(t, archive)
	c.env = []string{"SLURM_CONF=" + s.dir + "/etc/slurm.conf"}
	c.run(t, "plan", "--program", "10001").want(t, 0)
	begin := time.Now()
	c.run(t, "submit", "--rate", "40", "--time", "10m", "--mem", "", "slurm").want(t, 0)
	if again := c.run(t, "submit", "slurm").want(t, 0); !strings.Contains(again.stderr, "there already") {
		t.Errorf("a second submission says %q", again.stderr)
	}
	links := map[string]bool{}
	for range 2 {
		var id string
		until(t, "a new link fetches", 40*time.Second, func() bool {
			for _, f := range s.queue(t, "%i/%T") {
				n, state, _ := strings.Cut(f, "/")
				if state == "RUNNING" && !links[n] {
					id = n
				}
			}
			return id != "" && len(archive.bodies(t, begin)) > 0
		})
		links[id] = true
		at := len(archive.bodies(t, begin))
		until(t, "it has fetched something", 30*time.Second, func() bool { return len(archive.bodies(t, begin)) > at+20 })
		s.must(t, "scancel", "--batch", "--signal=USR1", id)
	}
	until(t, "the chain has ended", 2*time.Minute, func() bool { return len(s.queue(t, "%i")) == 0 })
	logs, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/job/*.log"))
	if err != nil || len(logs) != 3 {
		t.Errorf("%d links, %v, want 3", len(logs), err)
	}
	requests := archive.bodies(t, begin)
	checkRate(t, requests, 40, 8)
	if twice := fetchedTwice(requests, c.manifest(t)); twice > 0 {
		t.Errorf("%d files were sent twice", twice)
	}
	checkSame(t, c, "--program", "10001")
	fmt.Println("links:", len(logs), "requests:", len(requests))
}
