package planner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
	"jwstbulk/queue"
)

// viaKeywords is the value of --via that lists FITS files straight from the keyword services, without observations.
const viaKeywords = "keywords"

func normalVia(flag, v string) (string, error) {
	switch v = strings.ToLower(v); v {
	case "observations":
		return "", nil
	case viaKeywords:
		return v, nil
	}
	return "", &UsageError{flag, v, "observations or keywords"}
}

func normalExpType(flag, v string) (string, error) {
	u := strings.ToUpper(v)
	if !isWord(strings.NewReplacer("*", "", "-", "").Replace(u) + "X") {
		return "", &UsageError{flag, v, "an exposure type such as NRC_IMAGE, * for any text (MIR_*)"}
	}
	return u, nil
}

// keywordColumn is how the keyword services call a column of the observations; "" for those that they do not have.
func keywordColumn(column string) string {
	switch column {
	case "t_obs_release":
		return "publicReleaseDate_mjd"
	case "proposal_type":
		return "category"
	}
	return ""
}

// checkVia refuses what the chosen route cannot answer.
func (q Query) checkVia() error {
	if q.Via != viaKeywords {
		return nil
	}
	refuse := func(flag, value string) error {
		return &UsageError{flag, value, "a query without --via keywords: the keyword services cannot answer it"}
	}
	for _, f := range []struct {
		flag   string
		values []string
	}{{"--filter", q.Filters}, {"--target", q.Targets}, {"--cone", q.Cones}, {"--object", q.Objects}, {"--product-type", q.ProductTypes}} {
		if len(f.values) > 0 {
			return refuse(f.flag, f.values[0])
		}
	}
	for _, v := range q.Instruments {
		if strings.Contains(v, "/") {
			return refuse("--instrument", v)
		}
	}
	for _, v := range q.Obs {
		if product.Digits(v) {
			return refuse("--obs", v)
		}
	}
	for _, c := range q.conditions() {
		if c.not || keywordColumn(c.name) == "" {
			return refuse("--where", c.String())
		}
	}
	return nil
}

// joinsTypes reports a query by observations for exposure types: only the keyword services tell them, file by file.
func (w *work) joinsTypes() bool { return w.query.Via != viaKeywords && len(w.query.ExpTypes) > 0 }

// otherTypes yields the files of keyword rows whose exposure type was not asked for.
func (w *work) otherTypes(r *mast.Reply) iter.Seq2[queue.Omitted, error] {
	return func(yield func(queue.Omitted, error) bool) {
		for k, err := range r.KeywordRows() {
			wanted := slices.ContainsFunc(w.query.ExpTypes, func(p string) bool { return like(p, k.ExpType) })
			if (err != nil || !wanted && k.URI != "") && !yield(queue.Omitted{URI: k.URI, Size: k.Size, Rule: RuleExpType}, err) {
				return
			}
		}
	}
}

// fileBranch is one question to a keyword service.
type fileBranch struct {
	service string
	filters []mast.Filter
}

// fileCriteria lists the criteria of a normal query in the terms of the keyword services.
func (q Query) fileCriteria() []criterion {
	var cs []criterion
	add := func(flag string, values []string, parts []part) {
		if len(values) > 0 {
			cs = append(cs, criterion{flag: flag, value: strings.Join(values, ","), parts: parts})
		}
	}
	add("--program", q.Programs, []part{{filter: mast.Filter{Column: "program", Values: q.Programs}}})
	add("--obs", q.Obs, textParts("fileSetName", "", fileSets(q.Obs, q.GuideStars)))
	add("--instrument", q.Instruments, []part{{}}) // chooses the services
	add("--exp-type", q.ExpTypes, textParts("exp_type", "", q.ExpTypes))
	var dates []part
	for _, s := range q.Dates {
		// A normal query's dates parse.
		if d, err := ParseDates(s); err == nil {
			lo, hi := d.MJD()
			dates = append(dates, part{filter: between("date_obs_mjd", lo, hi)})
		}
	}
	add("--date", q.Dates, dates)
	for _, c := range q.conditions() {
		c.name = keywordColumn(c.name)
		add("--where", []string{c.String()}, c.parts())
	}
	return cs
}

// fileSets gives patterns of the file sets that observations may have files in: a file set is an exposure without its
// detector, a visit's guide star, or a level-3 product. Files are told apart by obsSet.
func fileSets(obs []string, guideStars bool) []string {
	var out []string
	for _, v := range obs {
		if program, number, ok := strings.Cut(v, "-o"); ok && guideStars && len(number) >= 3 && product.Digits(number[:3]) {
			out = append(out, program+number[:3]+"*") // the visits of the observation that a product combines
		}
		if p, o, ok := programObs(v); ok {
			out = append(out, fmt.Sprintf("jw%05d%03d*", p, o), fmt.Sprintf("jw%05d-o%03d*", p, o))
			continue
		}
		if i := strings.IndexAny(v, "_*?["); i >= 0 {
			v = v[:i]
		}
		out = append(out, v+"*")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fileBranches combines the criteria with the services of the instruments, in a fixed order.
func (q Query) fileBranches() []fileBranch {
	services := []string{"Fgs", "Miri", "Nircam", "Niriss", "Nirspec"}
	if len(q.Instruments) > 0 {
		services = slices.DeleteFunc(services, func(s string) bool { return !slices.Contains(q.Instruments, strings.ToUpper(s)) })
	}
	if q.GuideStars { // they belong to visits, whatever instrument those were for
		services = append(services, guideService)
	}
	var out []fileBranch
	for _, b := range branches(q.fileCriteria()) {
		for _, s := range services {
			out = append(out, fileBranch{s, b.Filters[1:]}) // all but the collection, which these services do not have
		}
	}
	return out
}

// fileChunks are the first chunks of a query by way of the keyword services.
func fileChunks(q Query) []queue.NewChunk {
	var chunks []queue.NewChunk
	for i, b := range q.fileBranches() {
		chunks = append(chunks, sweep{Branch: i, Service: b.service}.chunk(kindFiles))
	}
	return chunks
}

// listFiles works one chunk of the list of files that a keyword service gives.
func (w *work) listFiles(ctx context.Context, c queue.Chunk) error {
	var s sweep
	if err := decode(c, &s); err != nil {
		return err
	}
	all := w.query.fileBranches()
	if s.Branch < 0 || s.Branch >= len(all) || all[s.Branch].service != s.Service {
		return fmt.Errorf("chunk %d asks branch %d of %d", c.ID, s.Branch, len(all))
	}
	whole := mast.Query{Filters: all[s.Branch].filters}
	lo, hi := rangeOf(whole, "date_obs_mjd")
	return w.run(ctx, c, s, question{
		what:   "keyword rows",
		column: "date_obs_mjd",
		lo:     lo,
		hi:     hi,
		count: func(ctx context.Context, extra ...mast.Filter) (int64, error) {
			w.report(kindFiles, 0)
			return w.cfg.Archive.CountKeywords(ctx, s.Service, narrowed(whole, extra))
		},
		fetch: func(ctx context.Context, extra ...mast.Filter) (*mast.Reply, error) {
			w.report(kindFiles, 0)
			return w.cfg.Archive.Keywords(ctx, s.Service, narrowed(whole, extra))
		},
		take: func(r *mast.Reply, out *queue.ChunkResult) { out.Products, out.Facts = w.keywordFiles(r), facts(r) },
	})
}

// keywordFiles makes files of keyword rows. The services do not say who may have a file: it is exclusive until its release.
func (w *work) keywordFiles(r *mast.Reply) iter.Seq2[queue.ProductRow, error] {
	asked := newObsSet(w.query.Obs)
	now := w.cfg.Now()
	return func(yield func(queue.ProductRow, error) bool) {
		for f, err := range facts(r) {
			if err == nil && (len(f.URI) > product.MaxURI || !strings.HasPrefix(f.URI, product.Prefix) || !asked.has(f.ObsID, 0) && !asked.guides(fileName(f.URI))) {
				continue
			}
			name := fileName(f.URI)
			// The size comes with the facts of the same reply: here it would pass for a product list's.
			row := queue.ProductRow{File: queue.NewFile{URI: f.URI, Name: name, ObsID: f.ObsID, Size: -1, Facts: f.Facts}}
			if row.File.Rights = "PUBLIC"; f.ReleaseAt.After(now) {
				row.File.Rights = "EXCLUSIVE_ACCESS"
			}
			if row.File.Program == "" {
				row.File.Program = product.Program(name)
			}
			row.Rule = w.sel.rule(name, f.Size, &row.File.Facts)
			if !yield(row, err) {
				return
			}
		}
	}
}
