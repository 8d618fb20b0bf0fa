package mast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
)

// Query is a filtered question to the archive's query service.
type Query struct {
	// Filters must all hold.
	Filters []Filter
	// Columns is "*" or a comma-separated list; "" means "*" for observations, and the columns KeywordRow needs for
	// keyword services.
	Columns string
	// Position, if not "", restricts observations to a cone: "ra, dec, radius" in degrees (ICRS).
	Position string
}

// Filter is a condition on one column: any of Values, or text matching FreeText, or a number in [Min, Max].
type Filter struct {
	Column string
	// Values are compared as exact text, numbers too.
	Values []string
	// Min and Max are inclusive; both or neither are set, and then Values and FreeText are empty.
	Min, Max *float64
	// FreeText is a pattern; '*' and '%' stand for any text.
	FreeText string
	// Separator is needed for columns that hold a list: ";" for filters, wavelength_region, target_classification,
	// obs_collection and project.
	Separator string
}

// Between is a closed range of a numeric column.
func Between(column string, lo, hi float64) Filter { return Filter{Column: column, Min: &lo, Max: &hi} }

type filterJSON struct {
	ParamName string `json:"paramName"`
	Values    []any  `json:"values"`
	FreeText  string `json:"freeText,omitempty"`
	Separator string `json:"separator,omitempty"`
}

type rangeJSON struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

type filteredJSON struct {
	Columns  string       `json:"columns"`
	Filters  []filterJSON `json:"filters"`
	Position string       `json:"position,omitempty"`
}

// params makes the service's parameters; rename, if not nil, translates column names.
func (q Query) params(columns string, rename func(string) string) (filteredJSON, error) {
	p := filteredJSON{Columns: columns, Filters: make([]filterJSON, 0, len(q.Filters)), Position: q.Position}
	for _, f := range q.Filters {
		wire, err := f.wire()
		if err != nil {
			return p, err
		}
		if rename != nil {
			wire.ParamName = rename(wire.ParamName)
		}
		p.Filters = append(p.Filters, wire)
	}
	return p, nil
}

// wire checks the filter: one that the service would silently match with nothing, or with everything, is refused.
func (f Filter) wire() (filterJSON, error) {
	w := filterJSON{
		ParamName: f.Column, Values: make([]any, 0, len(f.Values)+1), Separator: f.Separator,
		FreeText: strings.ReplaceAll(f.FreeText, "*", "%"),
	}
	ranged := f.Min != nil || f.Max != nil
	switch {
	case f.Column == "":
		return w, fmt.Errorf("%w: filter without a column", ErrInput)
	case ranged && (f.Min == nil || f.Max == nil):
		return w, fmt.Errorf("%w: filter on %q has one end only", ErrInput, f.Column)
	case ranged && (len(f.Values) > 0 || f.FreeText != ""):
		return w, fmt.Errorf("%w: filter on %q has both a range and values", ErrInput, f.Column)
	case ranged && !(*f.Min <= *f.Max && !math.IsInf(*f.Min, 0) && !math.IsInf(*f.Max, 0)):
		return w, fmt.Errorf("%w: filter on %q has no range from %v to %v", ErrInput, f.Column, *f.Min, *f.Max)
	case !ranged && len(f.Values) == 0 && f.FreeText == "":
		return w, fmt.Errorf("%w: filter on %q has no value", ErrInput, f.Column)
	}
	if ranged {
		w.Values = append(w.Values, rangeJSON{Min: *f.Min, Max: *f.Max})
	}
	for _, v := range f.Values {
		w.Values = append(w.Values, v)
	}
	return w, nil
}

// request is what is sent to the query service. The archive finds a running query by the bytes of its request, so the
// form of a page is built once and every poll sends the same bytes.
type request struct {
	Service      string `json:"service"`
	Params       any    `json:"params"`
	Format       string `json:"format"`
	PageSize     int    `json:"pagesize"`
	Page         int    `json:"page"`
	CacheBreaker string `json:"cacheBreaker"`
}

// form returns the body: one field, percent-encoded, a space as %20.
func (r request) form() ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	escaped := url.QueryEscape(strings.TrimSuffix(text.String(), "\n"))
	return []byte("request=" + strings.ReplaceAll(escaped, "+", "%20")), nil
}
