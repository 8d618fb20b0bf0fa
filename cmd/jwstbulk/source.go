package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/internal/mast"
	"jwstbulk/planner"
)

// sourceFlags say where files come from. They are taken by every command that plans or fetches.
func sourceFlags() []cli.Flag {
	const cat = "Archive"
	return []cli.Flag{
		&cli.StringFlag{Name: "s3", Category: cat, EnvVars: env("s3"), Usage: "`URL` of the bucket with copies of the public files (default: stpubdata at Amazon; with another --archive none)"},
		&cli.StringFlag{Name: "source", Category: cat, Value: "auto", EnvVars: env("source"), Usage: "`auto|s3|mast`: public files from the bucket and the rest from the archive, or all from one"},
	}
}

// readSources settles where files come from. With an archive other than MAST's own no bucket is assumed: its files may not be
// those of the public one.
func readSources(c *cli.Context, cfg *campaign.Config) error {
	mode, address := c.String("source"), strings.TrimRight(c.String("s3"), "/")
	if address != "" {
		if _, err := mast.ParseBucket(address); err != nil {
			return usagef("invalid --s3: %v", err)
		}
	}
	ours := cfg.Archive.BaseURL == "" || cfg.Archive.BaseURL == mast.DefaultBaseURL
	switch mode {
	case "", "mast": // "": of a command that fetches nothing
		return nil
	case "auto", "s3":
	default:
		return usagef("invalid --source %q: want auto, s3 or mast", mode)
	}
	switch {
	case address != "":
		cfg.S3 = address
	case ours:
		cfg.S3 = mast.DefaultBucket
	case mode == "s3":
		return usagef("--source s3 with --archive %s needs a bucket too: give --s3", mast.RedactURL(cfg.Archive.BaseURL))
	}
	cfg.S3Only = mode == "s3"
	return nil
}

// sourcesText says in words where files come from.
func sourcesText(cfg campaign.Config) string {
	bucket := "the public copy at " + mast.RedactURL(cfg.S3)
	switch {
	case cfg.S3Only:
		return bucket + " alone; files without a copy fail"
	case cfg.S3 != "":
		return bucket + " for public files, the archive for the rest"
	case cfg.Archive.BaseURL == "" || cfg.Archive.BaseURL == mast.DefaultBaseURL:
		return "the archive alone"
	}
	return "the archive alone; of one that is not MAST's own no copy is known without --s3"
}

// limitsOf returns what a run will be held to by rates that are MAST's: a bucket adds its own, or takes MAST's place.
func limitsOf(cfg campaign.Config, l planner.Limits) planner.Limits {
	if cfg.S3 == "" {
		return l
	}
	mirror := fetcher.MirrorRate(l.Rate)
	if cfg.S3Only {
		l.Rate = 0
	}
	l.Rate += mirror
	return l
}

// sourceCounts says how much came from where, "" if that is only one.
func sourceCounts(m map[string]fetcher.SourceCount) string {
	if len(m) < 2 {
		return ""
	}
	var parts []string
	for _, name := range []string{"s3", "mast"} {
		c := m[name]
		if c == (fetcher.SourceCount{}) {
			continue // it was never asked
		}
		text := fmt.Sprintf("%s: %s, %s, %s requests", name, files(c.Files), size(c.Bytes), number(c.Requests))
		if c.Failures > 0 {
			text += fmt.Sprintf(" (%s failed)", number(c.Failures))
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
