package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
)

// wallMargin is how long before a batch job's end a run is over: the manifest is written then, and large ones take a while.
const wallMargin = 2 * time.Minute

// stopFlags say when a run is enough.
func stopFlags() []cli.Flag {
	const cat = "Stopping"
	return []cli.Flag{
		&cli.DurationFlag{Name: "max-duration", Category: cat, EnvVars: env("max-duration"), Usage: "start no file that would not be done within this `TIME`, and stop then (exit 10)"},
		&cli.StringFlag{Name: "until", Category: cat, EnvVars: env("until"), Usage: "the same, until a `TIME` of day such as 06:00, or 2026-01-31T06:00:00Z"},
		&cli.StringFlag{Name: "max-transfer", Category: cat, EnvVars: env("max-transfer"), Usage: "start no file that would make it more than these `BYTES`, e.g. 500G (exit 8)"},
	}
}

// readStops sets the limits of a run: the earliest of all deadlines counts, also that of the batch job we are in.
func readStops(c *cli.Context, cfg *fetcher.Config, now time.Time) error {
	earlier := func(t time.Time) {
		if cfg.Deadline.IsZero() || t.Before(cfg.Deadline) {
			cfg.Deadline = t
		}
	}
	if c.IsSet("max-duration") {
		d := c.Duration("max-duration")
		if d <= 0 {
			return usagef("invalid --max-duration %v: want a time such as 90m or 8h", d)
		}
		earlier(now.Add(d))
	}
	if v := c.String("until"); v != "" {
		t, ok := parseUntil(v, now)
		if !ok {
			return usagef("invalid --until %q: want a time of day such as 06:00, or one to come such as 2026-01-31T06:00:00Z", v)
		}
		earlier(t)
	}
	if s, err := strconv.ParseInt(os.Getenv("SLURM_JOB_END_TIME"), 10, 64); err == nil && s > 0 {
		earlier(time.Unix(s, 0).Add(-wallMargin))
	}
	if v := c.String("max-transfer"); v != "" {
		n, err := humanize.ParseBytes(strings.TrimSpace(v))
		if err != nil || n == 0 || n > 1<<60 {
			return usagef("invalid --max-transfer %q: want bytes, such as 500G", v)
		}
		cfg.MaxBytes = int64(n)
	}
	return nil
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
