package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Slurm is Slurm, 22.05 or newer, by sbatch and squeue.
type Slurm struct{}

// Name is "slurm".
func (Slurm) Name() string { return "slurm" }

// warning is how many seconds before the end of its time a job is told: two minutes, less of a short job.
func warning(limit time.Duration) int64 {
	if limit == 0 {
		return 120
	}
	return int64(min(2*time.Minute, limit/4) / time.Second)
}

// Script writes a batch script. --requeue serves node loss and preemption; USR1 comes two minutes before the end, to the
// batch script itself, which is ours by then (sbatch(1), --signal).
func (Slurm) Script(j Job) (string, error) {
	if err := j.check(); err != nil {
		return "", err
	}
	log := strings.ReplaceAll(j.Log, "%", "%%")
	o := []string{"--job-name=" + j.Name}
	if j.Shards > 0 {
		o = append(o, fmt.Sprintf("--array=0-%d%%%d", j.Shards-1, j.AtOnce), "--output="+log+".%A_%a.log")
	} else {
		o = append(o, "--output="+log+".%j.log")
	}
	if j.Chain {
		o = append(o, "--dependency=singleton")
	}
	o = append(o, "--open-mode=append", "--requeue", fmt.Sprintf("--signal=B:USR1@%d", warning(j.Time)), "--ntasks=1", "--cpus-per-task="+strconv.Itoa(max(j.CPUs, 1)))
	add := func(flag, value string) {
		if value != "" {
			o = append(o, flag+"="+value)
		}
	}
	add("--partition", j.Partition)
	add("--account", j.Account)
	add("--mem", j.Memory)
	if j.Time > 0 {
		o = append(o, "--time="+clock(j.Time))
	}
	o = append(o, j.Extra...)
	for i := range o {
		o[i] = "#SBATCH " + o[i]
	}
	return script(j, o), nil
}

// Submit runs sbatch. A dependency on a job that the controller has forgotten is fulfilled at once (seen with 22.05).
func (Slurm) Submit(ctx context.Context, run Runner, script, after string, delay time.Duration) (string, error) {
	args := []string{"--parsable"}
	if after != "" {
		args = append(args, "--dependency=afterany:"+after)
	}
	if delay > 0 {
		args = append(args, fmt.Sprintf("--begin=now+%d", int64(delay/time.Second)+1))
	}
	out, err := run(ctx, "sbatch", append(args, script)...)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ";") // "id;cluster" on a federation
	if id == "" {
		return "", &RefusedError{Command: "sbatch", Message: "it printed no job id"}
	}
	return id, nil
}

// Live asks squeue, one line a task of an array. A task that is completing counts: it may still be writing, or be about to be
// queued again.
func (Slurm) Live(ctx context.Context, run Runner, id string) (map[int]bool, error) {
	out, err := run(ctx, "squeue", "-h", "-r", "-j", id, "-o", "%K")
	if err != nil {
		if strings.Contains(err.Error(), "Invalid job id") {
			return nil, nil // finished longer ago than the controller remembers
		}
		return nil, err
	}
	live := map[int]bool{}
	for line := range strings.Lines(out) {
		n, _ := strconv.Atoi(strings.TrimSpace(line)) // "N/A" of a job that is no array is 0
		live[n] = true
	}
	return live, nil
}

// Find asks squeue for the user's jobs of that name.
func (Slurm) Find(ctx context.Context, run Runner, name string) ([]string, error) {
	out, err := run(ctx, "squeue", "-h", "--me", "-n", name, "-o", "%F")
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(out) // an array has one line for each task that runs
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// MaxArray asks for the largest number of tasks that an array may have; 0 if it cannot be told.
func (Slurm) MaxArray(ctx context.Context, run Runner) int {
	out, err := run(ctx, "scontrol", "show", "config")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) == "MaxArraySize" {
			n, _ := strconv.Atoi(strings.TrimSpace(value)) // 0 is "cannot be told"
			return n
		}
	}
	return 0
}
