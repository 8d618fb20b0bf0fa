package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/query"
)

// queryFlags say which files are wanted. All but the last ones are query.Keys, with the same meaning in a query file.
func queryFlags() []cli.Flag {
	const cat = "Query"
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Category: cat, EnvVars: env(name), Usage: usage}
	}
	text := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Category: cat, EnvVars: env(name), Usage: usage}
	}
	return []cli.Flag{
		list("program", "programme `NUMBER`s, e.g. 1345 or 1345,2733"),
		list("obs", "`OBS`ervations: an obs_id, a glob of one (jw01345-o0*), PROGRAM:OBSERVATION (1345:12), or an obsid (83254329)"),
		list("instrument", "`NAME`: NIRCAM, NIRISS, NIRSPEC, MIRI, FGS, with a mode as NIRCAM/IMAGE if wanted"),
		list("filter", "optical `ELEMENT`s, e.g. F150W,F2*"),
		list("target", "`TARGET` names as the archive spells them, * for any text; moving targets too (Io*)"),
		list("cone", "\"`RA DEC RADIUS`\" in degrees, or \"10h00m43.2s +02d12m30s 3m\""),
		list("object", "`NAME` of a fixed target, found by the archive's name resolver"),
		text("radius", "`RADIUS` around each --object: degrees, or as 30s, 3m (default: 3m)"),
		list("date", "start of the observation, `FROM..TO`, e.g. 2023-01-01..2023-02-01; one end may be left out"),
		list("pi", "`NAME` of the principal investigator, or a part of it"),
		list("category", "`CATEGORY` of the proposal: GO, GTO, ERS, DD, COM, CAL"),
		list("released", "release date, `FROM..TO`"),
		list("where", "`COLUMN=VALUES` of the archive's observations, also != and ranges LO..HI, e.g. t_exptime=100..2000"),
		&cli.StringFlag{Name: "via", Category: cat, Value: "observations", EnvVars: env("via"), Usage: "`observations|keywords`: how files are found; the keyword services list FITS files with checksums straight away"},
		list("exp-type", "exposure `TYPE`s, e.g. NRC_IMAGE,MIR_*; of FITS files"),
		list("for", "what a stage of the pipeline takes, or pictures: `stage1|stage2|stage3|quicklook`"),
		list("level", "calibration `LEVEL`: 1, 2, 3 (or 1b, 2a, 2b, 2c), -1 for planned observations"),
		list("suffix", "file `SUFFIX`es, e.g. uncal,rate,cal,i2d"),
		list("product-type", "`TYPE`: SCIENCE, PREVIEW, INFO, AUXILIARY, THUMBNAIL, CATALOG, CALIBRATION"),
		list("detector", "`DETECTOR`s of exposures as file names spell them, e.g. nrca1,nrs*"),
		text("min-size", "no files smaller than `BYTES`, e.g. 20M"),
		text("max-size", "no files larger than `BYTES`"),
		&cli.StringFlag{Name: "rights", Category: cat, Value: "all", EnvVars: env("rights"), Usage: "`public|exclusive|all`"},
		list("include", "only files whose name matches one of these `GLOB`s"),
		list("exclude", "no files whose name matches one of these `GLOB`s"),
		&cli.BoolFlag{Name: "guide-stars", Category: cat, EnvVars: env("guide-stars"), Usage: "guide-star files (_gs-) too; they are left out otherwise"},
		text("limit", "at most `N` files, the first ones by name"),
		&cli.StringFlag{Name: "query", Category: cat, EnvVars: env("query"), TakesFile: true, Usage: "read the query from `FILE` (TOML, the flags above are its keys); flags given as well replace its keys"},
		&cli.StringFlag{Name: "from", Category: cat, EnvVars: env("from"), TakesFile: true, Usage: "start from the list in `FILE` (- for stdin): a MAST curl script, URIs, a table (CSV, ECSV, VOTable) of files or observations, subscription JSON"},
		&cli.BoolFlag{Name: "skip-bad-lines", Category: cat, EnvVars: env("skip-bad-lines"), Usage: "leave out, and count, the lines of --from that cannot be read"},
		&cli.StringFlag{Name: "layout", Category: cat, EnvVars: env("layout"), Usage: "where new files go: `mast|flat|program|TEMPLATE`, e.g. {program}/{instrument}/{name} (default: the campaign's, mast at first)"},
	}
}

// queryValues returns the values of a repeatable query flag; those that never hold commas may be given as one comma list. @FILE stands
// for the lines of a file.
func queryValues(c *cli.Context, name string) ([]string, error) {
	var out []string
	for _, v := range c.StringSlice(name) {
		if file, ok := strings.CutPrefix(v, "@"); ok {
			lines, err := valuesFile(name, file)
			if err != nil {
				return nil, err
			}
			out = append(out, lines...)
			continue
		}
		switch name {
		case "cone", "target", "object", "pi", "where", "include", "exclude":
			out = append(out, v)
		default:
			out = append(out, strings.Split(v, ",")...)
		}
	}
	return out, nil
}

// valuesFile reads one value a line; blank lines and # comments count for nothing.
func valuesFile(flag, file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("reading the values of --%s: %v", flag, err)
	}
	defer f.Close() // only read from
	var out []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, usagef("reading the values of --%s from %q: %v", flag, file, err)
	}
	if len(out) == 0 {
		return nil, usagef("reading the values of --%s: %q holds none", flag, file)
	}
	return out, nil
}

// criteria reads the query flags, and the query file that they replace the keys of.
func criteria(c *cli.Context) (query.Query, error) {
	q := query.Query{Rights: c.String("rights"), Radius: c.String("radius"), Via: c.String("via"), MinSize: c.String("min-size"),
		MaxSize: c.String("max-size"), Limit: c.String("limit"), GuideStars: c.Bool("guide-stars")}
	for name, to := range map[string]*[]string{"program": &q.Programs, "obs": &q.Obs, "instrument": &q.Instruments, "filter": &q.Filters,
		"target": &q.Targets, "cone": &q.Cones, "object": &q.Objects, "date": &q.Dates, "pi": &q.PIs, "category": &q.Categories,
		"released": &q.Released, "where": &q.Where, "exp-type": &q.ExpTypes, "for": &q.For, "level": &q.Levels, "suffix": &q.Suffixes, "product-type": &q.ProductTypes,
		"detector": &q.Detectors, "include": &q.Include, "exclude": &q.Exclude} {
		v, err := queryValues(c, name)
		if err != nil {
			return q, err
		}
		*to = v
	}
	path := c.String("query")
	if path == "" {
		return q, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return q, usagef("reading the query file: %v", err)
	}
	defer f.Close() // only read from
	file, err := query.Read(f, filepath.Base(path))
	if err != nil {
		return q, err
	}
	for _, key := range file.Keys {
		if !c.IsSet(key) {
			q.Take(key, file.Query)
		}
	}
	return q, nil
}

// readQuery turns the query flags into a query.Query. With --from it reads the list too, which the query then narrows; else
// the list is nil.
func readQuery(c *cli.Context, stdin io.Reader) (query.Query, *filelist.List, error) {
	q, err := criteria(c)
	if err != nil {
		return q, nil, err
	}
	if c.String("from") == "" {
		if c.Bool("skip-bad-lines") {
			return q, nil, usagef("--skip-bad-lines needs --from FILE")
		}
		return q, nil, q.Validate()
	}
	l, err := readList(c, stdin)
	if err != nil {
		return q, nil, err
	}
	if len(l.Obs) == 0 {
		q = query.Query{Suffixes: q.Suffixes, Include: q.Include, Exclude: q.Exclude, Limit: q.Limit}
		for _, f := range queryFlags() {
			switch name := f.Names()[0]; name {
			case "from", "suffix", "include", "exclude", "limit", "skip-bad-lines", "layout":
			default:
				if c.IsSet(name) {
					return q, nil, usagef("--from names the files itself; only --suffix, --include, --exclude and --limit narrow it, not --%s", name)
				}
			}
		}
	}
	return q, l, nil
}

// readList reads what --from names, and tells which lines were left out.
func readList(c *cli.Context, stdin io.Reader) (*filelist.List, error) {
	from, name := c.String("from"), "stdin"
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return nil, usagef("reading the list: %v", err)
		}
		defer f.Close() // only read from
		name, stdin = filepath.Base(from), f
	}
	l, err := filelist.Read(stdin, filelist.Config{Name: name, SkipBad: c.Bool("skip-bad-lines")})
	if err != nil {
		return nil, err
	}
	for _, bad := range l.Bad {
		fmt.Fprintf(c.App.ErrWriter, "jwstbulk: left out %s\n", clean(bad.Error()))
	}
	if more := l.Skipped - int64(len(l.Bad)); more > 0 {
		fmt.Fprintf(c.App.ErrWriter, "jwstbulk: left out %d more lines of %s\n", more, clean(name))
	}
	return l, nil
}
