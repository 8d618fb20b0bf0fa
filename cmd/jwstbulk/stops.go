package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
)

// wallMargin is how long before a batch job's end a run is over, or a quarter of the time it has if that is less: what is
// under way is kept then, and the manifest is written, which takes a while if it is large.
const wallMargin = 2 * time.Minute

// stopFlags say when a run is enough.
func stopFlags() []cli.Flag {
	const cat = "Stopping"
	return []cli.Flag{
		&cli.DurationFlag{Name: "max-duration", Category: cat, EnvVars: env("max-duration"), Usage: "start no file that would not be done within this `TIME`, and stop then (exit 10)"},
		&cli.StringFlag{Name: "until", Category: cat, EnvVars: env("until"), Usage: "the same, until a `TIME` of day such as 06:00, or 2026-01-31T06:00:00Z"},
		&cli.StringFlag{Name: "window", Category: cat, EnvVars: env("window"), Usage: "fetch only in these `HOURS`, e.g. 20:00-06:00 or \"Mon-Fri 20:00-06:00,Sat-Sun\", in another time zone after \"TZ=Europe/Berlin \"; wait for them, in a batch job exit 10; at their end exit 10"},
		&cli.StringFlag{Name: "max-transfer", Category: cat, EnvVars: env("max-transfer"), Usage: "start no file that would make it more than these `BYTES`, e.g. 500G (exit 8)"},
	}
}

// earlier returns the deadline that comes first; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// readStops sets the limits of a run: the earliest of all deadlines counts, also that of the batch job we are in, whose system
// is asked at most once; jobEnd is what it says. The end of --window is not among them: it is known when the fetching begins.
func readStops(c *cli.Context, cfg *fetcher.Config, now time.Time) (jobEnd time.Time, err error) {
	if c.IsSet("max-duration") {
		d := c.Duration("max-duration")
		if d <= 0 {
			return jobEnd, usagef("invalid --max-duration %v: want a time such as 90m or 8h", d)
		}
		cfg.Deadline = now.Add(d)
	}
	if v := c.String("until"); v != "" {
		t, ok := parseUntil(v, now)
		if !ok {
			return jobEnd, usagef("invalid --until %q: want a time of day such as 06:00, or one to come such as 2026-01-31T06:00:00Z", v)
		}
		cfg.Deadline = earlier(cfg.Deadline, t)
	}
	jobEnd, err = cluster.Deadline(c.Context, c.String("deadline"), now, os.Getenv, cluster.Run)
	if err != nil {
		return jobEnd, usagef("--deadline: %v", err)
	}
	if !jobEnd.IsZero() {
		cfg.Deadline = earlier(cfg.Deadline, jobEnd.Add(-min(wallMargin, max(jobEnd.Sub(now)/4, 0))))
	}
	if v := c.String("max-transfer"); v != "" {
		n, err := humanize.ParseBytes(strings.TrimSpace(v))
		if err != nil || n == 0 || n > 1<<60 {
			return jobEnd, usagef("invalid --max-transfer %q: want bytes, such as 500G", v)
		}
		cfg.MaxBytes = int64(n)
	}
	return jobEnd, nil
}

// parseUntil reads a time of day, which means the next time it is that late here, or a date with time and zone to come.
func parseUntil(text string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, t.After(now)
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return time.Time{}, false
	}
	y, m, d := now.Date()
	t := time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if !t.After(now) {
		t = time.Date(y, m, d+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	}
	return t, true
}

// fetchInTime fetches while the window is open, or until the deadline if that comes first. That it was told to stop is no
// error: what is left to do says the rest.
func (r runOptions) fetchInTime(ctx context.Context, o output, c *campaign.Campaign) (fetcher.Result, error) {
	open, closes, err := r.window.enter(ctx, !inBatchJob(), r.fetch.Deadline, o.say)
	if err != nil {
		return fetcher.Result{Drained: true}, nil
	}
	r.fetch.Deadline = earlier(r.fetch.Deadline, closes)
	if !open {
		r.fetch.Deadline = time.Now() // nothing is started
	}
	result, err := c.FetchAfter(ctx, r.fetch, r.before)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		result.Drained, err = true, nil
	}
	return result, err
}
