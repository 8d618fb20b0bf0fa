package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/product"
	"jwstbulk/queue"
)

func errorsCommand() *cli.Command {
	return &cli.Command{
		Name:         "errors",
		Usage:        "which files are missing, why, and what to do",
		Description:  "Lists the files that failed, and those that wait or are parked, grouped by cause.",
		Flags:        commonFlags(),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			r, _, err := openReader(c.Context, c)
			if err != nil {
				return err
			}
			defer r.Close() // only read from
			return runErrors(c.Context, readOutput(c), r)
		},
	}
}

// shownPerCause is how many files of one cause are listed for people; --json lists all.
const shownPerCause = 50

func runErrors(ctx context.Context, o output, r *queue.Reader) error {
	counts, err := r.Counts(ctx)
	if err != nil {
		return err
	}
	w := newLines(o.stdout)
	none := true
	for _, state := range []queue.State{queue.Failed, queue.Parked, queue.Waiting} {
		for _, reason := range reasons {
			n := counts.Reason[state][reason]
			if n.Files == 0 {
				continue
			}
			none = false
			found := r.Files(ctx, queue.Filter{States: []queue.State{state}, Reasons: []queue.Reason{reason}})
			if o.json {
				err = jsonErrors(w, found)
			} else {
				err = textErrors(o.stdout, state, reason, n, found)
			}
			if err != nil {
				return err
			}
		}
	}
	if o.json {
		return w.flush()
	}
	if none {
		fmt.Fprintln(o.stdout, "no file failed, waits or is parked")
	}
	return nil
}

// reasons lists every cause, the ones to act on first.
var reasons = []queue.Reason{queue.ReasonDigest, queue.ReasonStructure, queue.ReasonSize, queue.ReasonMissing, queue.ReasonDenied, queue.ReasonHTTP,
	queue.ReasonNetwork, queue.ReasonRefusedName, queue.ReasonRefusedPath, queue.ReasonCollision, queue.ReasonNeedsToken, queue.ReasonNotPublic,
	queue.ReasonReprocessing, queue.ReasonRetryAfter, queue.ReasonTransient}

func jsonErrors(w *lines, found iter.Seq2[queue.File, error]) error {
	for f, err := range found {
		if err != nil {
			return err
		}
		w.add("file", jsonFile(f))
	}
	return nil
}

func textErrors(w io.Writer, state queue.State, reason queue.Reason, n queue.Count, found iter.Seq2[queue.File, error]) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s, %s\n", state, reason, files(n.Files), size(n.Bytes))
	shown := int64(0)
	for f, err := range found {
		if err != nil {
			return err
		}
		if shown++; shown > shownPerCause {
			fmt.Fprintf(&b, "  … and %s more (--json lists all)\n", number(n.Files-shownPerCause))
			break
		}
		fmt.Fprintf(&b, "  %s\n", clean(path.Base(f.URI)))
		if f.Detail != "" {
			fmt.Fprintf(&b, "    %s\n", clean(f.Detail))
		}
		if state == queue.Waiting && !f.DueAt.IsZero() {
			fmt.Fprintf(&b, "    tried again from %s on\n", stamp(f.DueAt))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func whyCommand() *cli.Command {
	return &cli.Command{
		Name:         "why",
		Usage:        "the whole story of one file",
		ArgsUsage:    "FILE",
		Description:  "FILE is a file's name, path or URI; globs are allowed. Tells how it was planned, what was tried and where it is.",
		Flags:        commonFlags(),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := someArgs(c, "FILE")
			if err != nil {
				return err
			}
			r, _, err := openReader(c.Context, c)
			if err != nil {
				return err
			}
			defer r.Close() // only read from
			for _, a := range args {
				if err := runWhy(c.Context, readOutput(c), r, a); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func runWhy(ctx context.Context, o output, r *queue.Reader, name string) error {
	uri := "*/" + path.Base(name)
	if strings.HasPrefix(name, "mast:") {
		uri = name
	}
	found := false
	w := newLines(o.stdout)
	for f, err := range r.Files(ctx, queue.Filter{URI: uri, ObsIDs: true}) {
		if err != nil {
			return err
		}
		found = true
		events, err := r.Events(ctx, f.ID)
		if err != nil {
			return err
		}
		if o.json {
			w.add("file", whyLine{jsonFile(f), f.Observations, events})
			continue
		}
		if _, err := io.WriteString(o.stdout, whyText(f, events)); err != nil {
			return err
		}
	}
	if found {
		return w.flush()
	}
	if rule, ok, err := r.Omission(ctx, omittedURI(name)); err != nil || ok {
		if err == nil {
			fmt.Fprintf(o.stdout, "%s\n  left out by %s%s\n", clean(path.Base(name)), rule, ruleHint(rule))
		}
		return err
	}
	return usagef("no file %q in this campaign", name)
}

func omittedURI(name string) string {
	if strings.HasPrefix(name, "mast:") {
		return name
	}
	return product.Prefix + path.Base(name)
}

type whyLine struct {
	fileLine
	Observations []string      `json:"observations"`
	Events       []queue.Event `json:"events"`
}

func whyText(f queue.File, events []queue.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", clean(f.URI))
	fmt.Fprintf(&b, "  path      %s\n  state     %s", clean(f.Path), f.State)
	if f.Reason != "" {
		fmt.Fprintf(&b, " (%s)", f.Reason)
	}
	fmt.Fprintln(&b)
	if f.Detail != "" {
		fmt.Fprintf(&b, "  detail    %s\n", clean(f.Detail))
	}
	if f.Size >= 0 {
		fmt.Fprintf(&b, "  size      %s bytes\n", number(f.Size))
	}
	if f.Checksum != nil {
		fmt.Fprintf(&b, "  archive   %x\n", f.Checksum)
	}
	if f.SHA256 != nil {
		fmt.Fprintf(&b, "  sha256    %x\n  md5       %x\n  proof     %s, from %s\n", f.SHA256, f.MD5, f.Proof, f.Source)
	}
	if f.Flagged != "" {
		fmt.Fprintf(&b, "  but       %s\n", clean(f.Flagged))
	}
	fmt.Fprintf(&b, "  listed by %s\n  attempts  %d\n", clean(strings.Join(f.Observations, ", ")), f.Attempt)
	for _, e := range events {
		fmt.Fprintf(&b, "  %s  %-12s %s\n", stamp(e.At), clean(e.Kind), clean(e.Detail))
	}
	return b.String()
}

func retryCommand() *cli.Command {
	return &cli.Command{
		Name:        "retry",
		Usage:       "put failed files back into the queue",
		Description: "`jwstbulk run` then tries them again. Without flags: all that failed.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "include", EnvVars: env("include"), Usage: "only files whose name matches this `GLOB`"},
			&cli.StringSliceFlag{Name: "reason", EnvVars: env("reason"), Usage: "only files that failed for this `REASON` (see `jwstbulk errors`)"},
		}, commonFlags()...),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			o := readOutput(c)
			cfg, err := readCampaign(c, o, false)
			if err != nil {
				return err
			}
			f := queue.RetryFilter{}
			for _, r := range values(c, "reason") {
				if !isReason(queue.Reason(r)) {
					return usagef("invalid --reason %q: want one of %v", r, reasons)
				}
				f.Reasons = append(f.Reasons, queue.Reason(r))
			}
			if g := c.String("include"); g != "" {
				f.URI = "*/" + g
			}
			return runRetry(c.Context, o, cfg, f)
		},
	}
}

func isReason(r queue.Reason) bool {
	for _, known := range reasons {
		if r == known {
			return true
		}
	}
	return false
}

func runRetry(ctx context.Context, o output, cfg campaign.Config, f queue.RetryFilter) error {
	c, err := campaign.Open(ctx, cfg)
	if err != nil {
		return err
	}
	n, err := c.Queue.Retry(ctx, f)
	if e := c.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if o.json {
		w := newLines(o.stdout)
		w.add("retry", struct {
			Files int64 `json:"files"`
		}{n})
		return w.flush()
	}
	_, err = fmt.Fprintf(o.stdout, "%s put back into the queue; `jwstbulk run` tries them again\n", files(n))
	return err
}
