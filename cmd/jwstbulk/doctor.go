package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "can files be fetched from here?",
		Description: "Looks whether the archive is within reach, whether the token is valid, and whether the clock, the file system, its locks, the\n" +
			"binary and the batch system are fit. Run it where the jobs will run: with --cluster it also says what matters on a node.\n\n" +
			"   srun --partition dtn jwstbulk doctor --cluster -d /scratch/me/jwst-1345\n\n" +
			"It ends with 5 within 20 s if the archive cannot be reached, and changes nothing.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "cluster", EnvVars: env("cluster"), Usage: "also what matters on a node of a cluster: file system, local disk, binary, batch system"},
		}, slices.Concat(sourceFlags(), commonFlags(), archiveFlags())...),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			o := readOutput(c)
			if err := noArgs(c); err != nil {
				return err
			}
			cfg, err := readCampaign(c, o, false)
			if err != nil {
				return err
			}
			return runDoctor(c.Context, o, cfg, c.Bool("cluster"))
		},
	}
}

// reachTime is how long the archive and the bucket have for an answer.
const reachTime = 15 * time.Second

func runDoctor(ctx context.Context, o output, cfg campaign.Config, onCluster bool) error {
	fi, err := os.Stat(cfg.Dir)
	if err != nil || !fi.IsDir() {
		return usagef("there is no directory %s; give one with -d", cfg.Dir)
	}
	var codes []int
	within, cancel := context.WithTimeout(ctx, reachTime) // of both: who waits for this has a job to place
	defer cancel()
	checks := append(checkReach(within, cfg), checkBucket(within, cfg)...)
	if slices.ContainsFunc(checks, func(c cluster.Check) bool { return c.Result == cluster.Bad }) {
		codes = append(codes, exitUnavailable)
	} else if c := checkIdentity(ctx, cfg); c.Name != "" {
		checks = append(checks, c)
		if c.Result == cluster.Bad {
			codes = append(codes, exitAuth)
		}
	}
	if onCluster {
		place := append(cluster.CheckPlace(cfg.Dir), cluster.CheckLock(ctx, cfg.Dir, holdCampaign, secondProcess))
		if slices.ContainsFunc(place, func(c cluster.Check) bool { return c.Result == cluster.Bad }) {
			codes = append(codes, exitStorage)
		}
		checks = append(checks, place...)
	}
	if err := writeChecks(o, checks); err != nil {
		return err
	}
	return reported(codes)
}

func writeChecks(o output, checks []cluster.Check) error {
	if o.json {
		w := newLines(o.stdout)
		for _, c := range checks {
			w.add("check", c)
		}
		return w.flush()
	}
	for _, c := range checks {
		if _, err := fmt.Fprintf(o.stdout, "%-5s %-13s %s\n", c.Result, c.Name, clean(c.Text)); err != nil {
			return err
		}
	}
	return nil
}

// reach asks a server for anything: every answer shows that there is a way, and its headers tell the time.
func reach(ctx context.Context, name, address, agent string) (cluster.Check, http.Header) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return cluster.Check{Name: name, Result: cluster.Bad, Text: err.Error()}, nil
	}
	req.Header.Set("User-Agent", agent)
	way := "directly"
	if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy != nil {
		way = "through the proxy " + mast.RedactURL(proxy.String())
	}
	begin := time.Now()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return cluster.Check{Name: name, Result: cluster.Bad, Text: fmt.Sprintf("no answer %s: %v; a node without a way to the internet "+
			"cannot fetch: use a data transfer partition, or a proxy (HTTPS_PROXY)", way, err)}, nil
	}
	took := time.Since(begin)
	_ = resp.Body.Close() // nothing was asked of the body
	return cluster.Check{Name: name, Result: cluster.OK, Text: fmt.Sprintf("%s answers in %v, %s", mast.RedactURL(address), took.Round(time.Millisecond), way)}, resp.Header
}

// checkBucket looks whether the public copy is within reach; files come from the archive where it is not.
func checkBucket(ctx context.Context, cfg campaign.Config) []cluster.Check {
	if cfg.S3 == "" {
		return nil
	}
	u, err := mast.ParseBucket(cfg.S3)
	if err != nil {
		return []cluster.Check{{Name: "bucket", Result: cluster.Bad, Text: err.Error()}}
	}
	c, _ := reach(ctx, "bucket", u.String(), cfg.Archive.UserAgent)
	if c.Result == cluster.Bad && !cfg.S3Only {
		c.Result, c.Text = cluster.Warn, c.Text+"; files come from the archive, more slowly"
	}
	return []cluster.Check{c}
}

// checkReach looks whether the archive answers, and what time it has.
func checkReach(ctx context.Context, cfg campaign.Config) []cluster.Check {
	c, header := reach(ctx, "archive", cfg.Archive.BaseURL, cfg.Archive.UserAgent)
	out := []cluster.Check{c}
	if theirs, err := http.ParseTime(header.Get("Date")); err == nil {
		out = append(out, checkClock(time.Since(theirs)))
	}
	return out
}

// checkClock judges by how much our clock is ahead of the archive's.
func checkClock(ahead time.Duration) cluster.Check {
	if ahead.Abs() < 2*time.Minute {
		return cluster.Check{Name: "clock", Result: cluster.OK, Text: "agrees with the archive's"}
	}
	return cluster.Check{Name: "clock", Result: cluster.Warn, Text: fmt.Sprintf("differs by %v from the archive's: release dates and deadlines are misjudged by as much", ahead.Round(time.Second))}
}

// checkIdentity asks who the archive takes us for; the zero Check without a token.
func checkIdentity(ctx context.Context, cfg campaign.Config) cluster.Check {
	if cfg.Archive.Token.IsZero() {
		return cluster.Check{}
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	client, err := mast.New(cfg.Archive)
	if err != nil {
		return cluster.Check{Name: "token", Result: cluster.Bad, Text: err.Error()}
	}
	defer client.Close()
	id, err := client.WhoAmI(ctx)
	switch {
	case err != nil:
		return cluster.Check{Name: "token", Result: cluster.Warn, Text: err.Error()}
	case id.Anonymous:
		return cluster.Check{Name: "token", Result: cluster.Bad, Text: "not valid (any more). " + tokenAdvice}
	}
	return cluster.Check{Name: "token", Result: cluster.OK, Text: "valid"}
}

// holdCampaign takes a new campaign in dir.
func holdCampaign(ctx context.Context, dir string) (func() error, error) {
	q, err := queue.Open(ctx, queue.Config{Dir: dir, Create: true, Command: "jwstbulk doctor"})
	if err != nil {
		return nil, err
	}
	return q.Close, nil
}

// secondProcess runs a command of ours that must be kept out of the campaign in dir.
func secondProcess(ctx context.Context, dir string) (bool, error) {
	exe, err := os.Executable()
	if err != nil {
		return false, err
	}
	out, err := exec.CommandContext(ctx, exe, "retry", "-d", dir).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &exit) && exit.ExitCode() == exitLocked:
		return true, nil
	}
	return false, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
}
