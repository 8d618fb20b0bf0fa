package query

import (
	"encoding/json"
	"errors"
)

// Widen is under test.
var Widen = widen

// ObsMatch reports whether --obs asks for an observation.
func ObsMatch(asked []string, obsID string) bool { return newObsSet(asked).has(obsID, 0) }

// RuleOf applies the file criteria of a query to a file of unknown size.
func RuleOf(q Query, name string, f Candidate) string {
	n, err := q.Normal()
	if err != nil {
		return err.Error()
	}
	f.Name, f.Size = name, -1
	return n.Selector().Rule(f)
}

// Branches describes the requests of a query.
func Branches(q Query) ([]string, error) {
	n, err := q.Normal()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range n.Branches() {
		text, jsonErr := json.Marshal(b.Query)
		out, err = append(out, string(text)), errors.Join(err, jsonErr)
	}
	return out, err
}

// NormalWhere gives the normal form of the conditions of a query.
func NormalWhere(q Query) []string {
	n, err := q.Normal()
	if err != nil {
		return nil
	}
	return n.Where
}
