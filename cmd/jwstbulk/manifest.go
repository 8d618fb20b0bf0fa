package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/manifest"
)

func manifestCommand() *cli.Command {
	return &cli.Command{
		Name:         "manifest",
		Usage:        "the record of what was fetched: write it anew, compare it, export it",
		Subcommands:  []*cli.Command{manifestWriteCommand(), manifestDiffCommand(), manifestExportCommand()},
		OnUsageError: onUsageError,
	}
}

func manifestWriteCommand() *cli.Command {
	return &cli.Command{
		Name:         "write",
		Usage:        "write manifest.jsonl, SHA256SUMS and provenance.jsonl anew from the queue",
		Flags:        commonFlags(),
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
			return runManifestWrite(c.Context, o, cfg)
		},
	}
}

func runManifestWrite(ctx context.Context, o output, cfg campaign.Config) error {
	c, err := campaign.Open(ctx, cfg)
	if err != nil {
		return err
	}
	h, err := c.WriteManifest(ctx)
	if e := c.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "manifest  %s, %s files, %s missing\nroot      %s\n", filepath.Join(c.Dir, manifest.Name), number(h.Files), number(h.Missing), h.Root)
	return err
}

func manifestDiffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "what differs between two manifests, or between a manifest and the archive as it is now",
		ArgsUsage: "OLD [NEW]",
		Description: "OLD and NEW are manifest.jsonl files, or directories that hold one. With OLD alone it is held against the archive: its metadata\n" +
			"are asked in bulk and no file is downloaded; files that are not FITS have no such metadata and are counted apart.\n" +
			"Exit code 11 if anything differs.",
		Flags:        append(outputFlags(), archiveFlags()...),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) == 2 && args[1] == "--archive" { // said after the manifest it can only mean this
				args = args[:1]
			}
			if len(args) < 1 || len(args) > 2 {
				return usagef("want two manifests, or one to hold against the archive; got %d arguments", len(args))
			}
			if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }); i >= 0 {
				return usagef("put the flag %q before the arguments", args[i])
			}
			o := readOutput(c)
			if len(args) == 2 {
				return runManifestDiff(c.Context, o, args[0], args[1])
			}
			cfg, err := readCampaign(c, o, false)
			if err != nil {
				return err
			}
			return runArchiveDiff(c.Context, o, cfg, args[0])
		},
	}
}

// manifestFile is the manifest that an argument names: a file, or a directory with one.
func manifestFile(name string) string {
	if fi, err := os.Stat(name); err == nil && fi.IsDir() {
		return filepath.Join(name, manifest.Name)
	}
	return name
}

// readEntries yields the entries of a manifest file, from the beginning each time it is called.
func readEntries(name string) iter.Seq2[manifest.Entry, error] {
	return campaign.FileEntries(name)
}

// readHeader returns line 1 of a manifest file. A file that is not there is a mistake of the command line.
func readHeader(name string) (manifest.Header, error) {
	h, err := campaign.FileHeader(name)
	if errors.Is(err, os.ErrNotExist) {
		return h, usagef("%v", err)
	}
	return h, err
}

func runManifestDiff(ctx context.Context, o output, oldName, newName string) error {
	oldName, newName = manifestFile(oldName), manifestFile(newName)
	a, err := readHeader(oldName)
	if err != nil {
		return err
	}
	b, err := readHeader(newName)
	if err != nil {
		return err
	}
	report := newChanges(o)
	for c, err := range manifest.Compare(readEntries(oldName), readEntries(newName)) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("comparing manifests: %w", err)
		}
		report.add(c)
	}
	if err := report.write(); err != nil {
		return err
	}
	if !o.json {
		if _, err := fmt.Fprintf(o.stdout, "compared  %s with %s; %s differ\n", files(a.Files), files(b.Files), number(report.count())); err != nil {
			return err
		}
	}
	return driftCode(report.count())
}

func runArchiveDiff(ctx context.Context, o output, cfg campaign.Config, name string) (err error) {
	name = manifestFile(name)
	if _, err := readHeader(name); err != nil {
		return err
	}
	s, err := campaign.NewSurvey(ctx, cfg.Archive, func() iter.Seq2[manifest.Entry, error] { return readEntries(name) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report := newChanges(o)
	for c, err := range s.Changes(ctx, readEntries(name)) {
		if err != nil {
			return fmt.Errorf("comparing with the archive: %w", err)
		}
		report.add(c)
	}
	if err := report.write(); err != nil {
		return err
	}
	if !o.json {
		if _, err := fmt.Fprint(o.stdout, surveyText(s, report.count())); err != nil {
			return err
		}
	}
	return driftCode(report.count())
}

// surveyText is the last line about a survey.
func surveyText(s *campaign.Survey, differ int64) string {
	text := fmt.Sprintf("asked     the archive about %s in %s requests; %s differ\n", files(s.Asked), number(s.Requests), number(differ))
	if s.Unlisted > 0 {
		text += fmt.Sprintf("          %s are no FITS files: the archive tells nothing of them short of a download\n", files(s.Unlisted))
	}
	return text
}

// driftCode is the exit code of a comparison.
func driftCode(differ int64) error {
	if differ > 0 {
		return reported([]int{exitDrift})
	}
	return nil
}
