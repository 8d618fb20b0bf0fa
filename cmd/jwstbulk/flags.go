package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// env is the environment twin of a flag: --limit-rate is JWSTBULK_LIMIT_RATE.
func env(flag string) []string {
	return []string{"JWSTBULK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// commonFlags are taken by every command that has a campaign.
func commonFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "dir", Aliases: []string{"d"}, Value: ".", EnvVars: env("dir"), Usage: "the campaign's `DIR`ectory: data, manifest, and state in .jwstbulk"},
		&cli.StringFlag{Name: "queue", EnvVars: env("queue"), TakesFile: true, Usage: "keep the queue database in `FILE` (a local disk, where DIR is on a network file system)"},
	}, outputFlags()...)
}

// outputFlags are taken by every command: how it tells what it does.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", EnvVars: env("json"), Usage: "results as JSON, one object a line"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, EnvVars: env("quiet"), Usage: "no progress, warnings only"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, EnvVars: env("verbose"), Usage: "log every request to stderr"},
		&cli.StringFlag{Name: "log-format", Value: "text", EnvVars: env("log-format"), Usage: "`text|json`, of -v"},
		&cli.BoolFlag{Name: "no-color", EnvVars: env("no-color"), Usage: "no colours and no moving bars (also $NO_COLOR)"},
	}
}

// archiveFlags are taken by every command that talks to the archive.
func archiveFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "archive", Category: "Archive", Value: "https://mast.stsci.edu", EnvVars: env("archive"), Usage: "the archive's `URL`"},
	}, tokenFlags()...)
}

// without leaves out the flags of some names.
func without(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return slices.Contains(names, f.Names()[0]) })
}

// defaultRate is how many file requests a second a run makes unless --rate says otherwise.
const defaultRate = 10

// fetchFlags say how to fetch.
func fetchFlags() []cli.Flag {
	const cat = "Fetching"
	return append(slices.Concat(sourceFlags(), rateFlags()), []cli.Flag{
		&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Category: cat, Value: fetcher.DefaultJobs, EnvVars: env("jobs"), Usage: "transfers at a time from MAST, `N`; twice as many from the bucket"},
		&cli.StringFlag{Name: "order-by", Category: cat, Value: "plan", EnvVars: env("order-by"), Usage: "`plan|size|size,desc|mixed`"},
		&cli.DurationFlag{Name: "linger", Category: cat, Value: 5 * time.Minute, EnvVars: env("linger"), Usage: "wait that long for files that are to be tried again; 0 in a batch job"},
		&cli.DurationFlag{Name: "max-outage", Category: cat, Value: 12 * time.Hour, EnvVars: env("max-outage"), Usage: "wait that long for an archive or a disk that is out"},
		&cli.DurationFlag{Name: "stall", Category: cat, Value: time.Minute, EnvVars: env("stall"), Usage: "cut a transfer from which nothing came for that long"},
		&cli.IntFlag{Name: "retries", Category: cat, Value: 5, EnvVars: env("retries"), Usage: "attempts without progress before a file fails, `N`"},
		&cli.StringFlag{Name: "archive-checksum", Category: cat, Value: "auto", EnvVars: env("archive-checksum"), Usage: "`auto|require`: whether a checksum counts even before one was seen to match"},
		&cli.BoolFlag{Name: "accept-server-size", Category: cat, EnvVars: env("accept-server-size"), Usage: "take the server's word where its length differs from the catalogue's"},
		&cli.BoolFlag{Name: "ignore-space", Category: cat, EnvVars: env("ignore-space"), Usage: "start although the free space or inodes do not suffice"},
		&cli.BoolFlag{Name: "strict", Category: cat, EnvVars: env("strict"), Usage: "exit 11 if files of one programme and instrument mix versions of the pipeline or its reference files"},
		&cli.BoolFlag{Name: "error-on-nothing", Category: cat, EnvVars: env("error-on-nothing"), Usage: "exit 9 if there was nothing to do"},
	}...)
}

// values returns the values of a repeatable flag, which may be given as one comma list too.
func values(c *cli.Context, name string) []string {
	var out []string
	for _, v := range c.StringSlice(name) {
		out = append(out, strings.Split(v, ",")...)
	}
	return out
}

// readFetch turns the fetch flags into a fetcher.Config.
func readFetch(c *cli.Context) (fetcher.Config, error) {
	cfg := fetcher.Config{
		Jobs: c.Int("jobs"), Linger: c.Duration("linger"), MaxOutage: c.Duration("max-outage"), Stall: c.Duration("stall"),
		Tries: c.Int("retries"), AcceptSize: c.Bool("accept-server-size"), Order: queue.Order(c.String("order-by")),
	}
	if cfg.Jobs == 0 && c.Command.Name == "verify" { // there it counts readers first
		cfg.Jobs = fetcher.DefaultJobs
	}
	if cfg.Jobs < 1 || cfg.Jobs > 256 {
		return cfg, usagef("invalid -j %d: want 1 to 256 transfers", cfg.Jobs)
	}
	if cfg.Tries < 1 {
		return cfg, usagef("invalid --retries %d: want 1 or more", cfg.Tries)
	}
	for _, name := range []string{"max-outage", "stall"} {
		if c.Duration(name) <= 0 {
			return cfg, usagef("invalid --%s %v: want a time such as 90s or 2h", name, c.Duration(name))
		}
	}
	switch cfg.Order {
	case queue.OrderPlan, queue.OrderSize, queue.OrderSizeDesc, queue.OrderMixed:
	default:
		return cfg, usagef("invalid --order-by %q: want plan, size, size,desc or mixed", cfg.Order)
	}
	switch v := c.String("archive-checksum"); v {
	case "auto":
	case "require":
		cfg.RequireSums = true
	default:
		return cfg, usagef("invalid --archive-checksum %q: want auto or require", v)
	}
	limits, err := readLimits(c)
	if err != nil {
		return cfg, err
	}
	if cfg.Rate, cfg.ByteRate = limits.Rate, limits.ByteRate; cfg.Rate == 0 {
		cfg.Rate = -1
	}
	if cfg.Linger == 0 || inBatchJob() && !c.IsSet("linger") {
		cfg.Linger = -1
	}
	if cfg.Linger < -1 {
		return cfg, usagef("invalid --linger %v: want a time such as 5m, or 0", c.Duration("linger"))
	}
	return cfg, nil
}

// rateFlags limit a run; a plan tells how long they make it.
func rateFlags() []cli.Flag {
	const cat = "Fetching"
	return []cli.Flag{
		&cli.StringFlag{Name: "rate", Category: cat, Value: strconv.Itoa(defaultRate), EnvVars: env("rate"), Usage: "file requests a second to MAST, `N` or N/s, ten times as many to the bucket; 0: no limit"},
		&cli.StringFlag{Name: "limit-rate", Category: cat, EnvVars: env("limit-rate"), Usage: "`BYTES` a second over all transfers, e.g. 20M"},
	}
}

// readLimits reads the rate flags.
func readLimits(c *cli.Context) (planner.Limits, error) {
	rate, err := strconv.ParseFloat(strings.TrimSuffix(c.String("rate"), "/s"), 64)
	if err != nil || rate != 0 && !(rate >= 0.001 && rate <= 1e6) { // also not NaN
		return planner.Limits{}, usagef("invalid --rate %q: want requests a second, such as 10 or 0.5/s; 0: no limit", c.String("rate"))
	}
	l := planner.Limits{Rate: rate}
	if v := c.String("limit-rate"); v != "" {
		n, err := humanize.ParseBytes(strings.TrimSuffix(v, "/s"))
		if err != nil || n < 1024 || n > 1<<50 {
			return l, usagef("invalid --limit-rate %q: want bytes a second, such as 20M or 500k, 1024 at least", v)
		}
		l.ByteRate = int64(n)
	}
	return l, nil
}
