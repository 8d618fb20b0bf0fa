package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/cluster"
)

// maxIdle is how many links in a row may fetch nothing before the chain ends.
const maxIdle = 5

// nextLink submits the next link of a chain if runErr says that work is left which time will heal. It returns runErr.
func nextLink(ctx context.Context, o output, c *cli.Context, runErr error) error {
	script := c.String("chain")
	if script == "" {
		return runErr
	}
	code := worst(errorCodes(runErr))
	var delay time.Duration
	switch {
	case endedBy(ctx) != nil && endedBy(ctx) != syscall.SIGUSR1: // scancel, or a preemption, after which the job itself starts over
		o.say("the chain ends here: it was told to stop; `jwstbulk submit` begins it again")
		return runErr
	case code == exitUnavailable:
		delay = 10 * time.Minute
	case code != exitAgain:
		return runErr
	}
	keep := context.WithoutCancel(ctx)
	idle, err := idleRuns(keep, c)
	if err == nil && idle >= maxIdle {
		o.say("the chain ends here: the last %d links fetched nothing; `jwstbulk errors` says why", idle)
		return runErr
	}
	if err := submitNext(keep, o, c, script, delay); err != nil {
		o.say("the next link was not submitted: %v", err)
		o.say("  submit it by hand: %s", script)
	}
	return runErr
}

func submitNext(ctx context.Context, o output, c *cli.Context, script string, delay time.Duration) error {
	sys, err := batchSystem(c.String("batch-system"))
	if err != nil {
		return err
	}
	here := cluster.WhereAmI(os.Getenv)
	name := filepath.Base(script[:len(script)-len(filepath.Ext(script))])
	ids, err := sys.Find(ctx, cluster.Run, name)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id != here.Array {
			o.say("the next link waits already: job %s", id)
			return nil
		}
	}
	after := ""
	if sys.Name() != "slurm" { // there the script says singleton
		after = here.Job
	}
	id, err := sys.Submit(ctx, cluster.Run, script, after, delay)
	if err != nil {
		return err
	}
	o.say("work is left: the next link is job %s", id)
	return nil
}

// idleRuns counts the runs at the end of the campaign's history that finished no file.
func idleRuns(ctx context.Context, c *cli.Context) (int, error) {
	r, _, err := openReader(ctx, c)
	if err != nil {
		return 0, err
	}
	defer r.Close() // only read from
	runs, err := r.Runs(ctx)
	n := 0
	for i := len(runs) - 1; i >= 0 && runs[i].Files == 0; i-- {
		n++
	}
	return n, err
}

// batchSystem finds a batch system by name.
func batchSystem(name string) (cluster.System, error) {
	for _, s := range cluster.Systems() {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, usagef("unknown batch system %q: want slurm, pbs or sge", name)
}
