package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/mast"
	"jwstbulk/manifest"
)

// doiPage is where STScI explains how to get a DOI for observations; doiLimit is how many observations a DOI that users make
// themselves may hold, as documented there. How to name it in a paper: https://archive.stsci.edu/publishing/data-attributions.
const (
	doiPage  = "https://archive.stsci.edu/publishing/doi"
	doiLimit = 10_000
)

func citeCommand() *cli.Command {
	return &cli.Command{
		Name:      "cite",
		Usage:     "what a paper should say of the data: acknowledgement, programmes, how to get a DOI, the data set's root",
		ArgsUsage: "[MANIFEST]",
		Description: "MANIFEST is a manifest.jsonl or a directory that holds one, the working directory by default. Titles and PIs come from the\n" +
			"archive, one request for 20 programmes. A manifest of unfinished work is refused.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "bibtex", EnvVars: env("bibtex"), Usage: "a BibTeX entry for the data set, and the acknowledgement as its note"},
			&cli.BoolFlag{Name: "offline", EnvVars: env("offline"), Usage: "do not ask the archive for titles and PIs"},
		}, append(outputFlags(), archiveFlags()...)...),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			name := "."
			if c.Args().Present() {
				args, err := someArgs(c, "MANIFEST")
				if err != nil {
					return err
				}
				if len(args) > 1 {
					return usagef("want one manifest; got %d", len(args))
				}
				name = args[0]
			}
			o := readOutput(c)
			cfg, err := readCampaign(c, o, false)
			if err != nil {
				return err
			}
			return runCite(c.Context, o, cfg.Archive, citeOptions{manifestFile(name), c.Bool("bibtex"), c.Bool("offline")})
		},
	}
}

type citeOptions struct {
	manifest        string
	bibtex, offline bool
}

// citation is what cite tells; its JSON form is that of --json.
type citation struct {
	Version         int                `json:"version"` // 1
	Root            string             `json:"root"`
	Files           int64              `json:"files"`
	Bytes           int64              `json:"bytes"`
	Observations    int                `json:"observations"`
	Programs        []campaign.Program `json:"programs"`
	Acknowledgement string             `json:"acknowledgement"`
	DOI             string             `json:"doi_page"`
}

func runCite(ctx context.Context, o output, archive mast.Config, x citeOptions) error {
	h, err := readHeader(x.manifest)
	if err != nil {
		return err
	}
	if !h.Complete {
		return usagef("%s is of unfinished work, %s known to be missing: finish it with `jwstbulk run` or `get` before it is cited", x.manifest, files(h.Missing))
	}
	list, observations, err := campaign.Programs(readEntries(x.manifest))
	if err != nil {
		return err
	}
	if !x.offline {
		if err := campaign.Entitle(ctx, archive, list); err != nil {
			return err
		}
	}
	c := citation{1, h.Root, h.Files, h.Bytes, observations, list, acknowledgement(list), doiPage}
	switch {
	case o.json:
		w := newLines(o.stdout)
		w.add("citation", c)
		return w.flush()
	case x.bibtex:
		_, err = io.WriteString(o.stdout, citeBibTeX(c))
	default:
		_, err = io.WriteString(o.stdout, citeText(c))
	}
	return err
}

// acknowledgement is worded as STScI asks authors of papers with JWST data to:
// https://archive.stsci.edu/publishing/mission-acknowledgements.
func acknowledgement(list []campaign.Program) string {
	text := "This work is based in part on observations made with the NASA/ESA/CSA James Webb Space Telescope. The data were obtained from " +
		"the Mikulski Archive for Space Telescopes at the Space Telescope Science Institute, which is operated by the Association of " +
		"Universities for Research in Astronomy, Inc., under NASA contract NAS 5-03127 for JWST."
	ids := programIDs(list)
	if len(ids) == 0 {
		return text
	}
	return text + " These observations are associated with " + programWord(len(ids)) + " #" + strings.Join(ids, ", #") + "."
}

// programIDs are the numbers of programmes; files of unknown programmes have none.
func programIDs(list []campaign.Program) []string {
	var ids []string
	for _, p := range list {
		if p.ID != "" {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func programWord(n int) string {
	if n == 1 {
		return "program"
	}
	return "programs"
}

func citeText(c citation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Data set\n  %s, %s from %s observations\n  root %s\n", files(c.Files), size(c.Bytes), number(int64(c.Observations)), c.Root)
	fmt.Fprintf(&b, "  Publish %s with the paper: `jwstbulk get --manifest %s --frozen` fetches the same bytes.\n", manifest.Name, manifest.Name)
	fmt.Fprintf(&b, "\nAcknowledgement\n  %s The exact files are those of the jwstbulk manifest with the root %s.\n\nPrograms\n", c.Acknowledgement, c.Root)
	for _, p := range c.Programs {
		fmt.Fprintf(&b, "  %-7s %s, %s\n", cmp.Or(clean(p.ID), "unknown"), cmp.Or(clean(strings.Join(p.Instruments, ", ")), "no instrument"), files(p.Files))
		if p.Title != "" || p.PI != "" {
			fmt.Fprintf(&b, "          %s (PI: %s)\n", clean(p.Title), clean(p.PI))
		}
	}
	fmt.Fprintf(&b, "\nDOI\n  Ask MAST for one for these observations and cite it: %s\n", c.DOI)
	b.WriteString("  In AAS journals: \\dataset[doi:10.17909/…]{https://doi.org/10.17909/…}\n")
	if c.Observations > doiLimit {
		fmt.Fprintf(&b, "  A DOI that you make yourself holds about %s observations; ask MAST's help desk for more.\n", number(doiLimit))
	}
	return b.String()
}

func citeBibTeX(c citation) string {
	ids := programIDs(c.Programs)
	var b strings.Builder
	fmt.Fprintf(&b, "@misc{jwst-%s,\n  title = {{JWST} data of %s %s: %s},\n", c.Root[:12], programWord(len(ids)), escapeTeX(strings.Join(ids, ", ")), files(c.Files))
	fmt.Fprintf(&b, "  author = {{Mikulski Archive for Space Telescopes}},\n  howpublished = {jwstbulk manifest, root %s},\n", c.Root)
	fmt.Fprintf(&b, "  note = {%s}\n}\n", escapeTeX(c.Acknowledgement))
	return b.String()
}

// escapeTeX quotes what TeX would take for a command.
func escapeTeX(s string) string {
	return strings.NewReplacer(`\`, `\textbackslash{}`, "#", `\#`, "&", `\&`, "%", `\%`, "_", `\_`, "$", `\$`, "{", `\{`, "}", `\}`,
		"~", `\textasciitilde{}`, "^", `\textasciicircum{}`).Replace(clean(s))
}
