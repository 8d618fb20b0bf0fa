package planner

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// productAsk is the spec of a product chunk.
type productAsk struct {
	Chain bool    `json:"chain,omitempty"` // asks for the next observations when it is done
	Pace  stored  `json:"pace"`
	Obs   []asked `json:"obs"`
}

// asked is what the product rows of an observation need to know of it.
type asked struct {
	ID         int64  `json:"id"`
	Program    string `json:"prog,omitempty"`
	Instrument string `json:"inst,omitempty"`
	Release    int64  `json:"release,omitempty"` // Unix seconds; only of observations that are not public
	Planned    bool   `json:"planned,omitempty"` // not executed: has no products and is not asked for
}

// maxPlanned bounds a chunk that passes over observations that were not executed.
const maxPlanned = 1000

func (a productAsk) chunk() queue.NewChunk {
	n := queue.NewChunk{Kind: kindProducts, Spec: encode(a)}
	for _, o := range a.Obs {
		n.Obsids = append(n.Obsids, o.ID)
	}
	return n
}

// ids lists the observations to ask for.
func (a productAsk) ids() []int64 {
	var ids []int64
	for _, o := range a.Obs {
		if !o.Planned {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// halves splits what is asked for in two; observations that are not asked for go with the first.
func (a productAsk) halves(p stored) (first, second productAsk) {
	k := (len(a.ids()) + 1) / 2
	first.Pace, second.Pace, second.Chain = p, p, a.Chain
	for _, o := range a.Obs {
		switch {
		case o.Planned:
			first.Obs = append(first.Obs, o)
		case k > 0:
			first.Obs = append(first.Obs, o)
			k--
		default:
			second.Obs = append(second.Obs, o)
		}
	}
	return first, second
}

// next reads the observations that no chunk asks for yet, as many as the pace allows.
func (w *work) next(ctx context.Context) (a productAsk, ok bool, err error) {
	a = productAsk{Chain: true, Pace: w.pace.store()}
	n, planned := 0, 0
	for o, err := range w.q.Observations(ctx, w.id) {
		if err != nil {
			return a, false, fmt.Errorf("reading observations: %w", err)
		}
		inst, _, _ := strings.Cut(o.Instrument, "/")
		e := asked{ID: o.Obsid, Program: o.Program, Instrument: inst, Planned: o.Level == -1}
		if !query.IsPublic(o.Rights) && !o.ReleaseAt.IsZero() {
			e.Release = o.ReleaseAt.Unix()
		}
		if a.Obs = append(a.Obs, e); e.Planned {
			planned++
		} else {
			n++
		}
		if n >= w.pace.n || planned >= maxPlanned {
			break
		}
	}
	return a, len(a.Obs) > 0, nil
}

// moreProducts adds a chunk for the next observations when no chunk is left: at the beginning, and after one that failed.
func (w *work) moreProducts(ctx context.Context) (bool, error) {
	a, ok, err := w.next(ctx)
	if err != nil || !ok {
		return false, err
	}
	if err := w.q.AddChunks(ctx, w.id, []queue.NewChunk{a.chunk()}); err != nil {
		return false, fmt.Errorf("recording chunks: %w", err)
	}
	return true, nil
}

// products works one product chunk.
func (w *work) products(ctx context.Context, c queue.Chunk) error {
	var a productAsk
	if err := decode(c, &a); err != nil {
		return err
	}
	w.pace.restore(a.Pace)
	out := queue.ChunkResult{State: queue.ChunkDone}
	if ids := a.ids(); len(ids) > 0 {
		reply, elapsed, err := w.ask(ctx, ids)
		out.Elapsed = elapsed
		if err != nil {
			out.Requests = 1
			return w.productsFailed(ctx, c, a, out, err)
		}
		defer reply.Close()
		out.Rows, out.Requests = reply.Rows(), int64(reply.Requests())
		out.Products = w.rows(reply, a.Obs)
		w.pace.answered(len(ids), reply.Rows(), out.Elapsed < w.cfg.Quick)
	}
	if a.Chain {
		b, ok, err := w.next(ctx)
		if err != nil {
			return err
		}
		if ok {
			out.Children = []queue.NewChunk{b.chunk()}
			w.askAhead(ctx, b.ids())
		}
	}
	return w.settle(ctx, c, out)
}

// productsFailed halves what was asked for, or fails the one observation.
func (w *work) productsFailed(ctx context.Context, c queue.Chunk, a productAsk, out queue.ChunkResult, err error) error {
	if stop := w.stops(ctx, err); stop != nil {
		return w.giveBack(ctx, c, out.Requests, stop)
	}
	n := len(a.ids())
	w.pace.failed(n)
	if n == 1 {
		out.State, out.Error = queue.ChunkFailed, fmt.Sprintf("products of observation %d: %v", a.ids()[0], err)
		return w.settle(ctx, c, out)
	}
	first, second := a.halves(w.pace.store())
	out.State, out.Children = queue.ChunkSplit, []queue.NewChunk{first.chunk(), second.chunk()}
	w.cfg.Logger.WarnContext(ctx, "halving product request", "chunk_id", c.ID, "obsids", n, "error", err)
	return w.settle(ctx, c, out)
}

// rows translates product rows and applies the query's rules.
func (w *work) rows(reply *mast.Reply, obs []asked) iter.Seq2[queue.ProductRow, error] {
	byID := make(map[int64]asked, len(obs))
	for _, o := range obs {
		byID[o.ID] = o
	}
	return func(yield func(queue.ProductRow, error) bool) {
		for p, err := range reply.Products() {
			if err == nil && p.URI == "" {
				continue
			}
			var row queue.ProductRow
			if err == nil {
				row = w.row(&p, byID)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// rule names the rule of the query that leaves a file out; "" takes it. size is -1 if it is unknown.
func (w *work) rule(name string, size int64, f *queue.Facts) string {
	return w.sel.Rule(query.Candidate{Name: name, Size: size, Level: f.Level, ProductType: f.ProductType, Rights: f.Rights})
}

// row translates one product row. Most rows are guide stars that nobody asked for: they are told apart first.
func (w *work) row(p *mast.Product, byID map[int64]asked) queue.ProductRow {
	name := p.URI[strings.LastIndexByte(p.URI, '/')+1:]
	r := queue.ProductRow{File: queue.NewFile{URI: p.URI, Name: name, ObsID: p.ObsName, Size: p.Size}}
	if len(p.URI) > product.MaxURI || !strings.HasPrefix(p.URI, product.Prefix) {
		r.File.URI = p.URI[:min(len(p.URI), product.MaxURI)]
		r.Rule = query.RuleCollection
		return r
	}
	if !w.query.GuideStars && product.GuideStar(name) {
		r.Rule = query.RuleGuideStars
		return r
	}
	parent := p.ParentObsID
	if parent == 0 {
		parent = p.ObsID
	}
	o := byID[parent]
	f := &r.File.Facts
	*f = queue.Facts{Program: p.ProposalID, Instrument: product.Instrument(name), Level: p.Level, ProductType: p.ProductType, Rights: p.Rights}
	if f.Program == "" {
		f.Program = product.Program(name)
	}
	if f.Instrument == "" {
		f.Instrument = o.Instrument
	}
	if o.Release != 0 && !query.IsPublic(p.Rights) {
		f.ReleaseAt = time.Unix(o.Release, 0).UTC()
	}
	if r.Rule = w.rule(name, p.Size, f); r.Rule == "" && parent > 0 {
		r.File.Own = p.ObsID == parent
		r.File.Parents = []int64{parent}
	}
	return r
}
