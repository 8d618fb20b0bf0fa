package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func updateCommand() *cli.Command {
	return &cli.Command{
		Name:  "update",
		Usage: "bring a campaign up to date: fetch what the archive reprocessed or added since",
		Description: "Asks the archive's metadata about every file, in bulk, and the campaign's queries once more. Each old version stays in place until\n" +
			"the new one is proven; then it is removed, or goes to --keep-old. What the archive withdrew is kept and named.\n" +
			"`jwstbulk manifest diff DIR` shows beforehand what would change.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "keep-old", EnvVars: env("keep-old"), Usage: "move replaced versions to `DIR`, under their paths, instead of removing them"},
			&cli.StringFlag{Name: "subscription", EnvVars: env("subscription"), TakesFile: true, Usage: "only what MAST announced: `FILE` is the JSON of its subscription notices, - for stdin"},
		}, fetchFlags(), commonFlags(), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			r, err := readRun(c, o, false)
			if err != nil {
				return err
			}
			u, err := readUpdate(c)
			if err != nil {
				return err
			}
			return runUpdate(c.Context, o, r, u)
		},
	}
}

// updateOptions say what to update.
type updateOptions struct {
	keepOld   string
	announced *campaign.Announced // nil: everything
}

func readUpdate(c *cli.Context) (u updateOptions, err error) {
	if dir := c.String("keep-old"); dir != "" {
		if u.keepOld, err = filepath.Abs(dir); err != nil {
			return u, err
		}
	}
	name := c.String("subscription")
	if name == "" {
		return u, nil
	}
	in := c.App.Reader
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return u, usagef("reading the subscription notices: %v", err)
		}
		defer f.Close() // only read from
		in = f
	}
	a, err := campaign.ParseAnnounced(in)
	if err != nil {
		return u, usagef("%s: %v", name, err)
	}
	u.announced = &a
	return u, nil
}

// check refuses to keep old versions where the campaign's own files are.
func (u updateOptions) check(dir string) error {
	if u.keepOld == "" {
		return nil
	}
	inside, err := campaign.Inside(u.keepOld, dir)
	if err == nil && inside {
		err = usagef("--keep-old %q lies in the campaign's directory; give one outside of it", u.keepOld)
	}
	return err
}

func runUpdate(ctx context.Context, o output, r runOptions, u updateOptions) (err error) {
	if err := u.check(r.plan.campaign.Dir); err != nil {
		return err
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
	nothing, err := beginUpdate(ctx, o, c, r, u, valid)
	if err != nil {
		return err
	}
	if nothing {
		return nothingNew(ctx, o, c, r, u)
	}
	codes, err := fetchAndRecord(ctx, o, c, r)
	if err != nil {
		return err
	}
	if err := finishUpdate(context.WithoutCancel(ctx), o, c, u); err != nil {
		return err
	}
	return reported(codes)
}

// beginUpdate finds out what is new and puts it into the queue; nothing says that there is nothing to fetch.
func beginUpdate(ctx context.Context, o output, c *campaign.Campaign, r runOptions, u updateOptions, valid bool) (nothing bool, err error) {
	cfg := campaign.UpdateConfig{Archive: r.plan.campaign.Archive, KeepOld: u.keepOld}
	if u.announced != nil {
		cfg.Only = u.announced.Accepts
	}
	p, err := c.BeginUpdate(ctx, cfg)
	if err != nil {
		return false, err
	}
	report := newChanges(o)
	for _, ch := range p.Changes {
		report.add(ch)
	}
	if report.count() > 0 {
		if err := report.write(); err != nil {
			return false, err
		}
	}
	if p.Companions > 0 {
		o.say("%s without metadata belong to reprocessed observations and are fetched again too", files(p.Companions))
	}
	if report.count(manifest.KindWithdrawn) > 0 {
		o.say("the archive withdrew %s; yours are kept", files(report.count(manifest.KindWithdrawn)))
	}
	if u.announced == nil || u.announced.New {
		show := newPlanProgress(o)
		fresh, err := c.AskAgain(ctx, planner.Config{Logger: r.plan.campaign.Logger, HasToken: valid, Reporter: show})
		show.close()
		if err != nil {
			return false, err
		}
		if fresh > 0 && !o.json {
			fmt.Fprintf(o.stdout, "added: %s that the campaign's queries match now\n", files(fresh))
		}
	}
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return false, err
	}
	return !hasWork(counts) && report.count(manifest.KindReprocessed) == 0, nil
}

// hasWork reports whether a run would find something to do: files to fetch, that fell due meanwhile, or that an earlier
// process left half placed.
func hasWork(c queue.Counts) bool {
	for _, s := range []queue.State{queue.Pending, queue.Running, queue.Placing, queue.Waiting} {
		if c.State[s].Files > 0 {
			return true
		}
	}
	return !c.Next.IsZero() && !c.Next.After(time.Now())
}

// nothingNew ends an update that has nothing to fetch. An earlier one may have been killed with the last file in place and
// its manifest unwritten or the old versions still there: it does both again. The exit code says how the campaign stands.
func nothingNew(ctx context.Context, o output, c *campaign.Campaign, r runOptions, u updateOptions) error {
	if _, err := c.WriteManifest(ctx); err != nil {
		return err
	}
	if err := finishUpdate(ctx, o, c, u); err != nil {
		return err
	}
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return err
	}
	if !o.quiet && !o.json {
		fmt.Fprintln(o.stdout, "nothing is new")
	}
	codes := stateCodes(counts, r.publicOnly)
	mixed, err := manifest.Mixed(c.Recorded())
	if err != nil {
		return err
	}
	if r.strict && len(mixed) > 0 {
		warnMixed(o, mixed, true)
		codes = append(codes, exitDrift)
	}
	if r.errorOnNothing {
		codes = append(codes, exitNothing)
	}
	return reported(codes)
}

func finishUpdate(ctx context.Context, o output, c *campaign.Campaign, u updateOptions) error {
	d, err := c.FinishUpdate(ctx, u.keepOld)
	if err != nil {
		return err
	}
	if o.json {
		w := newLines(o.stdout)
		w.add("update", updateLine{1, d.Removed + d.Kept, d})
		return w.flush()
	}
	for _, n := range []struct {
		files      int64
		head, what string
	}{
		{d.Removed, "replaced  ", "; the old versions were removed"},
		{d.Kept, "replaced  ", "; the old versions were moved to " + u.keepOld},
		{d.Waiting, "          ", " still have the old version; `jwstbulk update` goes on"},
		{d.Unkept, "          ", ": the old versions are to be kept and lie in .jwstbulk/replaced; `jwstbulk update --keep-old DIR` moves them"},
		{d.Changed, "          ", " had been changed here; what stood in their place is in .jwstbulk/replaced"},
	} {
		if n.files > 0 {
			fmt.Fprintln(o.stdout, n.head+files(n.files)+n.what)
		}
	}
	return nil
}

// updateLine is the result of update in --json output, in files.
type updateLine struct {
	Version  int   `json:"version"`  // 1
	Replaced int64 `json:"replaced"` // removed or kept
	campaign.Disposal
}
