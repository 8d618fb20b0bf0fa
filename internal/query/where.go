package query

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"jwstbulk/internal/mast"
)

// column is a column of the archive's observations that --where takes.
type column struct {
	name      string
	kind      columnKind
	separator string // of columns that hold a list
	text      func(*mast.Observation) string
	number    func(*mast.Observation) float64
}

// columnKind says what the values of a column are.
type columnKind int

const (
	textColumn   columnKind = iota // the archive compares text; * stands for any text
	exactColumn                    // the archive compares text, and patterns make no sense
	numberColumn                   // the archive takes ranges only
	dateColumn                     // an MJD; dates are understood
)

// whereColumns are the columns as documented by STScI for CAOM observations. The collection is always JWST; footprints and
// URLs cannot be asked for in a useful way.
func whereColumns() []column {
	type o = mast.Observation
	return []column{
		{name: "intentType", text: func(o *o) string { return o.Intent }},
		{name: "provenance_name", text: func(o *o) string { return o.Provenance }},
		{name: "instrument_name", text: func(o *o) string { return o.Instrument }},
		{name: "project", separator: ";", text: func(o *o) string { return o.Project }},
		{name: "filters", separator: ";", text: func(o *o) string { return o.Filters }},
		{name: "wavelength_region", separator: ";"},
		{name: "target_name", text: func(o *o) string { return o.Target }},
		{name: "target_classification", separator: ";", text: func(o *o) string { return o.TargetClass }},
		{name: "obs_id", text: func(o *o) string { return o.ObsName }},
		{name: "obs_title", text: func(o *o) string { return o.Title }},
		{name: "proposal_pi", text: func(o *o) string { return o.PI }},
		{name: "proposal_type", text: func(o *o) string { return o.ProposalType }},
		{name: "proposal_id", text: func(o *o) string { return o.ProposalID }},
		{name: "dataproduct_type", text: func(o *o) string { return o.DataproductType }},
		{name: "dataRights", text: func(o *o) string { return o.Rights }},
		{name: "calib_level", kind: exactColumn, text: func(o *o) string { return strconv.Itoa(o.Level) }},
		{name: "obsid", kind: exactColumn, text: func(o *o) string { return strconv.FormatInt(o.ObsID, 10) }},
		{name: "mtFlag", kind: exactColumn, text: func(o *o) string { return strconv.FormatBool(o.MovingTarget) }},
		{name: "s_ra", kind: numberColumn, number: func(o *o) float64 { return o.RA }},
		{name: "s_dec", kind: numberColumn, number: func(o *o) float64 { return o.Dec }},
		{name: "t_exptime", kind: numberColumn, number: func(o *o) float64 { return o.ExpTime }},
		{name: "em_min", kind: numberColumn, number: func(o *o) float64 { return o.EmMin }},
		{name: "em_max", kind: numberColumn, number: func(o *o) float64 { return o.EmMax }},
		{name: "t_min", kind: dateColumn, number: func(o *o) float64 { return o.TMin }},
		{name: "t_max", kind: dateColumn, number: func(o *o) float64 { return o.TMax }},
		{name: "t_obs_release", kind: dateColumn, number: func(o *o) float64 {
			if o.ReleaseAt.IsZero() {
				return math.NaN()
			}
			return mast.MJD(o.ReleaseAt)
		}},
	}
}

// condition is one --where: a column, and what its value must be or must not be.
type condition struct {
	column
	not    bool
	texts  []string
	ranges [][2]float64
}

// parseCondition reads COLUMN=VALUES or COLUMN!=VALUES: values separated by commas, ranges as LO..HI. The error is a
// *UsageError.
func parseCondition(flag, s string) (condition, error) {
	fail := func(want string) (condition, error) { return condition{}, &UsageError{flag, s, want} }
	name, list, ok := strings.Cut(s, "=")
	if !ok {
		return fail("COLUMN=VALUE, COLUMN!=VALUE or COLUMN=LO..HI")
	}
	name, not := strings.CutSuffix(strings.TrimSpace(name), "!")
	name = strings.TrimSpace(name)
	cols := whereColumns()
	i := slices.IndexFunc(cols, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		names := make([]string, len(cols))
		for i, c := range cols {
			names[i] = c.name
		}
		return fail("a column of the archive's observations; " + suggest(name, names))
	}
	c := condition{column: cols[i], not: not}
	if not && c.text == nil && c.number == nil {
		return fail(c.name + " can only be asked for, not excluded")
	}
	for v := range strings.SplitSeq(list, ",") {
		if want := c.add(strings.TrimSpace(v)); want != "" {
			return fail(want)
		}
	}
	slices.Sort(c.texts)
	c.texts = slices.Compact(c.texts)
	slices.SortFunc(c.ranges, func(a, b [2]float64) int { return slices.Compare(a[:], b[:]) })
	c.ranges = slices.Compact(c.ranges)
	if !not && c.name == "t_min" {
		return fail("--date for the start of the observation; t_min takes != only")
	}
	return c, nil
}

// add takes one value; the result says what was wanted, "" if all is well.
func (c *condition) add(v string) (want string) {
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '%' }) {
		return "a value for " + c.name
	}
	switch c.kind {
	case exactColumn:
		if strings.Contains(v, "*") {
			return "an exact value of " + c.name
		}
		if c.name == "mtFlag" {
			if v = strings.ToLower(v); v != "true" && v != "false" {
				return "true or false"
			}
		}
		c.texts = append(c.texts, v)
	case textColumn:
		if strings.Trim(v, "*") == "" {
			return "text, * for any part of it"
		}
		c.texts = append(c.texts, v)
	default:
		r, ok := parseRange(v, c.kind == dateColumn)
		if !ok {
			return "a number or a range such as 10..20, one end may be left out" + map[bool]string{true: "; or dates as in --date"}[c.kind == dateColumn]
		}
		c.ranges = append(c.ranges, r)
	}
	return ""
}

// widest bounds an open range: far beyond all columns, and exact in every decimal form.
const widest = 1e15

// parseRange reads LO..HI, ..HI, LO.. or one number; dates where they make sense.
func parseRange(v string, dates bool) (r [2]float64, ok bool) {
	lo, hi, isRange := strings.Cut(v, "..")
	if !isRange {
		hi = lo
	}
	r = [2]float64{-widest, widest}
	ok = strings.TrimSpace(lo) != "" || strings.TrimSpace(hi) != ""
	for i, s := range [2]string{lo, hi} {
		if s = strings.TrimSpace(s); s != "" {
			x, number := parseDecimal(s)
			r[i], ok = x, ok && number && math.Abs(x) < widest
		}
	}
	if ok && r[0] <= r[1] {
		return r, true
	}
	if dates {
		if d, err := ParseDates(v); err == nil {
			r[0], r[1] = d.MJD()
			return r, true
		}
	}
	return r, false
}

// String is the normal form, as parseCondition reads it.
func (c *condition) String() string {
	values := slices.Clone(c.texts)
	end := func(v float64) string {
		if math.Abs(v) == widest {
			return ""
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	for _, r := range c.ranges {
		if r[0] == r[1] {
			values = append(values, end(r[0]))
		} else {
			values = append(values, end(r[0])+".."+end(r[1]))
		}
	}
	op := "="
	if c.not {
		op = "!="
	}
	return c.name + op + strings.Join(values, ",")
}

// parts are what the archive is asked for; an excluding condition is applied here, for the archive has none.
func (c *condition) parts() []part {
	if c.kind == textColumn || c.kind == exactColumn {
		return textParts(c.name, c.separator, c.texts)
	}
	var parts []part
	for _, r := range c.ranges {
		parts = append(parts, part{filter: mast.Between(c.name, r[0], r[1])})
	}
	return parts
}

// excludes reports whether an observation is one that the condition does not want. A value that the archive does not state
// is not excluded.
func (c *condition) excludes(o *mast.Observation) bool {
	if !c.not {
		return false
	}
	if c.number != nil {
		v := c.number(o)
		return slices.ContainsFunc(c.ranges, func(r [2]float64) bool { return v >= r[0] && v <= r[1] })
	}
	pieces := []string{c.text(o)}
	if c.separator != "" {
		pieces = append(pieces, strings.Split(pieces[0], c.separator)...)
	}
	return slices.ContainsFunc(pieces, func(p string) bool {
		return slices.ContainsFunc(c.texts, func(pattern string) bool { return like(pattern, strings.TrimSpace(p)) })
	})
}

// like compares text without regard to case; * in the pattern stands for any text, as it does for the archive.
func like(pattern, s string) bool {
	if !strings.Contains(pattern, "*") {
		return strings.EqualFold(pattern, s)
	}
	literal := strings.NewReplacer(`\`, `\\`, "?", `\?`, "[", `\[`, "/", "\x01").Replace(strings.ToLower(pattern))
	// path.Match stops * at a slash, which values may hold.
	ok, err := path.Match(literal, strings.ReplaceAll(strings.ToLower(s), "/", "\x01"))
	return err == nil && ok
}

// normalWhere is the normal form of one --where.
func normalWhere(flag, v string) (string, error) {
	c, err := parseCondition(flag, v)
	if err != nil {
		return "", err
	}
	return c.String(), nil
}

// conditions are those of a normal query.
func (q Query) conditions() []condition {
	var cs []condition
	for _, w := range q.Where {
		// A normal query's conditions parse.
		if c, err := parseCondition("--where", w); err == nil {
			cs = append(cs, c)
		}
	}
	return cs
}

// checkWhere refuses two conditions that ask for one column: the archive takes one, and which is not documented.
func (q Query) checkWhere() error {
	asked := map[string]string{}
	for flag, v := range map[string]struct {
		values []string
		column string
	}{"--program": {q.Programs, "proposal_id"}, "--obs": {q.Obs, "obs_id"}, "--instrument": {q.Instruments, "instrument_name"},
		"--filter": {q.Filters, "filters"}, "--target": {q.Targets, "target_name"}} {
		if len(v.values) > 0 {
			asked[v.column] = flag
		}
	}
	for _, c := range q.conditions() {
		if c.not {
			continue
		}
		if other := asked[c.name]; other != "" {
			return &UsageError{"--where", c.String(), fmt.Sprintf("one condition for %s, which %s gives already; several values may be joined by commas", c.name, other)}
		}
		asked[c.name] = "another --where"
	}
	return nil
}
