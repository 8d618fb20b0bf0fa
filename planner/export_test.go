package planner

import (
	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// Internals under test.
var (
	ServiceOf = serviceOf
	LevelOf   = levelOf
	Widen     = widen
)

// ObsMatch reports whether --obs asks for an observation.
func ObsMatch(asked []string, obsID string) bool { return newObsSet(asked).has(obsID, 0) }

// RuleOf applies the file criteria of a query.
func RuleOf(q Query, name string, f queue.Facts) string {
	n, err := q.normal()
	if err != nil {
		return err.Error()
	}
	return newSelector(n).rule(name, -1, &f)
}

// Branches describes the requests of a query.
func Branches(q Query) ([]string, error) {
	n, err := q.normal()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range branches(n.criteria()) {
		out = append(out, string(encode(b)))
	}
	return out, nil
}

// RowFunc translates product rows for a query.
func RowFunc(q Query) func(*mast.Product) queue.ProductRow {
	n, err := q.normal()
	if err != nil {
		return nil
	}
	w := &work{query: n, sel: newSelector(n)}
	return func(p *mast.Product) queue.ProductRow { return w.row(p, nil) }
}

// NormalWhere gives the normal form of the conditions of a query.
func NormalWhere(q Query) []string {
	n, err := q.normal()
	if err != nil {
		return nil
	}
	return n.Where
}

// ObservationsAfterEmpty is how many observations a request asks for after one reply with rows and then so many without.
func ObservationsAfterEmpty(replies int) int {
	p := newPace(Config{FirstObsids: 8, MaxObsids: 64, MaxProductRows: 1000})
	p.answered(8, 800, true)
	for range replies {
		p.answered(p.n, 0, true)
	}
	return p.n
}
