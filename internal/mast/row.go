package mast

import (
	"iter"
	"strings"
	"time"
)

// Row is a row of any service, valid until the next step of the iteration. Columns are found by name in any case. Of a
// column that a reply has twice, the last value that is not null counts.
type Row struct {
	names  []string
	lookup map[string]int
	values []cell // by column; the zero cell is null
}

// Columns returns the names in the reply's order and spelling, without "_selected_", which is of no meaning. The slice
// must not be changed.
func (r Row) Columns() []string { return r.names }

func (r Row) cell(column string) *cell {
	i, ok := r.lookup[strings.ToLower(column)]
	if !ok || i >= len(r.values) {
		return &cell{}
	}
	return &r.values[i]
}

// Null reports whether the row has no value in the column.
func (r Row) Null(column string) bool { return r.cell(column).kind == isNull }

// Text returns the value as text: "" for null, JSON for what is neither string nor number nor boolean.
func (r Row) Text(column string) string { return r.cell(column).text() }

// Int returns a whole number, also one in quotes; false for null and anything else.
func (r Row) Int(column string) (int64, bool) { return r.cell(column).integer() }

// Float returns a number, also one in quotes; false for null and anything else.
func (r Row) Float(column string) (float64, bool) { return r.cell(column).number() }

// Bool returns a boolean, also one in quotes or as 0 and 1; false for null and anything else.
func (r Row) Bool(column string) (value, ok bool) { return r.cell(column).truth() }

// Time returns a date: "/Date(ms)/", ISO 8601 (UTC if it names no zone) or a Modified Julian Date; false for null and
// anything else.
func (r Row) Time(column string) (time.Time, bool) { return r.cell(column).when() }

// Each returns the rows of any service.
func (r *Reply) Each() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		row := Row{lookup: make(map[string]int)}
		resolve := func(name string) int {
			if name == "_selected_" {
				return -1
			}
			lower := strings.ToLower(name)
			if i, ok := row.lookup[lower]; ok {
				return i
			}
			i := len(row.names)
			row.lookup[lower] = i
			row.names = append(row.names, name)
			return i
		}
		err := r.walk(resolve, func(cells []cell) bool {
			for len(row.values) < len(row.names) {
				row.values = append(row.values, cell{})
			}
			clear(row.values)
			for _, c := range cells {
				row.values[c.column] = c
			}
			return yield(row, nil)
		})
		if err != nil {
			yield(Row{}, err)
		}
	}
}
