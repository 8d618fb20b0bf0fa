package query

import (
	"fmt"
	"slices"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
)

// GuideStarService is the keyword service that lists the guide-star files of all visits.
const GuideStarService = "GuideStar"

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

// fileCriteria lists the criteria of a normal query in the terms of the keyword services.
func (q Query) fileCriteria() []criterion {
	var cs []criterion
	add := func(flag string, values []string, parts []part) {
		if len(values) > 0 {
			cs = append(cs, criterion{flag: flag, value: strings.Join(values, ","), parts: parts})
		}
	}
	add("--program", q.Programs, []part{{filter: mast.Filter{Column: "program", Values: q.Programs}}})
	add("--obs", q.Obs, textParts(fileSetColumn, "", fileSets(q.Obs, q.GuideStars)))
	add("--instrument", q.Instruments, []part{{}}) // chooses the services
	add("--exp-type", q.ExpTypes, textParts("exp_type", "", q.ExpTypes))
	var dates []part
	for _, s := range q.Dates {
		// A normal query's dates parse.
		if d, err := ParseDates(s); err == nil {
			lo, hi := d.MJD()
			dates = append(dates, part{filter: mast.Between("date_obs_mjd", lo, hi)})
		}
	}
	add("--date", q.Dates, dates)
	for _, c := range q.conditions() {
		c.name = keywordColumn(c.name)
		add("--where", []string{c.String()}, c.parts())
	}
	return cs
}

// fileSetColumn is what the keyword services call a file set.
const fileSetColumn = "fileSetName"

// fileSets gives patterns of the file sets that observations may have files in: a file set is an exposure without its
// detector, a visit's guide star, or a level-3 product. Files are told apart by obsSet.
func fileSets(obs []string, guideStars bool) []string {
	var out []string
	for _, v := range obs {
		if program, number, ok := strings.Cut(v, "-o"); ok && guideStars && !isGlob(v) && len(number) >= 3 && product.Digits(number[:3]) {
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

// fileBranches combines the criteria with the services of the instruments, in a fixed order. The guide stars of what a glob of
// --obs matches are not among them: see GuidedBy.
func (q Query) fileBranches() []Branch {
	services := []string{"Fgs", "Miri", "Nircam", "Niriss", "Nirspec"}
	if len(q.Instruments) > 0 {
		services = slices.DeleteFunc(services, func(s string) bool { return !slices.Contains(q.Instruments, strings.ToUpper(s)) })
	}
	if q.GuideStars { // they belong to visits, whatever instrument those were for
		services = append(services, GuideStarService)
	}
	known := fileSets(slices.DeleteFunc(slices.Clone(q.Obs), isGlob), q.GuideStars)
	var out []Branch
	for _, b := range branches(q.fileCriteria()) {
		for _, s := range services {
			if s == GuideStarService && len(q.Obs) > 0 && !slices.ContainsFunc(b.Filters, func(f mast.Filter) bool {
				return f.Column == fileSetColumn && slices.Contains(known, f.FreeText)
			}) {
				continue
			}
			out = append(out, Branch{s, mast.Query{Filters: b.Filters[1:]}}) // all but the collection, which these services do not have
		}
	}
	return out
}

// GuidedBy returns how the names of guide-star files begin that an observation brings into a query by keywords: with its
// visit, or for one that combines several with its number; "" unless a glob of --obs matches the observation. It is nil if
// there is no glob, or no guide stars are wanted. What else --obs can name says its visits by itself, and is asked for by
// Branches; of a glob only the observations that it matches tell them.
func (q Normal) GuidedBy() func(obsID string) string {
	globs := slices.DeleteFunc(slices.Clone(q.Obs), func(v string) bool { return !isGlob(v) })
	if !q.GuideStars || len(globs) == 0 {
		return nil
	}
	return func(obsID string) string {
		if obsID = strings.ToLower(obsID); !matches(globs, obsID) {
			return ""
		}
		return guidesOf(obsID)
	}
}

// guidesOf returns how the names of an observation's guide-star files begin; "" for one whose visits its name does not tell.
func guidesOf(obsID string) string {
	const program, number = len("jw12345"), len("123")
	if begin, rest, ok := strings.Cut(obsID, "-o"); ok && len(begin) == program && len(rest) >= number {
		return begin + rest[:number]
	}
	visit, _, _ := strings.Cut(obsID, "_")
	if len(visit) != program+2*number || !product.Digits(visit[2:]) {
		return ""
	}
	return visit + "_"
}

// Guides turns one of the query's Branches into the question for the guide-star files whose names begin in one of these
// ways, or more: the service takes one pattern.
func (b Branch) Guides(begins []string) Branch {
	common := begins[0]
	for _, s := range begins {
		for !strings.HasPrefix(s, common) {
			common = common[:len(common)-1]
		}
	}
	filters := slices.DeleteFunc(slices.Clone(b.Query.Filters), func(f mast.Filter) bool { return f.Column == fileSetColumn })
	b.Service, b.Query.Filters = GuideStarService, append(filters, mast.Filter{Column: fileSetColumn, FreeText: common + "*"})
	return b
}
