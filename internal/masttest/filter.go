package masttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// wireFilter is one entry of params.filters.
type wireFilter struct {
	Param     string            `json:"paramName"`
	Values    []json.RawMessage `json:"values"`
	FreeText  *string           `json:"freeText"`
	Separator string            `json:"separator"`
}

// filter is one column's condition: any of its values, ranges or its pattern.
type filter struct {
	param    string
	values   []string
	ranges   []span
	dates    [][2]string
	pattern  string
	freeText bool
	sep      string
}

type span struct{ min, max float64 }

// parseFilters reads params.filters. Values that are not strings or {min, max} objects are silently no match, as on
// the archive; a null value is an error there, and here.
func parseFilters(raw json.RawMessage) ([]filter, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var wire []wireFilter
	if err := json.Unmarshal(raw, &wire); err != nil {
		return nil, fmt.Errorf("bad filters: %w", err)
	}
	var out []filter
	for _, w := range wire {
		f := filter{param: w.Param, sep: w.Separator}
		if w.FreeText != nil && *w.FreeText != "" {
			f.pattern, f.freeText = *w.FreeText, true
		}
		for _, v := range w.Values {
			if err := f.addValue(v); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

func (f *filter) addValue(v json.RawMessage) error {
	v = bytes.TrimSpace(v)
	switch {
	case bytes.Equal(v, []byte("null")):
		return fmt.Errorf("filter on %s has a null value", f.param)
	case v[0] == '"':
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return err
		}
		f.values = append(f.values, s)
	case v[0] == '{':
		var n struct{ Min, Max *float64 }
		var d struct{ Min, Max *string }
		if json.Unmarshal(v, &n) == nil && n.Min != nil && n.Max != nil {
			f.ranges = append(f.ranges, span{*n.Min, *n.Max})
		} else if json.Unmarshal(v, &d) == nil && d.Min != nil && d.Max != nil {
			f.dates = append(f.dates, [2]string{*d.Min, *d.Max})
		}
	}
	return nil
}

// match tells whether a cell meets the condition. Null meets none.
func (f *filter) match(v any) bool {
	if n, ok := number(v); ok {
		for _, r := range f.ranges {
			if n >= r.min && n <= r.max {
				return true
			}
		}
	}
	s, ok := text(v)
	if !ok {
		return false
	}
	if _, date := v.(time.Time); date {
		for _, d := range f.dates {
			if s >= d[0] && s <= d[1] {
				return true
			}
		}
	}
	if slices.Contains(f.values, s) || f.freeText && like(f.pattern, s) {
		return true
	}
	if f.sep == "" {
		return false
	}
	for piece := range strings.SplitSeq(s, f.sep) {
		piece = strings.TrimSpace(piece)
		if slices.Contains(f.values, piece) || f.freeText && like(f.pattern, piece) {
			return true
		}
	}
	return false
}

// unknownColumn is an error in the words of the archive's database.
type unknownColumn string

func (c unknownColumn) Error() string { return "Invalid column name '" + string(c) + "'." }

// bound is a filter with the column it looks at.
type bound[T any] struct {
	filter
	get func(*T) any
}

// bind finds the columns of filters. An unknown one is an error of the query, as a database would say it.
func bind[T any](filters []filter, cols []column[T]) ([]bound[T], error) {
	out := make([]bound[T], 0, len(filters))
	for _, f := range filters {
		i := slices.IndexFunc(cols, func(c column[T]) bool { return strings.EqualFold(c.name, f.param) })
		if i < 0 {
			return nil, unknownColumn(f.param)
		}
		out = append(out, bound[T]{f, cols[i].get})
	}
	return out, nil
}

func matchAll[T any](row *T, filters []bound[T]) bool {
	for i := range filters {
		if !filters[i].match(filters[i].get(row)) {
			return false
		}
	}
	return true
}

// choose picks columns by params.columns: "*", "c.*", or a list. count is true for COUNT_BIG(*).
func choose[T any](spec string, cols []column[T]) (chosen []column[T], count bool, err error) {
	spec = strings.TrimSpace(spec)
	switch {
	case spec == "" || spec == "*" || spec == "c.*":
		return cols, false, nil
	case strings.EqualFold(strings.ReplaceAll(spec, " ", ""), "COUNT_BIG(*)"):
		return nil, true, nil
	}
	for name := range strings.SplitSeq(spec, ",") {
		name = strings.TrimPrefix(strings.TrimSpace(name), "c.")
		i := slices.IndexFunc(cols, func(c column[T]) bool { return strings.EqualFold(c.name, name) })
		if i < 0 {
			return nil, false, unknownColumn(name)
		}
		chosen = append(chosen, cols[i])
	}
	return chosen, false, nil
}
