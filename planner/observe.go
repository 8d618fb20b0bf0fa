package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// observeChunks are the first chunks of a query: one a branch.
func observeChunks(q query.Normal) []queue.NewChunk {
	var chunks []queue.NewChunk
	for i := range q.Branches() {
		chunks = append(chunks, sweep{Branch: i}.chunk(kindObserve))
	}
	return chunks
}

// observe works one chunk of the list of observations.
func (w *work) observe(ctx context.Context, c queue.Chunk) error {
	var s sweep
	if err := decode(c, &s); err != nil {
		return err
	}
	all := w.query.Branches()
	if s.Branch < 0 || s.Branch >= len(all) {
		return fmt.Errorf("chunk %d asks branch %d of %d", c.ID, s.Branch, len(all))
	}
	with := func(extra []mast.Filter) mast.Query { return narrowed(all[s.Branch].Query, extra) }
	lo, hi := rangeOf(all[s.Branch].Query, "t_min")
	return w.run(ctx, c, s, question{
		what:   "observations",
		column: "t_min",
		lo:     lo,
		hi:     hi,
		count: func(ctx context.Context, extra ...mast.Filter) (int64, error) {
			w.report(kindObserve, 0)
			return w.cfg.Archive.Count(ctx, with(extra))
		},
		fetch: func(ctx context.Context, extra ...mast.Filter) (*mast.Reply, error) {
			w.report(kindObserve, 0)
			return w.cfg.Archive.Observations(ctx, with(extra))
		},
		take: func(r *mast.Reply, out *queue.ChunkResult) { out.Observations = w.observations(r) },
		times: func(r *mast.Reply, f func(int64, float64)) error {
			for o, err := range r.Observations() {
				if err != nil {
					return err
				}
				f(o.ObsID, o.TMin)
			}
			return nil
		},
		null: &mast.Filter{Column: "calib_level", Values: []string{"-1"}},
	})
}

// narrowed adds conditions; a range replaces the query's own range of that column, which it lies within.
func narrowed(q mast.Query, extra []mast.Filter) mast.Query {
	var filters []mast.Filter
	for _, f := range q.Filters {
		if !slices.ContainsFunc(extra, func(e mast.Filter) bool { return e.Min != nil && e.Column == f.Column }) {
			filters = append(filters, f)
		}
	}
	q.Filters = append(filters, extra...)
	return q
}

// rangeOf gives the range of a column that a query asks for.
func rangeOf(q mast.Query, column string) (lo, hi float64) {
	for _, f := range q.Filters {
		if f.Column == column && f.Min != nil && f.Max != nil {
			return *f.Min, *f.Max
		}
	}
	return query.LowestMJD, query.HighestMJD
}

// observations translates rows, and drops those that only the archive's wider pattern matched or that are excluded.
func (w *work) observations(r *mast.Reply) iter.Seq2[queue.Observation, error] {
	wanted := w.query.Observations()
	return func(yield func(queue.Observation, error) bool) {
		for o, err := range r.Observations() {
			if err == nil && (o.ObsID <= 0 || !wanted(&o)) {
				continue
			}
			if !yield(queue.Observation{
				Obsid: o.ObsID, ObsID: o.ObsName, Program: o.ProposalID, Instrument: o.Instrument,
				Level: o.Level, Rights: o.Rights, ReleaseAt: o.ReleaseAt,
			}, err) {
				return
			}
		}
	}
}

// stops tells whether an error ends the plan: the context, local trouble, refusal of the whole service, or an archive that
// does not answer a trivial question either. A nil result means that asking for less may help.
func (w *work) stops(ctx context.Context, err error) error {
	var local *fs.PathError
	switch {
	case ctx.Err() != nil, errors.As(err, &local), errors.Is(err, mast.ErrCertificate), errors.Is(err, mast.ErrInput),
		errors.Is(err, fs.ErrPermission):
		return err
	case isService(err):
		return nil
	}
	w.prog.Requests++
	if _, probe := w.cfg.Archive.Count(ctx, probeQuery()); probe != nil {
		return err
	}
	return nil
}

// probeQuery is answered at once by an archive that is alive: a look-up by key.
func probeQuery() mast.Query {
	return mast.Query{Filters: []mast.Filter{
		{Column: "obs_collection", Values: []string{"JWST"}, Separator: ";"},
		{Column: "obsid", Values: []string{"1"}},
	}}
}
