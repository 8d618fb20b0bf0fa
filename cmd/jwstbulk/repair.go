package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
)

// runRepair fetches again what did not verify. The campaign is open already, so that nobody changed it since it was looked at.
func runRepair(ctx context.Context, o output, c *campaign.Campaign, r runOptions, wrong []manifest.Result) ([]int, error) {
	rep, err := c.Requeue(ctx, r.plan.campaign.Archive, wrong)
	if err != nil {
		return nil, err
	}
	for _, e := range rep.Unknown {
		o.say("%s is wrong, but this campaign's queue does not know it; `jwstbulk get --manifest` fetches from a manifest alone", e.Path)
	}
	codes, err := refetch(ctx, o, c, r, rep)
	if err != nil {
		return nil, err
	}
	if len(rep.Unknown) > 0 || slices.ContainsFunc(wrong, func(w manifest.Result) bool { return w.State == manifest.StateUnreadable }) {
		codes = append(codes, exitVerify)
	}
	return codes, nil
}

func refetch(ctx context.Context, o output, c *campaign.Campaign, r runOptions, rep campaign.Repair) ([]int, error) {
	var codes []int
	if len(rep.Requeued) > 0 {
		o.say("fetching %s again; what stands in their place is moved to .jwstbulk/replaced", files(int64(len(rep.Requeued))))
		var err error
		if codes, err = fetchAndRecord(ctx, o, c, r); err != nil {
			return nil, err
		}
	}
	same, other, err := c.Returned(context.WithoutCancel(ctx), rep.Requeued)
	if err != nil {
		return nil, err
	}
	drift := newChanges(o)
	for _, ch := range slices.Concat(rep.Drifted, other) {
		drift.add(ch)
	}
	if drift.count() > 0 {
		codes = append(codes, exitDrift)
		o.say("the archive no longer has the recorded bytes of %s; `jwstbulk update` takes the new ones", files(drift.count()))
		if err := drift.write(); err != nil {
			return nil, err
		}
	}
	if o.json {
		w := newLines(o.stdout)
		w.add("repair", repairLine{1, same, drift.count(), int64(len(rep.Unknown))})
		return codes, w.flush()
	}
	_, err = fmt.Fprintf(o.stdout, "repaired  %s as recorded\n", files(same))
	return codes, err
}

// repairLine is the result of verify --repair in --json output, in files.
type repairLine struct {
	Version  int   `json:"version"` // 1
	Repaired int64 `json:"repaired"`
	Drifted  int64 `json:"drifted"`
	Unknown  int64 `json:"unknown"`
}

// verifyAndRepair holds the campaign's lock while it verifies and repairs.
func verifyAndRepair(ctx context.Context, o output, r runOptions, cfg manifest.VerifyConfig) (err error) {
	c, err := campaign.Open(ctx, r.plan.campaign)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	wrong, err := verifyTree(ctx, o, c.Dir, cfg)
	if err != nil {
		return err
	}
	if len(wrong) == 0 {
		return nil
	}
	codes, err := runRepair(ctx, o, c, r, wrong)
	if err != nil {
		return err
	}
	return reported(codes)
}
