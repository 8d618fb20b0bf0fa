package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// batchFlags are what job scripts give to run.
func batchFlags() []cli.Flag {
	const cat = "Batch jobs (set by submit)"
	return []cli.Flag{
		&cli.StringFlag{Name: "deadline", Category: cat, EnvVars: env("deadline"), Usage: "stop before this `TIME`: seconds since 1970, or as 2026-01-31T12:00:00Z; in a Slurm job its end is found out"},
		&cli.BoolFlag{Name: "shard", Category: cat, EnvVars: env("shard"), Usage: "fetch one shard of a round, as a task of an array"},
		&cli.Int64Flag{Name: "round", Category: cat, EnvVars: env("round"), Usage: "the `ROUND`; the last one if not given"},
		&cli.IntFlag{Name: "shard-index", Category: cat, Value: -1, EnvVars: env("shard-index"), Usage: "the `SHARD`; otherwise the number of the array's task"},
		&cli.StringFlag{Name: "chain", Category: cat, EnvVars: env("chain"), TakesFile: true, Usage: "when time is up and work is left, submit this `SCRIPT` again"},
		&cli.StringFlag{Name: "batch-system", Category: cat, Value: "slurm", EnvVars: env("batch-system"), Usage: "`slurm|pbs|sge`, for --chain"},
	}
}

// startSpread is the time over which tasks that a batch system starts at once spread their first requests: the longer, the
// more tasks the array has, as far as the batch system tells (sbatch(1), qsub(1) of Grid Engine).
func startSpread(getenv func(string) string) time.Duration {
	tasks := 0
	for _, name := range []string{"SLURM_ARRAY_TASK_COUNT", "SGE_TASK_LAST"} {
		if n, err := strconv.Atoi(getenv(name)); err == nil {
			tasks = max(tasks, n)
		}
	}
	return min(max(3*time.Second, time.Duration(tasks)*150*time.Millisecond), 15*time.Second)
}

// shardLinger is how long a task waits for files that are to be tried again: long enough for a busy server.
const shardLinger = time.Minute

// runShard works on one shard with a queue of its own, and writes the journal that collect reads.
func runShard(ctx context.Context, o output, c *cli.Context, r runOptions) (err error) {
	cfg, err := taskConfig(c, r.plan.campaign.Dir)
	if err != nil {
		return err
	}
	t, err := cluster.StartTask(cfg)
	if errors.Is(err, cluster.ErrNoShard) {
		return usagef("%v in %s; `jwstbulk status` shows the rounds", err, r.plan.campaign.Dir)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	o.say("shard %d of round %d, job %s, restart %d, attempt %d at it", cfg.Shard, cfg.Round, orDash(cfg.Job), cfg.Restart, t.Earlier+1)
	ctx, stop, maySend := untilOvertaken(ctx, o, t)
	defer stop()
	r.fetch.MaySend = maySend
	if cluster.WhereAmI(os.Getenv).System != "" { // who starts it by hand knows what else runs
		pause(ctx, startPause(t.Unended(), os.Getenv))
	}
	r.plan.campaign.StateDir, r.plan.campaign.Journal, r.plan.campaign.Create = t.StateDir, t.Journal, true
	r.plan.campaign.QueuePath = ""
	if !c.IsSet("linger") {
		r.fetch.Linger = shardLinger
	}
	codes, err := fetchShard(ctx, o, t, r)
	if err != nil {
		return err
	}
	return reported(codes)
}

func taskConfig(c *cli.Context, dir string) (cluster.TaskConfig, error) {
	here := cluster.WhereAmI(os.Getenv)
	cfg := cluster.TaskConfig{Dir: dir, Round: c.Int64("round"), Shard: here.Task, Job: here.Job, Restart: here.Restart, Scratch: cluster.Scratch(os.Getenv)}
	if c.IsSet("shard-index") {
		cfg.Shard = c.Int("shard-index")
	}
	if cfg.Shard < 0 {
		return cfg, usagef("%v", cluster.ErrNoTask)
	}
	if cfg.Round != 0 {
		return cfg, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return cfg, usagef("opening the campaign directory: %v", err)
	}
	defer root.Close() // only read from
	cfg.Round, err = cluster.LastRound(root)
	if err == nil && cfg.Round == 0 {
		err = usagef("there is no round in %s; `jwstbulk submit` makes one", dir)
	}
	return cfg, err
}

// errOvertaken is the cause of a task's end that another attempt at its shard brought about.
var errOvertaken = errors.New("a later attempt at this shard has begun")

// untilOvertaken returns a context that ends when a later attempt at the shard begins, as after the loss of a node whose tasks
// go on: two attempts at once would take more than the budget, and the same files. maySend is to be asked before each request:
// a task that was asleep looks first.
func untilOvertaken(ctx context.Context, o output, t *cluster.Task) (_ context.Context, stop func(), maySend func() bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	var once sync.Once
	look := func(maxAge time.Duration) (overtaken bool) {
		yes, err := t.Overtaken(maxAge)
		if err != nil || !yes { // what cannot be read now may be the next time
			return false
		}
		once.Do(func() {
			o.say("%v: leaving it to that one", errOvertaken)
			cancel(errOvertaken)
		})
		return true
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil && !look(0) {
			pause(ctx, cluster.LookAge)
		}
	})
	return ctx, func() {
		cancel(nil)
		wg.Wait()
	}, func() bool { return !look(cluster.LookAge) }
}

// startPause is how long a task of a batch system waits before its first request; unended: an earlier attempt at its shard
// may still be at work.
func startPause(unended bool, getenv func(string) string) time.Duration {
	d := rand.N(startSpread(getenv))
	if unended {
		d += cluster.Handover
	}
	return d
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// fetchShard fetches the shard's files; whatever ends that, the journal gets its end.
func fetchShard(ctx context.Context, o output, t *cluster.Task, r runOptions) (codes []int, err error) {
	c, err := campaign.Open(context.WithoutCancel(ctx), r.plan.campaign)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	keep := context.WithoutCancel(ctx)
	n, err := c.Queue.Borrow(keep, t.Files())
	if err != nil {
		return nil, err
	}
	if t.Trust != "" {
		if err := c.Queue.SetTrust(keep, t.Trust); err != nil {
			return nil, err
		}
	}
	o.say("%s to fetch", files(n))
	codes, runErr := fetchTask(ctx, o, c, r)
	if err := t.End(keep, c.Queue.Reader, worst(codes)); err != nil {
		return nil, errors.Join(runErr, err)
	}
	if runErr != nil {
		printError(o.stderr, runErr)
	}
	return codes, nil
}

// fetchTask makes the run of a task's queue.
func fetchTask(ctx context.Context, o output, c *campaign.Campaign, r runOptions) ([]int, error) {
	keep := context.WithoutCancel(ctx)
	fail := func(err error) ([]int, error) { return errorCodes(err), err }
	if _, err := checkToken(ctx, o, c, !r.plan.campaign.Archive.Token.IsZero()); err != nil && ctx.Err() == nil {
		return fail(err)
	}
	runID, err := c.Queue.StartRun(keep, queue.RunInfo{Command: "jwstbulk run --shard", Version: version})
	if err != nil {
		return fail(err)
	}
	before, err := c.Queue.Counts(keep)
	if err != nil {
		return fail(err)
	}
	show := newFetchProgress(o, before, r.fetch.Jobs)
	r.fetch.RunID, r.fetch.Reporter, r.fetch.Logger = runID, show, r.plan.campaign.Logger
	r.fetch.Pauses = cluster.NewPauses(c.Root)
	r.before.Space = false // the shards of a round were weighed together
	result, runErr := r.fetchInTime(ctx, o, c)
	show.close()
	counts, err := c.Queue.Counts(keep)
	if err != nil {
		return fail(errors.Join(runErr, err))
	}
	codes := append(errorCodes(runErr), stateCodes(counts, r.publicOnly)...)
	slices.Sort(codes)
	codes = slices.Compact(codes)
	o.say("fetched %s, %s in %s; %s of %s done; exit %d", files(result.Files), size(result.Bytes), duration(result.Elapsed.Seconds()),
		number(counts.State[queue.Done].Files), files(counts.Total().Files), worst(codes))
	return codes, runErr
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
