package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/manifest"
)

// exportBag is the one format that is a directory.
const exportBag = "bagit"

func manifestExportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write what a manifest records in a form that other programs read",
		ArgsUsage: "FORMAT [MANIFEST]",
		Description: "FORMAT is " + exportFormats() + ".\n" +
			"MANIFEST is a manifest.jsonl or a directory that holds one, the working directory by default. The result goes to stdout or to\n" +
			"--output; for bagit that is a new directory, which gets a bag whose payload is listed in fetch.txt. No format holds a token.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: env("output"), Usage: "write to `FILE`, or for bagit to this directory"},
			&cli.StringFlag{Name: "archive", Category: "Archive", Value: "https://mast.stsci.edu", EnvVars: env("archive"), Usage: "the archive's `URL`, as the result is to name it"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := someArgs(c, "FORMAT: "+exportFormats())
			if err != nil {
				return err
			}
			if len(args) > 2 {
				return usagef("want a format and a manifest; got %d arguments", len(args))
			}
			name := "."
			if len(args) == 2 {
				name = args[1]
			}
			archive, err := archiveURL(c)
			if err != nil {
				return err
			}
			return runExport(c.Context, readOutput(c), exportOptions{format: args[0], manifest: manifestFile(name), output: c.String("output"), archive: archive})
		},
	}
}

type exportOptions struct{ format, manifest, output, archive string }

func exportFormats() string {
	var names []string
	for _, f := range manifest.ExportFormats() {
		names = append(names, string(f))
	}
	return strings.Join(append(names, exportBag), ", ")
}

func runExport(ctx context.Context, o output, x exportOptions) error {
	h, err := readHeader(x.manifest)
	if err != nil {
		return err
	}
	entries := func() iter.Seq2[manifest.Entry, error] { return until(ctx, readEntries(x.manifest)) }
	if x.format == exportBag {
		return writeBag(x, h, entries)
	}
	known := false
	for _, f := range manifest.ExportFormats() {
		known = known || string(f) == x.format
	}
	if !known {
		return usagef("unknown format %q: want %s", x.format, exportFormats())
	}
	write := func(w io.Writer) error {
		return manifest.Export(w, manifest.ExportFormat(x.format), x.archive, h, entries())
	}
	if x.output == "" {
		return write(o.stdout)
	}
	return writeNew(x.output, write)
}

// until ends a sequence when ctx does.
func until(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// writeNew writes a file that appears whole or not at all.
func writeNew(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func writeBag(x exportOptions, h manifest.Header, entries func() iter.Seq2[manifest.Entry, error]) error {
	if x.output == "" {
		return usagef("bagit needs --output DIR")
	}
	if err := os.Mkdir(x.output, 0o777); err != nil {
		if errors.Is(err, os.ErrExist) {
			return usagef("%q exists already; a bag wants a new directory", x.output)
		}
		return err
	}
	root, err := os.OpenRoot(x.output)
	if err != nil {
		return err
	}
	defer root.Close() // what was written was flushed
	if err := manifest.WriteBag(root, x.archive, h, entries); err != nil {
		return fmt.Errorf("writing the bag: %w", err)
	}
	return nil
}
