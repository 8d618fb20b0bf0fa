//go:build e2e && slurm

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slurm is a throw-away Slurm with three emulated nodes on this machine.
type slurm struct {
	dir string
	env []string
}

// startSlurm starts a Slurm until the test ends; conf are further lines of its configuration.
func startSlurm(t *testing.T, conf ...string) *slurm {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "jws") // unix sockets in it: their paths must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &slurm{dir: dir, env: append(os.Environ(), "SLURM_CONF="+dir+"/etc/slurm.conf", "SLURM_UP_NODE_TIMEOUT=10", "SLURM_UP_CPUS=2",
		"SLURM_UP_EXTRA="+strings.Join(conf, "\n"), "PATH="+filepath.Dir(binary("jwstbulk"))+":"+os.Getenv("PATH"))}
	s.must(t, "bash", "slurm/slurm-up.sh", dir)
	t.Cleanup(func() {
		cmd := exec.Command("bash", "slurm/slurm-down.sh", "--purge", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("slurm-down: %v\n%s", err, out)
		}
	})
	return s
}

// must runs a command of Slurm.
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

// running is the id of the only job that runs, "" if there is none.
func (s *slurm) running(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(s.must(t, "squeue", "-h", "-t", "RUNNING", "-o", "%i")), ",")
}

// task is a process of ours that works on a shard.
type task struct {
	pid   int
	shard string
	node  string
}

// tasks finds those of this Slurm.
func (s *slurm) tasks(t *testing.T) []task {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var out []task
	for _, p := range procs {
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(p), "exe"))
		text, _ := os.ReadFile(p) // gone meanwhile, or not ours
		env := map[string]string{}
		for kv := range strings.SplitSeq(string(text), "\x00") {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil && exe == binary("jwstbulk") && env["SLURM_CONF"] == s.dir+"/etc/slurm.conf" && env["SLURM_ARRAY_TASK_ID"] != "" {
			out = append(out, task{pid, env["SLURM_ARRAY_TASK_ID"], env["SLURMD_NODENAME"]})
		}
	}
	return out
}

// aTask waits for a task that has finished some files, other than those of the shards in but, and returns it.
func (s *slurm) aTask(t *testing.T, c *campaign, but ...string) (found task) {
	t.Helper()
	until(t, fmt.Sprintf("a task at work, none of %q", but), time.Minute, func() bool {
		for _, k := range s.tasks(t) {
			if !slices.Contains(but, k.shard) && c.shardDone(t, k.shard) >= 3 {
				found = k
				return true
			}
		}
		return false
	})
	return found
}

// shardDone counts the files that the journals of a shard of round 1 tell of.
func (c *campaign) shardDone(t *testing.T, shard string) int {
	t.Helper()
	n := 0
	for _, l := range c.journalLines(t, shard) {
		if l.SHA256 != "" {
			n++
		}
	}
	return n
}

// journalLine is a line of a task's journal; SHA256 is that of a finished file, "" in other lines.
type journalLine struct {
	URI, SHA256, journal string
	At                   time.Time
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("signal %v to %d: %v", s, pid, err)
	}
}

// loseNode kills the daemon of a node; its tasks go on, and the controller gives it up.
func (s *slurm) loseNode(t *testing.T, node string) {
	t.Helper()
	pids, err := os.ReadFile(s.dir + "/pids")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pids)) {
		if f := strings.Fields(line); f[0] == "slurmd-"+node {
			pid, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			signal(t, pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatalf("no daemon of node %s in\n%s", node, pids)
}

// checkNoToken looks for the token in everything that the controller and the nodes keep and show, and in all files of the
// campaign but one.
func (s *slurm) checkNoToken(t *testing.T, c *campaign, token string) {
	t.Helper()
	out, _ := exec.Command("grep", "-rl", "--", token, s.dir, c.dir).Output() // exit 1 if there is none
	if got := strings.TrimSpace(string(out)); got != filepath.Join(c.dir, ".jwstbulk/token") {
		t.Errorf("the token is in %q, want it in .jwstbulk/token alone", got)
	}
	shown := s.must(t, "scontrol", "-dd", "show", "job")
	for _, id := range s.queue(t, "%A") {
		text, _ := exec.Command("env", "SLURM_CONF="+s.dir+"/etc/slurm.conf", "scontrol", "write", "batch_script", id, "-").Output() // ended meanwhile
		shown += string(text)
	}
	if strings.Contains(shown, token) {
		t.Error("scontrol shows the token")
	}
}
