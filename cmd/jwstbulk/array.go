package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

// noChain refuses an array beside the campaign's chain: each would take the whole budget. It also finds out that there is no
// batch system before anything is changed.
func noChain(ctx context.Context, sys cluster.System, spec cluster.Spec) error {
	ids, err := sys.Find(ctx, cluster.Run, spec.ChainName())
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		return usagef("the chain of this campaign waits or runs (job %s): it and an array would ask for twice the budget; cancel it first", strings.Join(ids, ", "))
	}
	return nil
}

// loan is a round to submit.
type loan struct {
	round  int64
	shards int
	files  int64
	spec   cluster.Spec // how it is, or was to be, submitted
}

// submitArray lends the pending files to a new round, or takes up one whose submission was interrupted, and submits it. Each
// step can be repeated: lending is one transaction, lists are never changed, and a job is looked for before it is submitted.
func submitArray(ctx context.Context, o output, sys cluster.System, spec cluster.Spec, c *campaign.Campaign) error {
	l, err := lendRound(ctx, o, sys, spec, c)
	if err != nil || l.round == 0 {
		return err
	}
	if err := cluster.WriteLists(ctx, c.Root, c.Queue, l.round, l.shards); err != nil {
		return err
	}
	ids, err := sys.Find(ctx, cluster.Run, spec.RoundName(l.round))
	if err == nil && len(ids) == 0 {
		l.spec = spec // nothing runs yet: what is asked for now counts
	}
	var script string
	if err == nil {
		script, err = writeScript(c.Root, sys, l.spec, l.spec.ArrayJob(l.round, l.shards))
	}
	id := strings.Join(ids, ",")
	if err == nil && id == "" {
		id, err = sys.Submit(ctx, cluster.Run, script, "", 0)
	}
	if err != nil {
		return giveBack(ctx, sys, l, c, err)
	}
	collect, err := submitCollect(ctx, sys, l, c, id)
	if err != nil {
		o.say("the job that collects was not submitted: %v", err)
		o.say("  run `jwstbulk collect -d %s` when job %s has ended", shellQuote(spec.Dir), id)
	}
	// Recorded last: before that, submitting again makes up for what is missing.
	if err := c.Queue.SetRoundJob(ctx, l.round, id, encode(l.spec)); err != nil {
		return err
	}
	return told(o, submission{System: sys.Name(), Round: l.round, Shards: l.shards, Files: l.files, Job: id, Collect: collect, Script: script})
}

// giveBack takes the files of a round back that the batch system refused, if it is certain that it has no such job.
func giveBack(ctx context.Context, sys cluster.System, l loan, c *campaign.Campaign, refusal error) error {
	ids, err := sys.Find(ctx, cluster.Run, l.spec.RoundName(l.round))
	if err == nil && len(ids) == 0 {
		_, err = c.Queue.Unlend(context.WithoutCancel(ctx), l.round)
	}
	if err != nil || len(ids) > 0 {
		return fmt.Errorf("%w\n  the files stay lent to round %d, for it may have got through: submit again, or take them back with `jwstbulk collect --force`", refusal, l.round)
	}
	return fmt.Errorf("%w\n  nothing was submitted; the files are pending as before", refusal)
}

func submitCollect(ctx context.Context, sys cluster.System, l loan, c *campaign.Campaign, after string) (string, error) {
	ids, err := sys.Find(ctx, cluster.Run, l.spec.CollectName(l.round))
	if err != nil || len(ids) > 0 {
		return strings.Join(ids, ","), err
	}
	script, err := writeScript(c.Root, sys, l.spec, l.spec.CollectJob(l.round))
	if err != nil {
		return "", err
	}
	return sys.Submit(ctx, cluster.Run, script, after, 0)
}

// lendRound returns the round to submit: one that has no job yet, else a new one of all pending files.
func lendRound(ctx context.Context, o output, sys cluster.System, spec cluster.Spec, c *campaign.Campaign) (loan, error) {
	rounds, err := c.Queue.Rounds(ctx)
	if err != nil {
		return loan{}, err
	}
	for _, r := range rounds {
		switch {
		case r.Lent == 0:
		case r.Job == "":
			o.say("going on with the submission of round %d, %s in %d shards", r.ID, files(r.Lent), r.Shards)
			l := loan{round: r.ID, shards: r.Shards, files: r.Lent}
			return l, json.Unmarshal(r.Spec, &l.spec)
		default:
			if live, known := liveTasks(ctx, o, r); known && len(live) > 0 {
				o.say("nothing is submitted: %d tasks of round %d (job %s) wait or run, and have the whole budget", len(live), r.ID, r.Job)
				return loan{}, reported([]int{exitAgain})
			}
		}
	}
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return loan{}, err
	}
	last, err := cluster.LastRound(c.Root)
	if err != nil {
		return loan{}, err
	}
	l := loan{spec: spec, shards: spec.ShardsFor(toLend(counts), maxArray(ctx, o, sys, spec))}
	l.round, l.files, err = c.Queue.Lend(ctx, queue.Lending{Shards: l.shards, Spec: encode(spec), Assign: cluster.NewBalancer(l.shards).Assign, After: last})
	if errors.Is(err, queue.ErrNothingToLend) {
		return loan{}, nothingToLend(o, counts)
	}
	return l, err
}

// toLend is how many files can be lent at most; those whose time to be tried again has come are pending for that.
func toLend(counts queue.Counts) int64 {
	n := counts.State[queue.Pending].Files
	if !counts.Next.IsZero() && !counts.Next.After(time.Now()) {
		n += counts.State[queue.Waiting].Files + counts.State[queue.Parked].Files
	}
	return n
}

// nothingToLend says why no round is made; without an error, all is done.
func nothingToLend(o output, counts queue.Counts) error {
	if n := counts.State[queue.Lent].Files; n > 0 {
		o.say("nothing to submit: %s are lent to jobs already; `jwstbulk status` shows them, `jwstbulk collect` takes them back", files(n))
		return reported([]int{exitAgain})
	}
	o.say("nothing to submit: no file is pending; `jwstbulk status` shows where the campaign stands")
	return reported(slices.Compact(slices.Sorted(slices.Values(append(stateCodes(counts, false), exitOK)))))
}

// maxArray asks Slurm how large an array may be, and says so if that makes shards fewer.
func maxArray(ctx context.Context, o output, sys cluster.System, spec cluster.Spec) int {
	s, ok := sys.(cluster.Slurm)
	if !ok {
		return 0
	}
	limit := s.MaxArray(ctx, cluster.Run)
	if limit > 0 && spec.Shards > limit {
		o.say("this Slurm takes arrays of at most %d tasks (MaxArraySize): making fewer, larger shards", limit)
	}
	return limit
}
