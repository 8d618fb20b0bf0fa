package planner

import (
	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// Internals under test.
var (
	ServiceOf = serviceOf
	LevelOf   = levelOf
)

// RowFunc translates product rows for a query.
func RowFunc(q query.Query) func(*mast.Product) queue.ProductRow {
	n, err := q.Normal()
	if err != nil {
		return nil
	}
	w := &work{query: n, sel: n.Selector()}
	return func(p *mast.Product) queue.ProductRow { return w.row(p, nil) }
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
