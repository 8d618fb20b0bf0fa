package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/fits"
	"jwstbulk/manifest"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "check the files against the manifest",
		Description: "Reads every file again and holds it against manifest.jsonl in the campaign directory. Without --repair it changes nothing.\n" +
			"Exit code 6 if a file is missing, modified or corrupt, and was not repaired.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "level", Value: "digest", EnvVars: env("level"), Usage: "`size|digest|fits`: lengths alone, SHA-256, or SHA-256 and the structure of FITS files"},
			&cli.BoolFlag{Name: "repair", EnvVars: env("repair"), Usage: "fetch again what is wrong; exit code 11 where the archive has no longer the recorded bytes"},
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, EnvVars: env("jobs"), Usage: "files read at a time, and with --repair transfers, `N`; 0: one a processor, and 4 transfers"},
		}, commonFlags(), without(fetchFlags(), "jobs"), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			cfg := manifest.VerifyConfig{Level: manifest.Level(c.String("level")), Workers: c.Int("jobs")}
			switch cfg.Level {
			case manifest.LevelSize, manifest.LevelDigest, manifest.LevelFITS:
			default:
				return usagef("invalid --level %q: want size, digest or fits", cfg.Level)
			}
			if cfg.Workers < 0 {
				return usagef("invalid -j %d: want 0 or more", cfg.Workers)
			}
			o := readOutput(c)
			if c.Bool("repair") {
				r, err := readRun(c, o, false)
				if err != nil {
					return err
				}
				return verifyAndRepair(c.Context, o, r, cfg)
			}
			dir, err := filepath.Abs(c.String("dir"))
			if err != nil {
				return err
			}
			return runVerify(c.Context, o, dir, cfg)
		},
	}
}

// verifyLine is a file that is not as recorded, in verify --json.
type verifyLine struct {
	Path  string         `json:"path"`
	URI   string         `json:"uri,omitempty"`
	State manifest.State `json:"state"`
	Why   string         `json:"why,omitempty"`
}

func runVerify(ctx context.Context, o output, dir string, cfg manifest.VerifyConfig) error {
	wrong, err := verifyTree(ctx, o, dir, cfg)
	if err == nil && len(wrong) > 0 {
		err = reported([]int{exitVerify})
	}
	return err
}

// verifyTree verifies, tells what it found, and returns the files of the manifest that are not ok.
func verifyTree(ctx context.Context, o output, dir string, cfg manifest.VerifyConfig) (wrong []manifest.Result, err error) {
	f, err := os.Open(filepath.Join(dir, manifest.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("there is no %s in %q; `jwstbulk run` writes it, or give another directory with -d", manifest.Name, dir)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	cfg.Since = fi.ModTime()
	m, err := manifest.Open(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifest.Name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	w := newLines(o.stdout)
	cfg.Report = func(r manifest.Result) {
		if r.State != manifest.StateOK && r.State != manifest.StateExtra {
			wrong = append(wrong, r)
		}
		switch {
		case r.State == manifest.StateOK && r.Why == "":
		case o.json:
			w.add("file", verifyLine{r.Entry.Path, r.Entry.URI, r.State, r.Why})
		default:
			fmt.Fprintf(o.stdout, "%-9s %s%s\n", r.State, clean(r.Entry.Path), because(r.Why))
		}
	}
	t, err := manifest.Verify(ctx, root, m, cfg)
	if err != nil {
		return nil, errors.Join(w.flush(), err)
	}
	if o.json {
		w.add("verify", verifyTotals{Version: 1, Totals: t, Root: m.Header().Root, Complete: m.Header().Complete})
		return wrong, w.flush()
	}
	_, err = io.WriteString(o.stdout, verifyText(t, m.Header()))
	return wrong, err
}

type verifyTotals struct {
	Version int `json:"version"` // 1
	manifest.Totals
	Root     string `json:"root"`
	Complete bool   `json:"complete"`
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + clean(why)
}

func verifyText(t manifest.Totals, h manifest.Header) string {
	var b strings.Builder
	fmt.Fprintf(&b, "verified  %s of %s ok, %s read\n", number(t.OK), files(h.Files), size(t.Bytes))
	for _, n := range []struct {
		files int64
		what  string
	}{{t.Modified, "modified"}, {t.Corrupt, "corrupt: the recorded length, but other bytes"}, {t.Missing, "missing"},
		{t.Unreadable, "unreadable"}, {t.Extra, "not in the manifest"}} {
		if n.files > 0 {
			fmt.Fprintf(&b, "          %s %s\n", number(n.files), n.what)
		}
	}
	if !h.Complete {
		fmt.Fprintf(&b, "          the manifest is of unfinished work: %s missing; `jwstbulk run` goes on\n", files(h.Missing))
	}
	fmt.Fprintf(&b, "root      %s\n", h.Root)
	return b.String()
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:         "check",
		Usage:        "is this file whole? FITS structure and sums, JSON, ECSV, images; needs no campaign",
		ArgsUsage:    "FILE…",
		Description:  "Checks any files, - for stdin (taken as FITS). Exit code 6 if one is bad.",
		Flags:        []cli.Flag{&cli.BoolFlag{Name: "json", EnvVars: env("json"), Usage: "results as JSON, one object a line"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := someArgs(c, "FILE")
			if err != nil {
				return err
			}
			return runCheck(readOutput(c), os.Stdin, args)
		},
	}
}

// checkLine is the verdict on one file in check --json.
type checkLine struct {
	File    string            `json:"file"`
	Verdict string            `json:"verdict"` // ok, structure or checksum
	Why     string            `json:"why,omitempty"`
	Kind    fits.Kind         `json:"kind"`
	Bytes   int64             `json:"bytes"`
	HDUs    int               `json:"hdus,omitempty"`
	Sum     fits.SumState     `json:"sum,omitempty"`
	Header  map[string]string `json:"header,omitempty"`
	Notes   []string          `json:"notes,omitempty"`
}

func runCheck(o output, stdin io.Reader, names []string) error {
	bad := false
	w := newLines(o.stdout)
	for _, name := range names {
		l, err := checkFile(stdin, name)
		if err != nil {
			return usagef("checking %q: %v", name, err)
		}
		bad = bad || l.Verdict != "ok"
		if o.json {
			w.add("check", l)
		} else {
			fmt.Fprintf(o.stdout, "%-9s %s%s\n", l.Verdict, clean(name), because(l.Why))
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if bad {
		return reported([]int{exitVerify})
	}
	return nil
}

func checkFile(stdin io.Reader, name string) (checkLine, error) {
	check, in := fits.ForName(name), stdin
	if name == "-" {
		check = fits.ForName("stdin.fits")
	} else {
		f, err := os.Open(name)
		if err != nil {
			return checkLine{}, err
		}
		defer f.Close() // only read from
		in = f
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{check}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		return checkLine{}, err
	}
	r := check.Finish()
	l := checkLine{File: name, Verdict: "ok", Kind: r.Kind, Bytes: r.Bytes, HDUs: r.HDUs, Sum: r.Sum, Header: r.Header, Notes: r.Notes}
	switch {
	case r.Err != nil:
		l.Verdict, l.Why = "structure", r.Err.Error()
	case r.SumErr != nil:
		l.Verdict, l.Why = "checksum", r.SumErr.Error()
	}
	return l, nil
}
