//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// batch is a batch system that takes jobs and starts none: the test starts them. Each job it took is a line of sbatch.jobs, its
// id and its name; the script of each call is a line of sbatch.calls.
type batch struct{ bin string }

// The stubs of Slurm's commands. With a file sbatch.do that says "refuse", the next submission is refused; with "die before" or
// "die after", the submitting process is killed before or after its job is taken.
const (
	stubSbatch = `do=$(cat "$0.do" 2>/dev/null); rm -f "$0.do"
case $do in
refuse) echo "sbatch: error: Batch job submission failed: Invalid account" >&2; exit 1 ;;
"die before") kill -9 $PPID; exit 1 ;;
esac
env >>"$0.env"; echo "$@" >>"$0.calls"
for script; do :; done
echo "77 $(sed -n 's/^#SBATCH --job-name=//p' "$script")" >>"$0.jobs"
[ "$do" != "die after" ] || kill -9 $PPID
echo 77`
	stubSqueue = `for last; do [ "$prev" != -n ] || name=$last; prev=$last; done
[ -z "$name" ] || awk -v n="$name" '$2 == n { print $1 }' "${0%squeue}sbatch.jobs" 2>/dev/null; exit 0`
)

// newBatch puts stubs of Slurm's commands into a directory of their own.
func newBatch(t *testing.T) *batch {
	t.Helper()
	b := &batch{t.TempDir()}
	for name, text := range map[string]string{"sbatch": stubSbatch, "squeue": stubSqueue, "scontrol": `echo "MaxArraySize            = 11"`} {
		if err := os.WriteFile(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// next says what the next submission meets.
func (b *batch) next(t *testing.T, do string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.bin, "sbatch.do"), []byte(do), 0o644); err != nil {
		t.Fatal(err)
	}
}

// calls returns the submissions that were taken.
func (b *batch) calls(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.bin, "sbatch.calls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// forget has the batch system know no job any more.
func (b *batch) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.bin, "sbatch.jobs")); err != nil {
		t.Fatal(err)
	}
}

func (b *batch) env() []string { return []string{"PATH=" + b.bin + ":" + os.Getenv("PATH")} }

// task starts a shard's task as the batch system would: by the job script.
func (c *campaign) task(t *testing.T, round, shard int, env ...string) *proc {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(c.dir, fmt.Sprintf(".jwstbulk/job/*-r%d.sh", round)))
	if err != nil || len(scripts) != 1 {
		t.Fatalf("job scripts of round %d: %v, %v", round, scripts, err)
	}
	env = append(append([]string{}, c.env...), append(env, "SLURM_JOB_ID=77", fmt.Sprintf("SLURM_ARRAY_TASK_ID=%d", shard))...)
	return launch(t, filepath.Dir(c.dir), env, nil, "/bin/sh", scripts[0])
}

// states tells how many files of the campaign are in a state.
func (c *campaign) states(t *testing.T, state string) int {
	t.Helper()
	var line struct {
		Counts struct {
			State map[string]struct{ Files int }
		}
	}
	if err := json.Unmarshal([]byte(c.run(t, "status", "--json").want(t, 0).stdout), &line); err != nil {
		t.Fatal(err)
	}
	return line.Counts.State[state].Files
}

// TestShards runs the tasks of an array by hand: a refused submission, two tasks on one shard, a kill, a deadline, a second round.
func TestShards(t *testing.T) {
	t.Parallel()
	const token = "secretToken0123456789"
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "12", "--scale", "20000", "--rate", "20000000", "--token", token)
	b := newBatch(t)
	c := newCampaign(t, s)
	c.env = append(b.env(), "MAST_API_TOKEN="+token)
	c.run(t, "plan", "--program", "10001").want(t, 0)
	submit := append([]string{"submit", "--tasks", "2", "--shards", "40", "--rate", "0", "--time", "1h"}, "slurm")

	b.next(t, "refuse")
	if r := c.run(t, submit...).want(t, 2); !strings.Contains(r.stderr, "Invalid account") || c.states(t, "lent") != 0 {
		t.Errorf("a refused submission says %q and leaves %d files lent", r.stderr, c.states(t, "lent"))
	}
	if r := c.run(t, submit...).want(t, 0); !strings.Contains(r.stdout, "11 shards") || !strings.Contains(r.stderr, "MaxArraySize") {
		t.Errorf("submitting again says %q, %q; want fewer shards, the largest array", r.stderr, r.stdout)
	}
	c.run(t, submit...).want(t, 10)         // all is lent
	c.run(t, "submit", "slurm").want(t, 10) // also to a chain, which would double the budget
	if env, err := os.ReadFile(filepath.Join(b.bin, "sbatch.env")); err != nil || strings.Contains(string(env), token) {
		t.Errorf("the batch system is told the token (%v)", err)
	}

	one, two := c.task(t, 2, 0), c.task(t, 2, 0)
	a, z := one.wait(t, time.Minute), two.wait(t, time.Minute)
	if codes := []int{a.code, z.code}; !slices.Contains(codes, 0) || a.code+z.code > 10 { // the older one may leave it to the other
		t.Errorf("two tasks on one shard end with %v\n%s%s", codes, a.stderr, z.stderr)
	}
	c.task(t, 2, 11).wait(t, time.Minute).want(t, 2) // no such shard
	killed := c.task(t, 2, 1)
	before := len(s.requests(t))
	until := time.Now().Add(20 * time.Second)
	for len(s.requests(t)) < before+3 && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	killed.kill()
	c.run(t, "collect").want(t, 10) // the batch system knows no job: what did not run comes back
	submitted := c.run(t, submit...).want(t, 0)
	if !strings.Contains(submitted.stdout, "round 3") {
		t.Errorf("the second round: %q", submitted.stdout)
	}
	var rest []*proc
	for k := range 11 {
		rest = append(rest, c.task(t, 3, k, "SLURM_RESTART_COUNT=1"))
	}
	for _, p := range rest {
		p.wait(t, time.Minute).want(t, 0)
	}
	if r := c.run(t, "status").want(t, 0); !strings.Contains(r.stdout, "11 of 11 shards begun, 11 ended") {
		t.Errorf("status says\n%s", r.stdout)
	}
	c.run(t, "collect").want(t, 0)
	r := c.run(t, "collect").want(t, 0)
	if !strings.Contains(r.stdout, "collected 0 files") {
		t.Errorf("collecting again says\n%s", r.stdout)
	}
	c.run(t, "verify", "--level", "digest").want(t, 0)
	single := newCampaign(t, s)
	single.env = c.env
	single.run(t, append([]string{"get", "--program", "10001"}, fast...)...).want(t, 0)
	got, want := c.manifest(t), single.manifest(t)
	if len(got) != len(want) {
		t.Fatalf("%d files, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("entry %+v, want %+v", got[i], want[i])
		}
	}
	c.run(t, "run").want(t, 0) // nothing is left, and the parts of killed tasks go
	if left := c.parts(t); len(left) > 0 {
		t.Errorf("parts left: %v", left)
	}
}

// TestInterruptedSubmission kills submit at its worst moments: submitting again lends nothing twice and hands nothing in twice.
func TestInterruptedSubmission(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "2", "--scale", "100000")
	for _, x := range []struct {
		do    string
		taken int // jobs, when it is killed
		calls int // in all, after submitting again
	}{
		{"die before", 0, 2},
		{"die after", 1, 2},
	} {
		t.Run(x.do, func(t *testing.T) {
			t.Parallel()
			b, c := newBatch(t), newCampaign(t, s)
			c.env = b.env()
			c.run(t, "plan", "--program", "10001").want(t, 0)
			all := c.states(t, "pending")
			b.next(t, x.do)
			c.run(t, "submit", "--tasks", "2", "--time", "1h", "slurm").want(t, -1)
			if n := len(b.calls(t)); n != x.taken || c.states(t, "lent") != all {
				t.Errorf("%d jobs are taken, %d of %d files lent, want %d and all", n, c.states(t, "lent"), all, x.taken)
			}
			r := c.run(t, "submit", "--tasks", "2", "--time", "2h", "slurm").want(t, 0)
			if !strings.Contains(r.stderr, "going on with the submission of round 1") || !strings.Contains(r.stdout, "collects when it has ended") {
				t.Errorf("submitting again says %q, %q, want it to go on with round 1 and its collecting", r.stderr, r.stdout)
			}
			if calls := b.calls(t); len(calls) != x.calls || c.states(t, "lent") != all {
				t.Errorf("the batch system took %q, %d files are lent, want an array and its collecting, and %d", calls, c.states(t, "lent"), all)
			}
			c.run(t, "submit", "--tasks", "2", "slurm").want(t, 10) // it is complete now
			b.forget(t)
			c.run(t, "collect").want(t, 10)
			if n := c.states(t, "pending"); n != all {
				t.Errorf("%d files came back, want %d", n, all)
			}
		})
	}
}

// TestCollectWaits: a job that collects waits for who has the campaign; a command at the keyboard says so and ends.
func TestCollectWaits(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "2", "--scale", "100000")
	b, c := newBatch(t), newCampaign(t, s)
	c.env = b.env()
	c.run(t, "plan", "--program", "10001").want(t, 0)
	c.run(t, "submit", "--tasks", "2", "slurm").want(t, 0)
	b.forget(t)
	lock, err := os.Open(filepath.Join(c.dir, ".jwstbulk/lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	c.run(t, "collect").want(t, 12)
	c.env = append(c.env, "SLURM_JOB_ID=78")
	job := c.start(t, "collect")
	select {
	case <-job.done:
		t.Errorf("the job ended while the campaign was held: %s", job.stderr.String())
	case <-time.After(1500 * time.Millisecond):
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if r := job.wait(t, 20*time.Second).want(t, 10); !strings.Contains(r.stderr, "waiting") || c.states(t, "lent") != 0 {
		t.Errorf("the job says %q and leaves %d files lent", r.stderr, c.states(t, "lent"))
	}
}

// link starts a link of the chain as the batch system would.
func (c *campaign) link(t *testing.T) *proc {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(c.dir, ".jwstbulk/job/*-chain.sh"))
	if err != nil || len(scripts) != 1 {
		t.Fatalf("job scripts of the chain: %v, %v", scripts, err)
	}
	return launch(t, filepath.Dir(c.dir), append([]string{"SLURM_JOB_ID=77"}, c.env...), nil, "/bin/sh", scripts[0])
}

// TestChainLinks: a link whose time is over submits the next one although a file failed; one that is cancelled does not; and
// no array is submitted beside a chain.
func TestChainLinks(t *testing.T) {
	t.Parallel()
	s := startSim(t, []fault{{"do": "missing", "count": 1}}, "--catalog", "synthetic", "--observations", "10", "--scale", "20000")
	b, c := newBatch(t), newCampaign(t, s)
	c.env = b.env()
	c.run(t, "plan", "--program", "10001").want(t, 0)
	c.run(t, "submit", "--rate", "20", "--time", "1h", "slurm").want(t, 0)
	if r := c.run(t, "submit", "--tasks", "2", "slurm").want(t, 2); !strings.Contains(r.stderr, "chain") || c.states(t, "lent") != 0 {
		t.Errorf("an array beside a chain: %q, %d files lent", r.stderr, c.states(t, "lent"))
	}
	for _, x := range []struct {
		signal syscall.Signal
		code   int
		calls  int
	}{
		{syscall.SIGUSR1, 3, 2},
		{syscall.SIGTERM, 3, 2},
	} {
		before := len(s.bodies(t, time.Time{}))
		link := c.link(t)
		until(t, "the link fetches", 20*time.Second, func() bool { return len(s.bodies(t, time.Time{})) > before+3 })
		if err := link.cmd.Process.Signal(x.signal); err != nil {
			t.Fatal(err)
		}
		link.wait(t, 20*time.Second).want(t, x.code)
		if calls := b.calls(t); len(calls) != x.calls {
			t.Errorf("after %v the batch system has been given %q, want %d jobs", x.signal, calls, x.calls)
		}
	}
}

// TestSharedPause: when the archive asks one task to wait, the other waits too, as another process.
func TestSharedPause(t *testing.T) {
	t.Parallel()
	const asked = 4 * time.Second
	s := startSim(t, []fault{{"do": "status", "status": 429, "retry_after": "4", "uri": "*_*", "skip": 25, "count": 1}},
		"--catalog", "synthetic", "--observations", "7", "--scale", "20000")
	b, c := newBatch(t), newCampaign(t, s)
	c.env = b.env()
	c.run(t, "plan", "--program", "10001").want(t, 0)
	c.run(t, "submit", "--tasks", "2", "--shards", "2", "--rate", "16", "slurm").want(t, 0)
	var tasks []*proc
	for k := range 2 { // outside a job: no task starts late on purpose
		tasks = append(tasks, c.start(t, "run", "--shard", "--shard-index", fmt.Sprint(k), "-j", "2", "--rate", "8"))
	}
	for _, p := range tasks {
		p.wait(t, time.Minute).want(t, 0)
	}
	said := tasks[0].stderr.String() + tasks[1].stderr.String()
	if strings.Count(said, "the archive asks to wait") != 1 || strings.Count(said, "asked another task to wait") != 1 {
		t.Errorf("want one task to be asked to wait and the other to wait with it:\n%s", said)
	}
	requests := s.bodies(t, time.Time{})
	at := slices.IndexFunc(requests, func(r request) bool { return r.Status == 429 })
	if at < 0 {
		t.Fatal("the archive asked nobody to wait")
	}
	late := 0
	for _, r := range requests[at+1:] {
		if since := r.Time.Sub(requests[at].Time); since > 1500*time.Millisecond && since < asked-500*time.Millisecond {
			late++
		}
	}
	if late > 0 || len(requests) < at+10 {
		t.Errorf("%d of %d requests came while all had to wait", late, len(requests)-at)
	}
}

// TestJitter: tasks that a batch system starts at once do not ask the archive at once.
func TestJitter(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "2", "--scale", "100000")
	b, c := newBatch(t), newCampaign(t, s)
	c.env = b.env()
	c.run(t, "plan", "--program", "10001").want(t, 0)
	c.run(t, "submit", "--tasks", "8", "--shards", "8", "-j", "8", "--rate", "0", "slurm").want(t, 0)
	begin := time.Now()
	var tasks []*proc
	for k := range 8 {
		tasks = append(tasks, c.task(t, 1, k))
	}
	for _, p := range tasks {
		p.wait(t, time.Minute).want(t, 0)
	}
	first, last := time.Time{}, time.Time{}
	for k := range 8 {
		at := c.firstDone(t, 1, k)
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	t.Logf("eight tasks started at once had their first file %v to %v later", first.Sub(begin), last.Sub(begin))
	if last.Sub(first) < 400*time.Millisecond { // one run in a hundred thousand
		t.Errorf("all tasks began within %v, want up to three seconds", last.Sub(first))
	}
}

// firstDone is when a shard's first file was finished.
func (c *campaign) firstDone(t *testing.T, round, shard int) time.Time {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.dir, fmt.Sprintf(".jwstbulk/shard/%d/%d.*.jsonl", round, shard)))
	if err != nil || len(names) != 1 {
		t.Fatalf("journals of shard %d: %q, %v", shard, names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l struct {
			SHA256 string
			At     json.RawMessage
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.SHA256 != "" {
			ms, err := strconv.ParseInt(string(l.At), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return time.UnixMilli(ms)
		}
	}
	t.Fatalf("the journal of shard %d tells of no file", shard)
	return time.Time{}
}

// TestDeadline learns from each source when the time is over, and stops before that, with the file under way kept.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "5", "--scale", "1000", "--rate", "600000")
	const limit = 4 * time.Second
	for _, x := range []struct {
		name string
		env  func(end time.Time) []string
	}{
		{"given by the script", func(end time.Time) []string { return []string{fmt.Sprintf("JWSTBULK_DEADLINE=%d", end.Unix())} }},
		{"SLURM_JOB_END_TIME", func(end time.Time) []string {
			return []string{"SLURM_JOB_ID=5", fmt.Sprintf("SLURM_JOB_END_TIME=%d", end.Unix())}
		}},
		{"squeue", func(time.Time) []string {
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "squeue"), []byte("#!/bin/sh\necho \"$@\" >>\"$0.calls\"; echo 0:04\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if calls, err := os.ReadFile(filepath.Join(bin, "squeue.calls")); err != nil || string(calls) != "-h -j 5 -o %L\n" {
					t.Errorf("squeue was asked %q, %v, want one question", calls, err)
				}
			})
			return []string{"SLURM_JOB_ID=5", "PATH=" + bin + ":" + os.Getenv("PATH")}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, s)
			c.run(t, "plan", "--program", "10001").want(t, 0)
			c.env = x.env(time.Now().Add(limit))
			if r := c.run(t, "run", "--rate", "0").want(t, 10); r.took > limit+time.Second {
				t.Errorf("it took %v, want an end before the deadline", r.took)
			}
		})
	}
	newCampaign(t, s).run(t, "run", "--deadline", "soon").want(t, 2)
}

// TestClusterBadInput: each mistake is a usage error that says what to do.
func TestClusterBadInput(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "2", "--scale", "100000")
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", "10001").want(t, 0)
	elsewhere := &campaign{dir: t.TempDir(), url: s.url}
	for _, x := range []struct {
		c    *campaign
		says string
		args []string
	}{
		{c, "login node", []string{"submit", "slurm"}},
		{c, "login node", []string{"submit", "--tasks", "2", "slurm"}},
		{c, "slurm, pbs or sge", []string{"submit"}},
		{c, "condor", []string{"submit", "condor"}},
		{c, "cannot share 4 transfers", []string{"submit", "--tasks", "5", "slurm"}},
		{c, "--time", []string{"submit", "--time", "soon", "slurm"}},
		{c, "--shard-index", []string{"run", "--shard"}},
		{c, "no round", []string{"run", "--shard", "--shard-index", "0"}},
		{c, "nothing was submitted", []string{"collect"}},
		{elsewhere, "no campaign here", []string{"collect"}},
		{elsewhere, "no round", []string{"run", "--shard", "--shard-index", "0"}},
	} {
		if x.args[0] == "submit" {
			x.c.env = []string{"PATH=/nonexistent"}
		}
		r := x.c.run(t, x.args...).want(t, 2)
		if !strings.Contains(r.stderr, x.says) {
			t.Errorf("jwstbulk %s says %q, want %q in it", strings.Join(x.args, " "), r.stderr, x.says)
		}
		x.c.env = nil
	}
	if n := c.states(t, "lent"); n != 0 {
		t.Errorf("%d files are lent after mistakes alone", n)
	}
}
