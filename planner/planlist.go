package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// PlanList adds the files of a list to the campaign as Plan does those of a query; their exact sizes and checksums come
// from the keyword services. The list's own folders are kept. q may narrow it by Suffixes, Include, Exclude and Limit;
// other criteria are refused with *UsageError: a list of files does not say rights, types or observations. A list of
// observations is planned as the query that names them, which takes all criteria.
//
// A plan that was interrupted is taken up when the same list is given again.
func (p *Planner) PlanList(ctx context.Context, l *filelist.List, q query.Query) (Summary, error) {
	if len(l.Obs) > 0 {
		if len(q.Obs) > 0 {
			return Summary{}, &query.UsageError{Flag: "--obs", Value: strings.Join(q.Obs, ","), Want: "nothing: the list names the observations"}
		}
		q.Obs = l.Obs
		return p.Plan(ctx, q)
	}
	if err := checkNarrows(l.Name, q); err != nil {
		return Summary{}, err
	}
	sel := query.Query{Suffixes: q.Suffixes, Include: q.Include, Exclude: q.Exclude, Limit: q.Limit}
	id := l.ID()
	sel.List = &id
	sel.GuideStars = true // a list names what it wants
	spec, err := sel.Canonical()
	if err != nil {
		return Summary{}, err
	}
	n, err := sel.Normal()
	if err != nil {
		return Summary{}, err
	}
	qid, resumed, err := p.begin(ctx, spec)
	if err != nil {
		return Summary{}, err
	}
	if err := p.seed(ctx, qid, []queue.NewChunk{{Kind: kindList}}); err != nil {
		return Summary{}, err
	}
	w := &work{Planner: p, id: qid, query: n, sel: n.Selector(), list: l}
	if err := w.stages(ctx); err != nil {
		return Summary{}, fmt.Errorf("planning list %q: %w", l.Name, err)
	}
	return w.finish(ctx, spec, resumed)
}

// checkNarrows refuses criteria that the entries of a list of files cannot be chosen by. list is the list's name.
func checkNarrows(list string, q query.Query) error {
	rest := q
	rest.Suffixes, rest.Include, rest.Exclude, rest.GuideStars, rest.Limit = nil, nil, nil, false, ""
	if b, err := json.Marshal(rest); err != nil || string(b) != "{}" {
		return &query.UsageError{Flag: "--from", Value: list, Want: "no criteria beside --suffix, --include, --exclude and --limit"}
	}
	return nil
}

// takeList stores the whole list at once.
func (w *work) takeList(ctx context.Context, c queue.Chunk) error {
	if w.list == nil {
		return fmt.Errorf("chunk %d needs its list", c.ID)
	}
	return w.settle(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Rows: int64(len(w.list.Items)), Products: w.listRows()})
}

func (w *work) listRows() iter.Seq2[queue.ProductRow, error] {
	return func(yield func(queue.ProductRow, error) bool) {
		for _, it := range w.list.Items {
			name := it.Name()
			r := queue.ProductRow{File: queue.NewFile{
				URI: it.URI, Name: name, ObsID: it.Folder, Own: it.Folder != "", Size: -1,
				Facts: queue.Facts{Program: product.Program(name), Instrument: product.Instrument(name), Level: levelOf(name)},
			}}
			r.Rule = w.rule(name, -1, &r.File.Facts)
			if !yield(r, nil) {
				return
			}
		}
	}
}

// levelOf tells the CAOM level from a file name; mast.LevelUnknown if it does not say.
func levelOf(name string) int {
	suffix, _ := product.Suffix(name)
	switch {
	case product.GuideStar(name):
	case len(name) > 7 && name[7] == '-' && product.ObsID(name) != "":
		return 3
	case product.Stage(suffix, 2) == "1b":
		return 1
	case product.Stage(suffix, 2) != "":
		return 2
	}
	return mast.LevelUnknown
}
