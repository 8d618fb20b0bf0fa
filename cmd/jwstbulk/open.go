package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// output is where a command writes, and how.
type output struct {
	stdout, stderr io.Writer
	json           bool
	quiet          bool
	plain          bool // no colours and no moving bars
}

func readOutput(c *cli.Context) output {
	_, noColor := os.LookupEnv("NO_COLOR")
	return output{stdout: c.App.Writer, stderr: c.App.ErrWriter, json: c.Bool("json"), quiet: c.Bool("quiet"),
		plain: c.Bool("no-color") || noColor || os.Getenv("TERM") == "dumb"}
}

// say writes a line for people to stderr.
func (o output) say(format string, args ...any) {
	fmt.Fprintln(o.stderr, "jwstbulk: "+mast.Printable(fmt.Sprintf(format, args...), 4096))
}

// logger is the log of -v; nil without it.
func logger(c *cli.Context) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	switch f := c.String("log-format"); f {
	case "text":
		if c.Bool("verbose") {
			return slog.New(slog.NewTextHandler(c.App.ErrWriter, opts)), nil
		}
	case "json":
		if c.Bool("verbose") {
			return slog.New(slog.NewJSONHandler(c.App.ErrWriter, opts)), nil
		}
	default:
		return nil, usagef("invalid --log-format %q: want text or json", f)
	}
	return slog.New(slog.DiscardHandler), nil
}

// readCampaign turns common and archive flags into what campaign.Open wants.
func readCampaign(c *cli.Context, o output, create bool) (campaign.Config, error) {
	log, err := logger(c)
	if err != nil {
		return campaign.Config{}, err
	}
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return campaign.Config{}, err
	}
	cfg := campaign.Config{Dir: dir, QueuePath: c.String("queue"), Create: create, Command: "jwstbulk " + c.Command.Name,
		Logger: log, Warn: func(text string) { o.say("%s", text) }}
	cfg.Archive.Logger = log
	cfg.Archive.UserAgent = userAgent()
	if cfg.Archive.BaseURL, err = archiveURL(c); err != nil {
		return cfg, err
	}
	cfg.Archive.Connections = max(c.Int("jobs"), 1)
	cfg.Archive.TokenFor = c.String("token-for")
	if err := readSources(c, &cfg); err != nil {
		return cfg, err
	}
	if c.String("source") != "" { // of a command that fetches
		log.Info("sources", "files", sourcesText(cfg))
	}
	cfg.Archive.Token, err = readToken(c, o.stderr)
	return cfg, err
}

// userAgent is how we introduce ourselves.
func userAgent() string { return "jwstbulk/" + version + " (JWST bulk downloader)" }

// archiveURL is the archive's base URL, without a slash at the end; "" means the archive itself, for commands that have no
// flag for it.
func archiveURL(c *cli.Context) (string, error) {
	text := c.String("archive")
	if text == "" && !c.IsSet("archive") {
		return "", nil
	}
	return baseURL("archive", text)
}

// baseURL reads the value of a flag that names a server; it has no slash at the end.
func baseURL(flag, text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return "", usagef("invalid --%s %q: want a URL such as https://mast.stsci.edu", flag, mast.RedactURL(text))
	}
	return strings.TrimRight(text, "/"), nil
}

// openReader opens a campaign for reading; it needs no lock. It refuses a directory without a campaign.
func openReader(ctx context.Context, c *cli.Context) (*queue.Reader, string, error) {
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return nil, "", err
	}
	r, err := queue.OpenReader(ctx, queue.Config{Dir: dir, Path: c.String("queue")})
	return r, dir, err
}

// checkToken asks the archive once whether a given token is valid, and takes up the files that waited for one.
func checkToken(ctx context.Context, o output, c *campaign.Campaign, given bool) (valid bool, err error) {
	if !given {
		return false, nil
	}
	id, err := c.Client.WhoAmI(ctx)
	if err != nil {
		return false, fmt.Errorf("checking the token: %w", err)
	}
	if id.Anonymous {
		o.say("warning: the token is not valid (any more); going on without it, for public files")
		o.say("  %s", tokenAdvice)
		return false, nil
	}
	for _, reason := range []queue.Reason{queue.ReasonNeedsToken, queue.ReasonNotPublic} {
		n, err := c.Queue.Unpark(ctx, reason)
		if err != nil {
			return true, err
		}
		if n > 0 {
			o.say("%d files that waited for a token or their release are tried with this one", n)
		}
	}
	return true, nil
}
