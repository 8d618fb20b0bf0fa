package main

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
	"jwstbulk/planner"
)

// fromManifestFlags make get fetch what a manifest records.
func fromManifestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "manifest", Category: "Query", EnvVars: env("manifest"), TakesFile: true, Usage: "instead of a query: the files of the manifest `FILE`, under the paths it gives them"},
		&cli.BoolFlag{Name: "frozen", Category: "Query", EnvVars: env("frozen"), Usage: "with --manifest: the same bytes, or exit code 11 and why not; wants an empty directory, or one begun so"},
	}
}

// fromManifest says which manifest to fetch from.
type fromManifest struct {
	file   string
	frozen bool
}

func readFromManifest(c *cli.Context) (fromManifest, error) {
	m := fromManifest{manifestFile(c.String("manifest")), c.Bool("frozen")}
	if m.file == "" {
		return m, usagef("--frozen needs --manifest")
	}
	for _, f := range queryFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			return m, usagef("--manifest names the files itself; it goes without --%s", name)
		}
	}
	return m, nil
}

// runFromManifest fetches what a manifest records. Frozen, the archive is asked first whether it still has the same bytes of
// everything, before anything is changed.
func runFromManifest(ctx context.Context, o output, r runOptions, m fromManifest) (err error) {
	h, err := readHeader(m.file)
	if err != nil {
		return err
	}
	if err := campaign.CheckManifest(m.file); err != nil {
		return err
	}
	if m.frozen {
		if err := campaign.CheckOrigin(r.plan.campaign.Dir, h.Root); err != nil {
			return err
		}
		if err := checkDrift(ctx, o, r, m.file); err != nil {
			return err
		}
	}
	c, err := campaign.Open(ctx, r.plan.campaign)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	valid, err := checkToken(ctx, o, c, !r.plan.campaign.Archive.Token.IsZero())
	if err != nil {
		return err
	}
	if err := planManifest(ctx, o, c, r, m, valid); err != nil {
		return err
	}
	codes, err := fetchAndRecord(ctx, o, c, r)
	if err != nil {
		return err
	}
	more, err := tellDifferences(context.WithoutCancel(ctx), o, c, m)
	if err != nil {
		return err
	}
	return reported(append(codes, more...))
}

func planManifest(ctx context.Context, o output, c *campaign.Campaign, r runOptions, m fromManifest, valid bool) error {
	show := newPlanProgress(o)
	defer show.close()
	s, err := c.PlanManifest(ctx, m.file, m.frozen, planner.Config{Logger: r.plan.campaign.Logger, HasToken: valid, Reporter: show})
	if err != nil || o.json {
		return err
	}
	show.close()
	return writeSummary(o.stdout, s)
}

// checkDrift fails with exit code 11 if the archive no longer has the recorded bytes of a file that is not here yet, nor where
// files are to be adopted from. What is not public counts unless a token is given.
func checkDrift(ctx context.Context, o output, r runOptions, file string) (err error) {
	entries := func() iter.Seq2[manifest.Entry, error] { return readEntries(file) }
	s, err := campaign.NewSurvey(ctx, r.plan.campaign.Archive, entries)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var changes []manifest.Change
	for ch, err := range campaign.Held(ctx, r.plan.campaign, s.Changes(ctx, entries())) {
		if err != nil {
			return err
		}
		if ch.Kind != manifest.KindAccess || r.plan.campaign.Archive.Token.IsZero() {
			changes = append(changes, ch)
		}
	}
	rest, err := campaign.OnHand(ctx, r.before.Adopt, changes, func(text string) { o.say("%s", text) })
	if err != nil {
		return err
	}
	if n := len(changes) - len(rest); n > 0 {
		o.say("the archive no longer serves %s as recorded; the directories of --adopt have something of their names and lengths", files(int64(n)))
	}
	report := newChanges(o)
	for _, ch := range rest {
		report.add(ch)
	}
	if report.count() == 0 {
		return nil
	}
	if err := report.write(); err != nil {
		return err
	}
	o.say("the archive no longer serves what the manifest records: %s; nothing was fetched or changed", files(report.count()))
	if _, err := os.Stat(filepath.Join(r.plan.campaign.Dir, campaign.StateDir)); err == nil {
		o.say("  `jwstbulk update` takes the new versions into this campaign")
	} else {
		o.say("  without --frozen the new versions are taken, and the difference is recorded")
	}
	return reported([]int{exitDrift})
}

// tellDifferences says how what was fetched differs from the manifest.
func tellDifferences(ctx context.Context, o output, c *campaign.Campaign, m fromManifest) ([]int, error) {
	report := newChanges(o)
	for ch, err := range c.Differences(ctx) {
		if err != nil {
			return nil, err
		}
		report.add(ch)
		if ch.Kind == manifest.KindReprocessed && !m.frozen {
			if err := c.RecordVersion(ctx, ch); err != nil {
				return nil, err
			}
		}
	}
	if report.count() == 0 {
		return nil, nil
	}
	if err := report.write(); err != nil {
		return nil, err
	}
	if m.frozen {
		return []int{exitDrift}, nil
	}
	o.say("%s differ from the manifest: the new manifest.jsonl has what is here now, .jwstbulk/origin.jsonl what was asked for", files(report.count()))
	return nil, nil
}
