package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// A link that got nothing, or that met an archive which is out or a campaign that somebody else holds, is followed by one that
// starts later: after firstDelay, then after twice as long each time, up to longestDelay. After maxIdle links in a row that got
// nothing, about a day, the chain ends.
const (
	maxIdle      = 10
	firstDelay   = 10 * time.Minute
	longestDelay = 4 * time.Hour
)

// submitChain submits the first link. The campaign is not opened: a link that runs holds it.
func submitChain(ctx context.Context, o output, sys cluster.System, spec cluster.Spec, cfg campaign.Config) error {
	r, err := queue.OpenReader(ctx, queue.Config{Dir: cfg.Dir, Path: cfg.QueuePath})
	var locked *queue.LockedError
	if err != nil && !errors.As(err, &locked) {
		return err
	}
	if err == nil {
		lent, err := lentFiles(ctx, r)
		if e := r.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
		if lent > 0 {
			o.say("no chain is submitted: %s are lent to the tasks of an array, which have the whole budget; `jwstbulk collect` takes back what they left", files(lent))
			return reported([]int{exitAgain})
		}
	}
	ids, err := sys.Find(ctx, cluster.Run, spec.ChainName())
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		o.say("the chain of this campaign is there already: job %s", strings.Join(ids, ", "))
		return nil
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return err
	}
	defer root.Close() // what is written is flushed by then
	if err := storeToken(root, spec, cfg); err != nil {
		return err
	}
	script, err := writeScript(root, sys, spec, spec.ChainJob(cluster.ScriptPath(spec.Dir, spec.ChainName())))
	if err != nil {
		return err
	}
	id, err := sys.Submit(ctx, cluster.Run, script, "", 0)
	if err != nil {
		return err
	}
	return told(o, submission{System: sys.Name(), Job: id, Script: script})
}

func lentFiles(ctx context.Context, r *queue.Reader) (int64, error) {
	counts, err := r.Counts(ctx)
	return counts.State[queue.Lent].Files, err
}

// nextLink submits the next link of a chain if runErr says that work is left which time will heal. It returns runErr.
func nextLink(ctx context.Context, o output, c *cli.Context, deadline time.Time, runErr error) error {
	script := c.String("chain")
	if script == "" {
		return runErr
	}
	if toldToEnd(ctx, deadline, time.Now()) {
		o.say("told to stop: no next link is submitted; unless the batch system starts this one again, `jwstbulk submit` begins a new chain")
		return runErr
	}
	again, later := linkAfter(errorCodes(runErr))
	if endedBy(ctx) != nil && errors.Is(runErr, context.Canceled) { // time was up before the run began
		again, later = true, false
	}
	if !again {
		return runErr
	}
	keep := context.WithoutCancel(ctx)
	idle, err := idleRuns(keep, c)
	if err == nil && idle >= maxIdle {
		o.say("the chain ends here: the last %d links fetched nothing; `jwstbulk errors` says why", idle)
		return runErr
	}
	var locked *queue.LockedError
	if err == nil || errors.As(err, &locked) {
		err = submitNext(keep, o, c, script, linkDelay(idle, later))
	}
	if err != nil {
		o.say("the next link was not submitted: %v", err)
		o.say("  submit it by hand: %s", script)
	}
	return runErr
}

// linkDelay is how long the next link waits after so many that got nothing; later says that time must pass in any case.
func linkDelay(idle int, later bool) time.Duration {
	if idle == 0 && !later {
		return 0
	}
	return min(firstDelay<<max(idle-1, 0), longestDelay)
}

// toldToEnd reports whether a signal ended the run before its time: the user's scancel, or a preemption, after which the batch
// system starts the same job again. USR1 says that time is nearly up, and what comes after the deadline says so too.
func toldToEnd(ctx context.Context, deadline, now time.Time) bool {
	s := endedBy(ctx)
	return s != nil && s != syscall.SIGUSR1 && (deadline.IsZero() || now.Before(deadline))
}

// linkAfter decides by all codes that apply to a run whether another one would get further, and whether only later. Files that
// failed for good stop no chain while others are left.
func linkAfter(codes []int) (again, later bool) {
	has := func(some ...int) bool {
		return slices.ContainsFunc(codes, func(c int) bool { return slices.Contains(some, c) })
	}
	later = has(exitUnavailable, exitLocked)
	return (later || has(exitAgain)) && !has(exitInternal, exitUsage, exitStorage, exitTransfer), later
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
	if delay > 0 {
		o.say("work is left: the next link is job %s, in %v", id, delay)
		return nil
	}
	o.say("work is left: the next link is job %s", id)
	return nil
}

// idleRuns counts the runs at the end of the campaign's history that got nothing: no file, and no byte of one.
func idleRuns(ctx context.Context, c *cli.Context) (int, error) {
	r, _, err := openReader(ctx, c)
	if err != nil {
		return 0, err
	}
	defer r.Close() // only read from
	runs, err := r.Runs(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, run := range slices.Backward(runs) {
		var rep struct{ Bytes int64 }
		_ = json.Unmarshal(run.Summary, &rep) // a run that was killed has none
		if run.Files > 0 || rep.Bytes > 0 {
			break
		}
		n++
	}
	return n, nil
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
