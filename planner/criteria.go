package planner

import (
	"fmt"
	"path"
	"strings"

	"jwstbulk/internal/mast"
)

// criterion is one flag of a query in the archive's terms: the observations that match any of its parts.
type criterion struct {
	flag, value string
	parts       []part
}

// part is what one request can ask of a criterion: the archive takes one pattern a column and one circle a request.
type part struct {
	filter   mast.Filter
	position string // instead of filter
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
			cs = append(cs, criterion{flag, strings.Join(values, ","), parts})
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
			dates = append(dates, part{filter: between("t_min", lo, hi)})
		}
	}
	add("--cone", q.Cones, cones)
	add("--date", q.Dates, dates)
	return cs
}

// between is a closed range of a numeric column.
func between(column string, lo, hi float64) mast.Filter {
	return mast.Filter{Column: column, Min: &lo, Max: &hi}
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
	if len(exact) > 0 {
		parts = append(parts, part{filter: mast.Filter{Column: column, Values: exact, Separator: separator}})
	}
	return parts
}

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

// obsParts turns PROGRAM:OBSERVATION into the two forms that obs_id has, and a glob into the archive's only wildcard, *.
// The archive's pattern may match more than was asked for (its _ stands for any letter): see obsMatch.
func obsParts(values []string) []part {
	var patterns []string
	for _, v := range values {
		var p, o int
		if n, err := fmt.Sscanf(v, "%d:%d", &p, &o); n == 2 && err == nil {
			patterns = append(patterns, fmt.Sprintf("jw%05d%03d*", p, o), fmt.Sprintf("jw%05d-o%03d*", p, o))
			continue
		}
		patterns = append(patterns, widen(v))
	}
	return textParts("obs_id", "", patterns)
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

// obsMatch reports whether an obs_id is one that was asked for; an empty list asks for all.
func obsMatch(asked []string, obsID string) bool {
	if len(asked) == 0 {
		return true
	}
	obsID = strings.ToLower(obsID)
	for _, a := range asked {
		var p, o int
		if n, err := fmt.Sscanf(a, "%d:%d", &p, &o); n == 2 && err == nil {
			if strings.HasPrefix(obsID, fmt.Sprintf("jw%05d%03d", p, o)) || strings.HasPrefix(obsID, fmt.Sprintf("jw%05d-o%03d", p, o)) {
				return true
			}
		} else if ok, err := path.Match(a, obsID); ok && err == nil {
			return true
		}
	}
	return false
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
		var next []mast.Query
		for _, q := range qs {
			for _, p := range c.parts {
				b := q
				if p.position != "" {
					b.Position = p.position
				} else {
					b.Filters = append(q.Filters[:len(q.Filters):len(q.Filters)], p.filter)
				}
				next = append(next, b)
			}
		}
		qs = next
	}
	return qs
}
