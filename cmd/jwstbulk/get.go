package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

func getCommand() *cli.Command {
	return &cli.Command{
		Name:  "get",
		Usage: "plan, fetch, verify and record: the main job",
		Description: "Downloads everything that matches into the campaign directory, and writes manifest.jsonl and SHA256SUMS.\n" +
			"It can be stopped at any time, in any way; the same command goes on where it was. A second query adds to the campaign.\n" +
			"With --manifest it downloads what somebody else's manifest records, without a query.",
		Flags:        slices.Concat(queryFlags(), fromManifestFlags(), adoptFlags(), fetchFlags(), stopFlags(), commonFlags(), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			r, err := readRun(c, o, true)
			if err != nil {
				return err
			}
			if c.IsSet("manifest") || c.IsSet("frozen") {
				m, err := readFromManifest(c)
				if err != nil {
					return err
				}
				return runFromManifest(c.Context, o, r, m)
			}
			if r.plan.query, r.plan.list, err = readQuery(c, c.App.Reader); err != nil {
				return err
			}
			if r.plan.layout, err = readLayout(c); err != nil {
				return err
			}
			r.plan.limits = limitsOf(r.plan.campaign, planner.Limits{Rate: max(r.fetch.Rate, 0), ByteRate: r.fetch.ByteRate})
			r.plan.adopt = r.before.Adopt
			r.get, r.publicOnly = true, r.plan.query.Rights == "public"
			return runRun(c.Context, o, r)
		},
	}
}

func runCommand() *cli.Command {
	return &cli.Command{
		Name:         "run",
		Usage:        "fetch what is in the queue",
		Description:  "Goes on with everything that was planned, and writes manifest.jsonl and SHA256SUMS.",
		Flags:        slices.Concat(adoptFlags(), fetchFlags(), batchFlags(), stopFlags(), commonFlags(), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			r, err := readRun(c, o, false)
			if err != nil {
				return err
			}
			if c.Bool("shard") {
				return runShard(c.Context, o, c, r)
			}
			err = runRun(c.Context, o, r)
			return nextLink(c.Context, o, c, r.jobEnd, err)
		},
	}
}

// runOptions says what to fetch and how; with get, plan is planned first.
type runOptions struct {
	get            bool
	plan           planOptions
	fetch          fetcher.Config
	before         campaign.Before // the first file is fetched
	errorOnNothing bool
	publicOnly     bool
	strict         bool      // mixed versions of the pipeline or its reference files are an error
	window         window    // when to fetch
	jobEnd         time.Time // of the batch job that we are in; zero: none, or nobody knows
	command        string
}

func readRun(c *cli.Context, o output, create bool) (runOptions, error) {
	r := runOptions{before: campaign.Before{Space: !c.Bool("ignore-space")}, errorOnNothing: c.Bool("error-on-nothing"),
		publicOnly: c.String("rights") == "public", strict: c.Bool("strict"), command: c.Command.Name}
	err := noArgs(c)
	if err == nil {
		r.fetch, err = readFetch(c)
	}
	if err == nil && (c.Command.Name == "get" || c.Command.Name == "run") {
		r.before.Adopt, err = readAdopt(c)
	}
	if err == nil {
		r.jobEnd, err = readStops(c, &r.fetch, time.Now())
	}
	if err == nil && c.IsSet("window") {
		r.window, err = parseWindow(c.String("window"), time.Local)
	}
	if err == nil {
		r.plan.campaign, err = readCampaign(c, o, create)
	}
	return r, err
}

// runRun opens the campaign, plans if asked to, fetches, writes the manifest and tells how it went.
func runRun(ctx context.Context, o output, r runOptions) (err error) {
	c, err := campaign.Open(ctx, r.plan.campaign)
	if err != nil {
		return err
	}
	defer func() { err = leave(ctx, c, err) }()
	var codes []int
	if r.get {
		s, err := planInto(ctx, o, c, r.plan)
		if err != nil {
			return err
		}
		if !o.json {
			if err := printPlan(ctx, o, c, s, r.plan); err != nil {
				return err
			}
		}
	} else if _, err := checkToken(ctx, o, c, !r.plan.campaign.Archive.Token.IsZero()); err != nil {
		return err
	}
	codes, err = fetchAndRecord(ctx, o, c, r)
	if err != nil {
		return err
	}
	return reported(codes)
}

// fetchAndRecord makes one run: whatever ends it, the manifest is written and the end is told.
func fetchAndRecord(ctx context.Context, o output, c *campaign.Campaign, r runOptions) ([]int, error) {
	runID, err := c.Queue.StartRun(ctx, queue.RunInfo{Command: "jwstbulk " + r.command, Version: version})
	if err != nil {
		return nil, err
	}
	before, err := c.Queue.Counts(ctx)
	if err != nil {
		return nil, err
	}
	show := newFetchProgress(o, before, r.fetch.Jobs)
	r.fetch.RunID, r.fetch.Reporter, r.fetch.Logger = runID, show, r.plan.campaign.Logger
	result, runErr := r.fetchInTime(ctx, o, c)
	show.close()

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	h, manifestErr := c.WriteManifest(end)
	rep, err := reportRun(end, c, runID, result, runErr, h, r)
	if err = errors.Join(err, manifestErr); err != nil {
		return nil, err
	}
	if err := c.Queue.FinishRun(end, runID, worst(rep.Codes), encode(rep)); err != nil {
		return nil, err
	}
	if runErr != nil {
		printError(o.stderr, runErr)
	}
	if err := rep.write(o); err != nil {
		return nil, err
	}
	warnMixed(o, rep.Mixed, r.strict)
	return rep.Codes, nil
}

// runReport is what a run says at its end, for people and, with --json, for programs.
type runReport struct {
	Version  int                            `json:"version"` // 1
	Run      int64                          `json:"run"`
	Exit     int                            `json:"exit"`
	Codes    []int                          `json:"exit_codes"` // all that apply
	Files    int64                          `json:"files"`      // fetched in this run
	Bytes    int64                          `json:"bytes"`      // received in this run
	Requests int64                          `json:"requests"`
	Adopted  fetcher.Adoption               `json:"adopted"` // what was on disk already
	Changed  int64                          `json:"changed"` // lost files that came back in another version than was recorded
	Sources  map[string]fetcher.SourceCount `json:"sources"` // by name: what came from where
	Seconds  float64                        `json:"seconds"`
	Drained  bool                           `json:"drained"`
	Limit    string                         `json:"limit,omitempty"` // transfer or time: the limit that ended the run
	Total    queue.Count                    `json:"total"`
	Done     queue.Count                    `json:"done"`
	Counts   queue.Counts                   `json:"counts"`
	Manifest string                         `json:"manifest"`
	Root     string                         `json:"root"`
	Mixed    []manifest.Mix                 `json:"mixed,omitempty"` // programmes and instruments that mix versions
	Error    string                         `json:"error,omitempty"`
	dir      string
}

func reportRun(ctx context.Context, c *campaign.Campaign, id int64, res fetcher.Result, runErr error, h manifest.Header, r runOptions) (runReport, error) {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return runReport{}, err
	}
	codes := append([]int{}, append(errorCodes(runErr), stateCodes(counts, r.publicOnly)...)...)
	codes = append(codes, limitCodes(res.Limit)...)
	incomplete, err := unplanned(ctx, c.Queue.Reader)
	if err != nil {
		return runReport{}, err
	}
	if incomplete > 0 {
		codes = append(codes, exitUnavailable)
	}
	if r.errorOnNothing && res.Requests == 0 && res.Adopted.Files == 0 && len(codes) == 0 {
		codes = append(codes, exitNothing)
	}
	frozen, err := c.Frozen(ctx)
	if err != nil {
		return runReport{}, err
	}
	if i := slices.Index(codes, exitVerify); i >= 0 && frozen != "" {
		codes[i] = exitDrift // the bytes are right, but not those that the manifest demands
	}
	var mixed []manifest.Mix
	if h.Root != "" { // it was written
		if mixed, err = manifest.Mixed(c.Recorded()); err != nil {
			return runReport{}, err
		}
	}
	if r.strict && len(mixed) > 0 {
		codes = append(codes, exitDrift)
	}
	slices.Sort(codes)
	rep := runReport{Version: 1, Run: id, Codes: slices.Compact(codes), Files: res.Files, Bytes: res.Bytes, Requests: res.Requests, Adopted: res.Adopted, Changed: res.Changed,
		Sources: res.Sources, Seconds: res.Elapsed.Seconds(), Drained: res.Drained, Limit: string(res.Limit), Total: counts.Total(), Done: counts.State[queue.Done], Counts: counts,
		Manifest: manifest.Name, Root: h.Root, Mixed: mixed, dir: c.Dir}
	rep.Exit = worst(rep.Codes)
	if runErr != nil {
		rep.Error = runErr.Error()
	}
	return rep, nil
}

// unplanned counts requests of plans that stayed without an answer, and plans that were not finished.
func unplanned(ctx context.Context, r *queue.Reader) (int, error) {
	queries, err := r.Queries(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, q := range queries {
		failed, err := r.Chunks(ctx, q.ID, queue.ChunkFailed)
		if err != nil {
			return 0, err
		}
		n += len(failed)
		if q.FinishedAt.IsZero() {
			n++
		}
	}
	return n, nil
}

// write prints the report.
func (r runReport) write(o output) error {
	if o.json {
		w := newLines(o.stdout)
		w.add("run", r)
		return w.flush()
	}
	var b strings.Builder
	writeAdopted(&b, r.Adopted)
	if r.Requests > 0 {
		fmt.Fprintf(&b, "fetched   %s, %s in %s (%s/s)\n", files(r.Files), size(r.Bytes), duration(r.Seconds), size(int64(float64(r.Bytes)/max(r.Seconds, 0.001))))
	}
	if r.Changed > 0 {
		fmt.Fprintf(&b, "CHANGED   %s that were lost came back in another version than was recorded; `jwstbulk why FILE` shows both\n", files(r.Changed))
	}
	if text := sourceCounts(r.Sources); text != "" && r.Requests > 0 {
		fmt.Fprintf(&b, "from      %s\n", text)
	}
	fmt.Fprintf(&b, "complete  %s of %s files, %s\n", number(r.Done.Files), number(r.Total.Files), size(r.Done.Bytes))
	writeLeft(&b, r.Counts)
	fmt.Fprintf(&b, "data      %s\n", r.dir)
	fmt.Fprintf(&b, "manifest  %s/%s, SHA256SUMS\n", r.dir, r.Manifest)
	fmt.Fprintf(&b, "root      %s\n", r.Root)
	if r.Done.Files < r.Total.Files {
		fmt.Fprintf(&b, "\n%s\n", nextStep(r))
	}
	_, err := fmt.Fprint(o.stdout, b.String())
	return err
}

// nextStep says what to do about files that are missing.
func nextStep(r runReport) string {
	failed := r.Counts.State[queue.Failed].Files
	dir := ""
	if r.dir != "" {
		dir = " -d " + shellQuote(r.dir)
	}
	switch {
	case failed > 0:
		return fmt.Sprintf("`jwstbulk errors%s` says why files failed; `jwstbulk retry%s` and `run` try them again", dir, dir)
	case r.Counts.State[queue.Parked].Files > 0 && r.Counts.State[queue.Pending].Files == 0:
		return fmt.Sprintf("`jwstbulk errors%s` says what the parked files wait for", dir)
	}
	return fmt.Sprintf("`jwstbulk run%s` goes on", dir)
}

var _ planner.Reporter = (*planProgress)(nil)
