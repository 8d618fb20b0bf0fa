package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/mast"
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
			"--output; for bagit that is a new directory. No format holds a token.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: env("output"), Usage: "write to `FILE`, or for bagit to this directory"},
			&cli.StringFlag{Name: "payload", Value: "fetch", EnvVars: env("payload"), Usage: "`fetch|link|copy`: for bagit, list the files in fetch.txt, or bring them in by hard links or copies"},
			&cli.BoolFlag{Name: "cloud", Category: "Archive", EnvVars: env("cloud"), Usage: "for aria2 and metalink4: name the public copies too, which the archive is asked for, 40 files a request"},
			&cli.StringFlag{Name: "s3", Category: "Archive", Value: "https://stpubdata.s3.amazonaws.com", EnvVars: env("s3"), Usage: "the `URL` below which the public copies are"},
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
			x := exportOptions{format: args[0], manifest: manifestFile(name), output: c.String("output"), payload: c.String("payload"), cloud: c.Bool("cloud")}
			x.archive.UserAgent = userAgent()
			if x.archive.BaseURL, err = archiveURL(c); err != nil {
				return err
			}
			if x.bucket, err = baseURL("s3", c.String("s3")); err != nil {
				return err
			}
			if err := x.check(); err != nil {
				return err
			}
			return runExport(c.Context, readOutput(c), x)
		},
	}
}

type exportOptions struct {
	format, manifest, output string
	archive                  mast.Config
	payload                  string // fetch, link or copy
	cloud                    bool
	bucket                   string
}

func (x exportOptions) check() error {
	known := x.format == exportBag
	for _, f := range manifest.ExportFormats() {
		known = known || string(f) == x.format
	}
	_, err := campaign.ParsePayload(x.payload)
	switch {
	case !known:
		return usagef("unknown format %q: want %s", x.format, exportFormats())
	case err != nil:
		return usagef("invalid --payload: %v", err)
	case x.payload != string(campaign.PayloadFetch) && x.format != exportBag:
		return usagef("--payload is for bagit; %s holds no files", x.format)
	case x.cloud && x.format != string(manifest.ExportAria2) && x.format != string(manifest.ExportMetalink):
		return usagef("--cloud is for aria2 and metalink4; %s names one address a file", x.format)
	case x.format == exportBag && x.output == "":
		return usagef("bagit needs --output DIR")
	}
	return nil
}

func exportFormats() string {
	var names []string
	for _, f := range manifest.ExportFormats() {
		names = append(names, string(f))
	}
	return strings.Join(append(names, exportBag), ", ")
}

func runExport(ctx context.Context, o output, x exportOptions) (err error) {
	h, err := readHeader(x.manifest)
	if err != nil {
		return err
	}
	if x.format == exportBag {
		if _, err := os.Lstat(x.output); err == nil {
			return usagef("%q exists already; a bag wants a new directory", x.output)
		}
		return campaign.WriteBag(ctx, x.output, campaign.Bag{Archive: x.archive.BaseURL, Manifest: x.manifest, Payload: campaign.Payload(x.payload)})
	}
	cfg, all := manifest.ExportConfig{Archive: x.archive.BaseURL}, campaign.Until(ctx, readEntries(x.manifest))
	if x.cloud {
		copies, err := campaign.OpenCopies(x.archive, x.bucket)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, copies.Close()) }()
		cfg.Mirror, all = copies.Address, copies.Entries(ctx, all)
	}
	write := func(w io.Writer) error { return manifest.Export(w, manifest.ExportFormat(x.format), cfg, h, all) }
	if x.output == "" {
		return write(o.stdout)
	}
	return campaign.WriteNew(x.output, write)
}
