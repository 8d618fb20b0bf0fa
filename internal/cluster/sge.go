package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// GridEngine is Grid Engine (SGE, Son of Grid Engine, UGE), by qsub and qstat. Task ids count from 1, shards from 0. It is
// written from sge_submit(1) and qstat(1) of 8.1.9; its scripts are tested, its commands have not met a real server.
type GridEngine struct{}

// Name is "sge".
func (GridEngine) Name() string { return "sge" }

// Script writes a job script. s_rt sends USR1 two minutes before h_rt kills.
func (GridEngine) Script(j Job) (string, error) {
	if err := j.check(); err != nil {
		return "", err
	}
	o := []string{"-N " + j.Name, "-S /bin/sh", "-cwd", "-j y", "-r y"}
	if j.Shards > 0 {
		o = append(o, fmt.Sprintf("-t 1-%d", j.Shards), fmt.Sprintf("-tc %d", j.AtOnce), "-o "+j.Log+".$JOB_ID.$TASK_ID.log")
	} else {
		o = append(o, "-o "+j.Log+".$JOB_ID.log")
	}
	if j.Partition != "" {
		o = append(o, "-q "+j.Partition)
	}
	if j.Account != "" {
		o = append(o, "-A "+j.Account)
	}
	if j.Memory != "" {
		o = append(o, "-l h_vmem="+j.Memory)
	}
	if j.Time > 0 {
		o = append(o, "-l h_rt="+clock(j.Time), "-l s_rt="+clock(max(j.Time-2*time.Minute, 30*time.Second)))
	}
	o = append(o, j.Extra...)
	for i := range o {
		o[i] = "#$ " + o[i]
	}
	return script(j, o), nil
}

// Submit runs qsub -terse, which prints the id alone, for an array as id.1-n:1.
func (GridEngine) Submit(ctx context.Context, run Runner, script, after string, delay time.Duration) (string, error) {
	args := []string{"-terse"}
	if after != "" {
		args = append(args, "-hold_jid", after)
	}
	if delay > 0 {
		args = append(args, "-a", time.Now().Add(delay+time.Minute).Format("200601021504"))
	}
	out, err := run(ctx, "qsub", append(args, script)...)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ".")
	if _, err := strconv.Atoi(id); err != nil {
		return "", &RefusedError{Command: "qsub", Message: "it printed no job id: " + strings.TrimSpace(out)}
	}
	return id, nil
}

// Live asks qstat -g d: one line a task, its id in the last column.
func (GridEngine) Live(ctx context.Context, run Runner, id string) (map[int]bool, error) {
	out, err := run(ctx, "qstat", "-g", "d")
	if err != nil {
		return nil, err
	}
	live := map[int]bool{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != id {
			continue
		}
		n, err := strconv.Atoi(f[len(f)-1])
		if err != nil || len(f) < 9 {
			n = 1
		}
		live[n-1] = true
	}
	return live, nil
}

// Find asks qstat for the user's jobs; it shows ten characters of a name.
func (GridEngine) Find(ctx context.Context, run Runner, name string) ([]string, error) {
	out, err := run(ctx, "qstat", "-r")
	if err != nil {
		return nil, err
	}
	id := ""
	var ids []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 4 {
			if _, err := strconv.Atoi(f[0]); err == nil {
				id = f[0]
			}
		}
		if len(f) == 3 && f[0] == "Full" && f[1] == "jobname:" && f[2] == name {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
