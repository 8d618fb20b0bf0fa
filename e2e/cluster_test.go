//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// batch is a batch system that takes jobs and starts none: the test starts them.
type batch struct{ bin string }

// newBatch puts stubs of Slurm's commands into a directory of their own. While the file "down" is there, sbatch refuses.
func newBatch(t *testing.T) *batch {
	t.Helper()
	b := &batch{t.TempDir()}
	for name, text := range map[string]string{
		"sbatch": `[ ! -e "$0.down" ] || { echo "sbatch: error: Batch job submission failed: Invalid account" >&2; exit 1; }
env >>"$0.env"; echo "$@" >>"$0.calls"; echo 77`,
		"squeue":   `exit 0`,
		"scontrol": `echo "MaxArraySize            = 11"`,
	} {
		if err := os.WriteFile(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
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

	down := filepath.Join(b.bin, "sbatch.down")
	if err := os.WriteFile(down, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := c.run(t, submit...).want(t, 2); !strings.Contains(r.stderr, "Invalid account") {
		t.Errorf("a refused submission says %q", r.stderr)
	}
	if err := os.Remove(down); err != nil {
		t.Fatal(err)
	}
	if r := c.run(t, submit...).want(t, 0); !strings.Contains(r.stderr, "going on with the submission of round 1") || !strings.Contains(r.stdout, "11 shards") {
		t.Errorf("submitting again says %q, %q; want round 1 again, cut to the largest array", r.stderr, r.stdout)
	}
	c.run(t, submit...).want(t, 10) // all is lent
	if env, err := os.ReadFile(filepath.Join(b.bin, "sbatch.env")); err != nil || strings.Contains(string(env), token) {
		t.Errorf("the batch system is told the token (%v)", err)
	}

	one, two := c.task(t, 1, 0), c.task(t, 1, 0)
	one.wait(t, time.Minute).want(t, 0)
	two.wait(t, time.Minute).want(t, 0)
	c.task(t, 1, 11).wait(t, time.Minute).want(t, 2) // no such shard
	killed := c.task(t, 1, 1)
	before := len(s.requests(t))
	until := time.Now().Add(20 * time.Second)
	for len(s.requests(t)) < before+3 && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	killed.kill()
	c.run(t, "collect").want(t, 10) // the batch system knows no job: what did not run comes back
	submitted := c.run(t, submit...).want(t, 0)
	if !strings.Contains(submitted.stdout, "round 2") {
		t.Errorf("the second round: %q", submitted.stdout)
	}
	for k := range 11 {
		c.task(t, 2, k, "SLURM_RESTART_COUNT=1").wait(t, time.Minute).want(t, 0)
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

// TestDeadline stops before the time is over, with the file under way kept.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "5", "--scale", "1000", "--rate", "200000")
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", "10001").want(t, 0)
	r := c.run(t, "run", "--rate", "0", "--deadline", fmt.Sprint(time.Now().Unix()+4)).want(t, 10)
	if r.took > 5*time.Second {
		t.Errorf("it took %v, want an end before the deadline", r.took)
	}
	c.run(t, "run", "--deadline", "soon").want(t, 2)
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
}
