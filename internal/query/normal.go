package query

import (
	"slices"

	"jwstbulk/internal/mast"
)

// Normal is a query that was checked and brought to its normal form. Its methods give it in the archive's terms, and what
// has to be applied to the answers because the archive cannot. It comes from Query.Normal alone.
type Normal struct{ Query }

// Normal checks the query, as Validate does, and returns its normal form: the one that Canonical writes.
func (q Query) Normal() (Normal, error) {
	n, err := q.normal()
	return Normal{n}, err
}

// ByKeywords reports a query that lists files straight from the keyword services, without observations.
func (q Normal) ByKeywords() bool { return q.Via == viaKeywords }

// MostFiles is the most files that the query adds; 0 means all.
func (q Normal) MostFiles() int64 { return sizeOf(q.Limit) }

// Branch is one question to the archive. What several branches of a query list is the same file or observation.
type Branch struct {
	Service string // the keyword service to ask; "" means the list of observations
	Query   mast.Query
}

// Branches are the questions that the query turns into, in an order that stays the same: all are asked, and their answers
// are joined.
func (q Normal) Branches() []Branch {
	if q.ByKeywords() {
		return q.fileBranches()
	}
	var out []Branch
	for _, b := range branches(q.criteria()) {
		out = append(out, Branch{Query: b})
	}
	return out
}

// Criterion is a flag with which a query narrows what the archive lists.
type Criterion struct {
	Flag, Value string
	Here        bool // applied by Observations, for the archive cannot
}

// Criteria lists the criteria of Branches, in the order of the flags' help.
func (q Normal) Criteria() []Criterion {
	var out []Criterion
	for _, c := range q.narrowing() {
		out = append(out, Criterion{c.flag, c.value, len(c.columns) > 0})
	}
	return out
}

// Without gives the questions of a query by observations that lacks its criterion i, counted as in Criteria.
func (q Normal) Without(i int) []mast.Query {
	return branches(slices.Delete(q.narrowing(), i, i+1))
}

func (q Normal) narrowing() []criterion {
	if q.ByKeywords() {
		return q.fileCriteria()
	}
	return q.criteria()
}

// Observations returns a function that tells the observations that were asked for from those that only the archive's wider
// pattern matched or that are excluded.
func (q Normal) Observations() func(*mast.Observation) bool {
	asked, conditions := newObsSet(q.Obs), q.conditions()
	return func(o *mast.Observation) bool {
		return asked.has(o.ObsName, o.ObsID) &&
			!slices.ContainsFunc(conditions, func(c condition) bool { return c.excludes(o) })
	}
}

// Files returns a function that does for a file of the keyword services, of which the observation and the name are known,
// what that of Observations does.
func (q Normal) Files() func(obsID, name string) bool {
	asked := newObsSet(q.Obs)
	return func(obsID, name string) bool { return asked.has(obsID, 0) || asked.guides(name) }
}

// WantsType reports whether files of an exposure type were asked for. A query that names no exposure types asks for none by
// its type.
func (q Normal) WantsType(expType string) bool {
	return slices.ContainsFunc(q.ExpTypes, func(p string) bool { return like(p, expType) })
}
