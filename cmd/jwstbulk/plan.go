package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/filelist"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "add what a query or a list asks for to the queue",
		Description: "Asks the archive which files match, and records them in the queue of the campaign directory, with sizes and checksums.\n" +
			"Nothing is downloaded. A plan that was interrupted goes on where it was when it is given again.",
		Flags: slices.Concat(queryFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, EnvVars: env("dry-run"), Usage: "show what would be planned, change nothing"},
			adoptDirFlag(),
		}, sourceFlags(), rateFlags(), commonFlags(), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			p, err := readPlan(c, o)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				return runDryPlan(c.Context, o, p)
			}
			return runPlan(c.Context, o, p)
		},
	}
}

// planOptions says what to plan into which campaign.
type planOptions struct {
	campaign campaign.Config
	query    query.Query
	list     *filelist.List // if not nil, query narrows it
	layout   string         // as --layout takes it; "" is the campaign's
	target   string         // the directory whose space counts; "" means the campaign's
	limits   planner.Limits // of the run that would follow
	adopt    campaign.Adopt // what is on disk already
}

func readPlan(c *cli.Context, o output) (planOptions, error) {
	var p planOptions
	err := noArgs(c)
	if err == nil {
		p.limits, err = readLimits(c)
	}
	if err == nil {
		p.query, p.list, err = readQuery(c, os.Stdin)
	}
	if err == nil {
		p.layout, err = readLayout(c)
	}
	if err == nil {
		p.adopt, err = readAdopt(c)
	}
	if err == nil {
		p.campaign, err = readCampaign(c, o, true)
	}
	p.limits = limitsOf(p.campaign, p.limits)
	return p, err
}

// readLayout reads --layout; "" if it is not given: then the campaign's holds.
func readLayout(c *cli.Context) (string, error) {
	text := c.String("layout")
	if _, err := planner.ParseLayout(text); err != nil {
		return "", err
	}
	if named := strings.ToLower(text); named == "mast" || named == "flat" || named == "program" {
		return named, nil
	}
	return text, nil
}

// runPlan plans and prints the summary.
func runPlan(ctx context.Context, o output, p planOptions) error {
	c, err := campaign.Open(ctx, p.campaign)
	if err != nil {
		return err
	}
	s, err := planInto(ctx, o, c, p)
	if err == nil {
		err = printPlan(ctx, o, c, s, p)
	}
	err = leave(ctx, c, err)
	if err == nil && !s.Complete() {
		err = reported([]int{exitUnavailable})
	}
	return err
}

// leave closes a campaign; one that was made for a question that cannot be asked, or matches nothing, leaves no trace.
func leave(ctx context.Context, c *campaign.Campaign, err error) error {
	var (
		empty *planner.EmptyError
		usage *query.UsageError
	)
	if errors.As(err, &empty) || errors.As(err, &usage) {
		return errors.Join(err, c.Discard(context.WithoutCancel(ctx)))
	}
	if e := c.Close(); err == nil {
		err = e
	}
	return err
}

// runDryPlan plans into a throw-away queue.
func runDryPlan(ctx context.Context, o output, p planOptions) (err error) {
	dir, done, err := campaign.Scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	p.layout = cmp.Or(p.layout, campaign.LayoutOf(ctx, p.campaign))
	p.target, p.campaign.Dir, p.campaign.QueuePath = p.campaign.Dir, dir, ""
	return runPlan(ctx, o, p)
}

// planInto plans the query or list into an open campaign.
func planInto(ctx context.Context, o output, c *campaign.Campaign, p planOptions) (planner.Summary, error) {
	valid, err := checkToken(ctx, o, c, !p.campaign.Archive.Token.IsZero())
	if err != nil {
		return planner.Summary{}, err
	}
	layout, now, before, err := c.UseLayout(ctx, p.layout)
	if err != nil {
		return planner.Summary{}, err
	}
	if before != "" && now != before {
		o.say("the layout is %s from now on, it was %s; files that were planned before stay where they are", now, before)
	}
	show := newPlanProgress(o)
	defer show.close()
	pl, err := planner.New(planner.Config{Queue: c.Queue, Archive: c.Client, Logger: p.campaign.Logger, HasToken: valid, Reporter: show, Resolve: c.Client.Lookup, Layout: layout})
	if err != nil {
		return planner.Summary{}, err
	}
	if p.list != nil {
		return pl.PlanList(ctx, p.list, p.query)
	}
	return pl.Plan(ctx, p.query)
}

// printPlan prints what a plan found: for people a summary, else a line for the plan and one for each of its files, and what is to be expected.
func printPlan(ctx context.Context, o output, c *campaign.Campaign, s planner.Summary, p planOptions) error {
	forecast, err := forecastOf(ctx, c, p)
	if err != nil {
		return err
	}
	disk, err := onDisk(ctx, o, c.Queue.Reader, p.directory(c), p.adopt)
	if err != nil {
		return err
	}
	forecast.OnDisk = planner.OnDisk{Files: disk.Files, Bytes: disk.Bytes}
	if !o.json {
		if err := writeSummary(o.stdout, s); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.stdout, "sources   %s\n", sourcesText(p.campaign)); err != nil {
			return err
		}
		return writeForecast(o.stdout, forecast)
	}
	w := newLines(o.stdout)
	w.add("plan", s)
	w.add("forecast", forecast)
	w.add("sources", map[string]any{"s3": p.campaign.S3, "s3_only": p.campaign.S3Only})
	for f, err := range c.Queue.Files(ctx, queue.Filter{QueryID: s.QueryID}) {
		if err != nil {
			return err
		}
		w.add("file", jsonFile(f))
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
