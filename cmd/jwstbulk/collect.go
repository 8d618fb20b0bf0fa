package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

func collectCommand() *cli.Command {
	return &cli.Command{
		Name:  "collect",
		Usage: "take in what the tasks of an array have fetched, and write the manifest",
		Description: "Reads the tasks' journals alone; it may be run at any moment, and again. Files that ended tasks did not finish become pending.\n" +
			"With --rounds N it submits them again, up to N times, as long as the last round gained something. submit adds a job that does this.",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "rounds", EnvVars: env("rounds"), Usage: "submit what is left, up to `N` more rounds"},
			&cli.BoolFlag{Name: "force", EnvVars: env("force"), Usage: "take back all files, also those that a job may still be fetching"},
		}, commonFlags()...),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			if err := noArgs(c); err != nil {
				return err
			}
			if c.Int("rounds") < 0 {
				return usagef("invalid --rounds %d: want 0 or more", c.Int("rounds"))
			}
			cfg, err := readCampaign(c, o, false)
			if err != nil {
				return err
			}
			return runCollect(c.Context, o, cfg, c.Int("rounds"), c.Bool("force"))
		},
	}
}

func runCollect(ctx context.Context, o output, cfg campaign.Config, rounds int, force bool) (err error) {
	c, err := openWaiting(ctx, o, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	rep, err := collect(ctx, o, c, force)
	if err != nil {
		return err
	}
	if err := rep.write(o); err != nil {
		return err
	}
	if rounds > 0 && toLend(rep.Counts) > 0 {
		if why := rep.noMore(); why != "" {
			o.say("not submitted again: %s", why)
		} else if err := submitRest(ctx, o, c, rounds); err != nil {
			return err
		}
	}
	return reported(rep.Codes)
}

// lockPatience is how long a job waits for a campaign that another process holds: a command at the keyboard, or the submission
// that made the job.
const lockPatience = 10 * time.Minute

// openWaiting opens the campaign; in a batch job it waits for whoever has it.
func openWaiting(ctx context.Context, o output, cfg campaign.Config) (*campaign.Campaign, error) {
	until := time.Now().Add(lockPatience)
	for n := 0; ; n++ {
		c, err := campaign.Open(ctx, cfg)
		var locked *queue.LockedError
		if !errors.As(err, &locked) || !inBatchJob() || time.Now().After(until) || ctx.Err() != nil {
			return c, err
		}
		if n == 0 {
			o.say("%v; waiting up to %v", err, lockPatience)
		}
		pause(ctx, time.Second)
	}
}

// noMore says why nothing is to be submitted after this collecting, "" if another round may gain something.
func (r collectReport) noMore() string {
	last := r.Collected.Rounds[len(r.Collected.Rounds)-1]
	switch {
	case r.Counts.State[queue.Lent].Files > 0:
		return "files are still lent to tasks; collect again when these have ended"
	case last.Files == 0:
		return "the last round gained nothing; `jwstbulk errors` and the logs in " + cluster.JobDir + " say why"
	}
	return ""
}

// collectReport is what collect prints.
type collectReport struct {
	Version   int               `json:"version"` // 1
	Collected cluster.Collected `json:"collected"`
	Exit      int               `json:"exit"`
	Codes     []int             `json:"exit_codes"`
	Counts    queue.Counts      `json:"counts"`
	Root      string            `json:"root"`
	dir       string
}

// collect takes the journals in, writes the manifest and records both as a run.
func collect(ctx context.Context, o output, c *campaign.Campaign, force bool) (collectReport, error) {
	rep := collectReport{Version: 1, dir: c.Dir}
	rounds, err := c.Queue.Rounds(ctx)
	if err == nil && len(rounds) == 0 {
		err = usagef("nothing was submitted from %s: there is nothing to collect", c.Dir)
	}
	if err != nil {
		return rep, err
	}
	runID, err := c.Queue.StartRun(ctx, queue.RunInfo{Command: "jwstbulk collect", Version: version})
	if err != nil {
		return rep, err
	}
	co := cluster.Collector{Queue: c.Queue, Root: c.Root, RunID: runID, Force: force,
		Live: func(r queue.Round) (map[int]bool, bool) { return liveTasks(ctx, o, r) }}
	if rep.Collected, err = co.Collect(ctx); err != nil {
		return rep, err
	}
	var h manifest.Header
	if h, err = c.WriteManifest(ctx); err != nil {
		return rep, err
	}
	rep.Root = h.Root
	if rep.Counts, err = c.Queue.Counts(ctx); err != nil {
		return rep, err
	}
	rep.Codes = stateCodes(rep.Counts, false)
	incomplete, err := unplanned(ctx, c.Queue.Reader)
	if err != nil {
		return rep, err
	}
	if incomplete > 0 {
		rep.Codes = append(rep.Codes, exitUnavailable)
	}
	rep.Exit = worst(rep.Codes)
	return rep, c.Queue.FinishRun(ctx, runID, rep.Exit, encode(rep))
}

// liveTasks asks the batch system that a round was given to.
func liveTasks(ctx context.Context, o output, r queue.Round) (map[int]bool, bool) {
	var spec cluster.Spec
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		o.say("round %d: its submission cannot be read: %v", r.ID, err)
		return nil, false
	}
	sys, err := batchSystem(spec.System)
	if err != nil {
		o.say("round %d: %v", r.ID, err)
		return nil, false
	}
	ids := strings.Split(r.Job, ",")
	if r.Job == "" { // its submission was interrupted: perhaps it got through
		if ids, err = sys.Find(ctx, cluster.Run, spec.RoundName(r.ID)); err != nil {
			o.say("%s cannot be asked about round %d (%v): files of tasks that did not end by themselves stay lent", spec.System, r.ID, err)
			return nil, false
		}
	}
	live := map[int]bool{}
	for _, id := range ids {
		some, err := sys.Live(ctx, cluster.Run, id)
		if err != nil {
			o.say("%s cannot be asked about job %s (%v): files of tasks that did not end by themselves stay lent", spec.System, id, err)
			return nil, false
		}
		for k := range some {
			live[k] = true
		}
	}
	return live, true
}

func (r collectReport) write(o output) error {
	if o.json {
		w := newLines(o.stdout)
		w.add("collect", r)
		return w.flush()
	}
	var b strings.Builder
	for _, round := range r.Collected.Rounds {
		writeRound(&b, round)
	}
	fmt.Fprintf(&b, "collected %s, %s; %s not finished\n", files(r.Collected.Done), size(r.Collected.Bytes), number(r.Collected.Returned))
	if n := r.Collected.Differ; n > 0 {
		fmt.Fprintf(&b, "warning   %s were finished twice with different bytes: `jwstbulk verify`\n", files(n))
	}
	done := r.Counts.State[queue.Done]
	fmt.Fprintf(&b, "complete  %s of %s files, %s\n", number(done.Files), number(r.Counts.Total().Files), size(done.Bytes))
	writeLeft(&b, r.Counts)
	fmt.Fprintf(&b, "manifest  %s/%s, SHA256SUMS\nroot      %s\n", r.dir, manifest.Name, r.Root)
	_, err := fmt.Fprint(o.stdout, b.String())
	return err
}

// writeRound tells where a round stands, for people.
func writeRound(b *strings.Builder, r cluster.RoundReport) {
	fmt.Fprintf(b, "round %-3d job %s: %d of %d shards begun, %d ended; %s, %s", r.Round, clean(orDash(r.Job)), r.Begun, r.Shards, r.Ended, files(r.Files), size(r.Bytes))
	if r.Lent > 0 {
		fmt.Fprintf(b, "; %s lent", number(r.Lent))
	}
	if r.Live >= 0 {
		fmt.Fprintf(b, "; %d tasks wait or run", r.Live)
	}
	if r.Attempts > r.Begun {
		fmt.Fprintf(b, "; %d attempts", r.Attempts)
	}
	if r.Damaged > 0 {
		fmt.Fprintf(b, "; %d journal lines cannot be read", r.Damaged)
	}
	b.WriteString("\n")
}

// submitRest submits what is pending again, the way the last round was.
func submitRest(ctx context.Context, o output, c *campaign.Campaign, rounds int) error {
	all, err := c.Queue.Rounds(ctx)
	if err != nil {
		return err
	}
	var spec cluster.Spec
	if err := json.Unmarshal(all[len(all)-1].Spec, &spec); err != nil {
		return fmt.Errorf("reading how the last round was submitted: %w", err)
	}
	sys, err := batchSystem(spec.System)
	if err != nil {
		return err
	}
	spec.Rounds = rounds - 1
	return submitArray(ctx, o, sys, spec, c)
}
