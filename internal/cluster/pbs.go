package cluster

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// PBS is OpenPBS or PBS Professional, 2020 or newer (array throttling with %), by qsub and qstat. It is written from OpenPBS's
// manual pages and source: qsub(1B), qstat(1B), sizes such as 2G in attr_fn_size.c, job names of up to 230 characters in
// pbs_ifl.h. Its scripts are tested, its commands have not met a real server.
type PBS struct{}

// Name is "pbs".
func (PBS) Name() string { return "pbs" }

// Script writes a job script. At the end of its time a job gets TERM, and KILL ten seconds later (kill_delay), so that it is the
// deadline that lets it stop in time.
func (PBS) Script(j Job) (string, error) {
	if err := j.check(); err != nil {
		return "", err
	}
	o := []string{"-N " + j.Name, "-j oe"}
	if j.Shards > 1 {
		o = append(o, "-J 0-"+strconv.Itoa(j.Shards-1)+"%"+strconv.Itoa(j.AtOnce), "-o "+j.Log+".^array_index^.log")
	} else {
		o = append(o, "-o "+j.Log+".log")
	}
	o = append(o, "-r y")
	if j.Partition != "" {
		o = append(o, "-q "+j.Partition)
	}
	if j.Account != "" {
		o = append(o, "-A "+j.Account)
	}
	chunk := "-l select=1:ncpus=" + strconv.Itoa(max(j.CPUs, 1))
	if j.Memory != "" {
		chunk += ":mem=" + j.Memory
	}
	o = append(o, chunk)
	if j.Time > 0 {
		o = append(o, "-l walltime="+clock(j.Time))
	}
	o = append(o, j.Extra...)
	for i := range o {
		o[i] = "#PBS " + o[i]
	}
	return script(j, o), nil
}

// Submit runs qsub.
func (PBS) Submit(ctx context.Context, run Runner, script, after string, delay time.Duration) (string, error) {
	var args []string
	if after != "" {
		args = append(args, "-W", "depend=afterany:"+after)
	}
	if delay > 0 {
		args = append(args, "-a", time.Now().Add(delay+time.Minute).Format("200601021504"))
	}
	out, err := run(ctx, "qsub", append(args, script)...)
	if err != nil {
		return "", err
	}
	if id := strings.TrimSpace(out); id != "" {
		return id, nil
	}
	return "", &RefusedError{Command: "qsub", Message: "it printed no job id"}
}

// Live asks qstat, one line a task of an array: 12[3].server. X and F are the states of what has ended; a task that is
// exiting (E) counts, for it may still be writing.
func (PBS) Live(ctx context.Context, run Runner, id string) (map[int]bool, error) {
	out, err := run(ctx, "qstat", "-t", id)
	if err != nil {
		if strings.Contains(err.Error(), "Unknown Job Id") || strings.Contains(err.Error(), "has finished") {
			return nil, nil
		}
		return nil, err
	}
	number, _, _ := strings.Cut(id, ".")
	number, _, isArray := strings.Cut(number, "[")
	live := map[int]bool{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasPrefix(f[0], number) || f[4] == "X" || f[4] == "F" {
			continue
		}
		_, rest, _ := strings.Cut(f[0], "[")
		index, _, _ := strings.Cut(rest, "]")
		if isArray && index == "" {
			continue // the array as a whole
		}
		n, _ := strconv.Atoi(index) // a job that is no array is 0
		live[n] = true
	}
	return live, nil
}

// Find asks qselect for the user's jobs of that name.
func (PBS) Find(ctx context.Context, run Runner, name string) ([]string, error) {
	out, err := run(ctx, "qselect", "-N", name)
	return strings.Fields(out), err
}
