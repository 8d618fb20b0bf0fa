package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
)

// criterion is one flag of a query in the archive's terms: the observations that match any of its parts.
type criterion struct {
	flag, value string
	parts       []part
	columns     []string // what must be read to apply it here
}

// part is what one request can ask of a criterion: the archive takes one pattern a column and one circle a request.
type part struct {
	filter   mast.Filter
	position string // instead of filter; neither: nothing is asked, the criterion is applied here
}

// maxBranches bounds the requests that one query turns into: every combination of parts is asked by itself.
const maxBranches = 500

// observationColumns are the columns the planner reads; asking for all would make replies twenty times as large.
const observationColumns = "obsid,obs_id,proposal_id,instrument_name,calib_level,dataRights,t_obs_release,t_min"

// criteria lists the criteria for observations of a normal query, in the order of the flags' help.
func (q Query) criteria() []criterion {
	var cs []criterion
	add := func(flag string, values []string, parts []part) {
		if len(values) > 0 {
			cs = append(cs, criterion{flag: flag, value: strings.Join(values, ","), parts: parts})
		}
	}
	add("--program", q.Programs, []part{{filter: mast.Filter{Column: "proposal_id", Values: q.Programs}}})
	add("--obs", q.Obs, obsParts(q.Obs))
	add("--instrument", q.Instruments, instrumentParts(q.Instruments))
	add("--filter", q.Filters, textParts("filters", ";", q.Filters))
	add("--target", q.Targets, textParts("target_name", "", q.Targets))
	var cones, dates []part
	for _, c := range q.Cones {
		cones = append(cones, part{position: c})
	}
	for _, s := range q.Dates {
		// A normal query's dates parse.
		if d, err := ParseDates(s); err == nil {
			lo, hi := d.MJD()
			dates = append(dates, part{filter: mast.Between("t_min", lo, hi)})
		}
	}
	add("--cone", q.Cones, cones)
	add("--date", q.Dates, dates)
	excluding := 0
	for _, c := range q.conditions() {
		if c.not {
			excluding++
			cs = append(cs, criterion{flag: "--where", value: c.String(), parts: []part{{}}, columns: []string{c.name}})
		} else {
			add("--where", []string{c.String()}, c.parts())
		}
	}
	if excluding == len(cs) {
		return nil // nothing narrows the observations
	}
	return cs
}

// textParts makes one part of all exact values, and one of each pattern.
func textParts(column, separator string, values []string) []part {
	var exact []string
	var parts []part
	for _, v := range values {
		if strings.ContainsRune(v, '*') {
			parts = append(parts, part{filter: mast.Filter{Column: column, FreeText: v, Separator: separator}})
		} else {
			exact = append(exact, v)
		}
	}
	for some := range slices.Chunk(exact, maxValues) {
		parts = append(parts, part{filter: mast.Filter{Column: column, Values: some, Separator: separator}})
	}
	return parts
}

// maxValues bounds the values in one condition: 1,000 obs_ids make a request of 60 KB.
const maxValues = 1000

// instrumentParts asks for an instrument without a mode by prefix: the column says NIRCAM/IMAGE since 2023.
func instrumentParts(values []string) []part {
	pattern := make([]string, len(values))
	for i, v := range values {
		if pattern[i] = v; !strings.Contains(v, "/") {
			pattern[i] += "*"
		}
	}
	return textParts("instrument_name", "", pattern)
}

// obsParts turns PROGRAM:OBSERVATION into the two forms that obs_id has, a glob into the archive's only wildcard, *, and a
// number into a condition on obsid. The archive's pattern may match more than was asked for (its _ stands for any letter):
// see obsSet.
func obsParts(values []string) []part {
	var patterns, ids []string
	for _, v := range values {
		if product.Digits(v) {
			ids = append(ids, v)
			continue
		}
		if p, o, ok := programObs(v); ok {
			patterns = append(patterns, fmt.Sprintf("jw%05d%03d*", p, o), fmt.Sprintf("jw%05d-o%03d*", p, o))
			continue
		}
		patterns = append(patterns, widen(v))
	}
	return append(textParts("obs_id", "", patterns), textParts("obsid", "", ids)...)
}

// programObs reads the normal form of PROGRAM:OBSERVATION.
func programObs(v string) (program, obs int, ok bool) {
	if !strings.Contains(v, ":") {
		return 0, 0, false
	}
	n, err := fmt.Sscanf(v, "%d:%d", &program, &obs)
	return program, obs, n == 2 && err == nil
}

// widen replaces ? and [classes] of a glob by *.
func widen(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '?':
			b.WriteByte('*')
		case '[':
			b.WriteByte('*')
			// A normal query's globs are well formed, so the class ends.
			if end := strings.IndexByte(glob[i:], ']'); end > 0 {
				i += end
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// obsSet is what --obs asks for. The zero obsSet takes every observation.
type obsSet struct {
	exact    map[string]bool // obs_ids
	ids      map[string]bool // obsids
	prefixes []string
	globs    []string
}

// newObsSet takes the values of a normal query.
func newObsSet(asked []string) obsSet {
	if len(asked) == 0 {
		return obsSet{}
	}
	s := obsSet{exact: map[string]bool{}, ids: map[string]bool{}}
	for _, a := range asked {
		p, o, ok := programObs(a)
		switch {
		case ok:
			s.prefixes = append(s.prefixes, fmt.Sprintf("jw%05d%03d", p, o), fmt.Sprintf("jw%05d-o%03d", p, o))
		case product.Digits(a):
			s.ids[a] = true
		case isGlob(a):
			s.globs = append(s.globs, a)
		default:
			s.exact[a] = true
		}
	}
	return s
}

// has reports whether an observation was asked for.
func (s obsSet) has(obsID string, obsid int64) bool {
	if s.exact == nil {
		return true
	}
	obsID = strings.ToLower(obsID)
	return s.exact[obsID] || len(s.ids) > 0 && s.ids[strconv.FormatInt(obsid, 10)] || matches(s.globs, obsID) ||
		slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(obsID, p) })
}

func isGlob(v string) bool { return strings.ContainsAny(v, "*?[") }

// guides reports whether a guide-star file belongs to a visit of which something was asked for, but by a glob: it guided all
// that was observed then.
func (s obsSet) guides(name string) bool {
	visit, _, _ := strings.Cut(name, "_")
	if !product.GuideStar(name) || len(visit) != 13 {
		return false
	}
	within := func(asked string) bool {
		begin, rest, level3 := strings.Cut(asked, "-o")
		if level3 && len(rest) >= 3 {
			begin += rest[:3]
		}
		begin, _, _ = strings.Cut(begin, "_")
		return len(begin) >= 10 && strings.HasPrefix(visit, begin)
	}
	for asked := range s.exact {
		if within(asked) {
			return true
		}
	}
	return slices.ContainsFunc(s.prefixes, within)
}

// countBranches is the number of requests that the criteria need.
func countBranches(cs []criterion) int {
	n := 1
	for _, c := range cs {
		if n *= len(c.parts); n > maxBranches {
			return maxBranches + 1
		}
	}
	return n
}

// branches combines the criteria into queries of the archive, in a fixed order. Observations of several branches are folded
// by the queue.
func branches(cs []criterion) []mast.Query {
	qs := []mast.Query{{
		// Asking within the collection is much faster, and the other collections are not JWST's.
		Filters: []mast.Filter{{Column: "obs_collection", Values: []string{"JWST"}, Separator: ";"}},
		Columns: observationColumns,
	}}
	for _, c := range cs {
		for _, name := range c.columns {
			if !slices.Contains(strings.Split(qs[0].Columns, ","), name) {
				qs[0].Columns += "," + name
			}
		}
	}
	for _, c := range cs {
		var next []mast.Query
		for _, q := range qs {
			for _, p := range c.parts {
				b := q
				if p.position != "" {
					b.Position = p.position
				} else if p.filter.Column != "" {
					b.Filters = append(q.Filters[:len(q.Filters):len(q.Filters)], p.filter)
				}
				next = append(next, b)
			}
		}
		qs = next
	}
	return qs
}
