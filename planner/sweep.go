package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// sweep is the state of one large question, stored as the spec of a chunk: everything that is left to ask. Asking a range
// finishes one chunk and begets the next, so a killed plan goes on within the sweep.
type sweep struct {
	Branch  int      `json:"branch,omitempty"`  // which of the query's Branches; of observations and files
	Service string   `json:"service,omitempty"` // keywords
	Program string   `json:"program,omitempty"` // keywords of a programme …
	Names   []string `json:"names,omitempty"`   // … or of files
	Guides  []string `json:"guides,omitempty"`  // files: how the names of guide stars begin that are asked for, instead of the branch's own

	Counted bool         `json:"counted,omitempty"` // Whole is known
	Whole   int64        `json:"whole,omitempty"`   // rows of the whole
	Seen    int64        `json:"seen,omitempty"`    // rows taken in, each once
	Todo    [][2]float64 `json:"todo,omitempty"`    // closed ranges of MJD, ascending, adjacent ones share their end
	Edge    []int64      `json:"edge,omitempty"`    // obsids of the rows at the end of the last range: the next returns them too
	Lone    bool         `json:"lone,omitempty"`    // set apart because it failed once
	Lame    bool         `json:"lame,omitempty"`    // a part was set apart: no reckoning
}

// question is how a sweep asks its archive service.
type question struct {
	what   string  // for messages: "observations", "keyword rows"
	column string  // of time
	lo, hi float64 // the range of times that the question is about
	count  func(ctx context.Context, extra ...mast.Filter) (int64, error)
	fetch  func(ctx context.Context, extra ...mast.Filter) (*mast.Reply, error)
	// take sets what a chunk brings from a reply, and its children, if that gives rise to further questions.
	take func(*mast.Reply, *queue.ChunkResult)
	// times calls f with id and time (NaN if null) of each row; nil if rows need not be told apart.
	times func(reply *mast.Reply, f func(id int64, t float64)) error
	// null finds rows without a time; nil if there is no way.
	null *mast.Filter
}

const (
	narrowest = 1.0 / 86_400 // days: a range that is not halved further because it holds too many rows
	patient   = 0.5          // days: a range that is not halved further because it was not answered
	edgeWidth = 1e-6         // days: how far rounding may move a row across the end of a range
)

// run works one chunk of a sweep.
func (w *work) run(ctx context.Context, c queue.Chunk, s sweep, q question) error {
	switch {
	case !s.Counted:
		return w.sweepWhole(ctx, c, s, q)
	case len(s.Todo) > 0:
		return w.sweepRange(ctx, c, s, q)
	default:
		return w.reckon(ctx, c, s, q)
	}
}

// sweepWhole counts, and asks for everything at once if that is allowed.
func (w *work) sweepWhole(ctx context.Context, c queue.Chunk, s sweep, q question) error {
	start := w.cfg.Now()
	n, err := q.count(ctx)
	if err != nil {
		return w.uncounted(ctx, c, err)
	}
	out := queue.ChunkResult{State: queue.ChunkDone, Requests: 1}
	s.Counted, s.Whole = true, n
	if n > 0 && n <= w.cfg.MaxRows {
		reply, err := q.fetch(ctx)
		out.Requests++
		if err == nil {
			defer reply.Close()
			q.take(reply, &out)
			out.Rows, out.Requests = reply.Rows(), 1+int64(reply.Requests())
			if short := n - reply.Rows(); short > 0 {
				out.State, out.Error, out.Children = queue.ChunkFailed, shortBy(q.what, short, n), nil
			}
			out.Elapsed = w.cfg.Now().Sub(start)
			return w.settle(ctx, c, out)
		}
		if stop := w.stops(ctx, err); stop != nil {
			return w.giveBack(ctx, c, out.Requests, stop)
		}
	}
	if n > 0 {
		s.Todo = ranges(q.lo, q.hi, math.Ceil(mast.MJD(w.cfg.Now()))+1)
		out.State, out.Children = queue.ChunkSplit, []queue.NewChunk{s.chunk(c.Kind)}
	}
	out.Elapsed = w.cfg.Now().Sub(start)
	return w.settle(ctx, c, out)
}

// ranges cuts the times from lo to hi where the mission begins and where it ends so far: nearly all rows are between.
func ranges(lo, hi, now float64) [][2]float64 {
	var rs [][2]float64
	for _, cut := range []float64{firstLight, now} {
		if lo < cut && cut < hi {
			rs = append(rs, [2]float64{lo, cut})
			lo = cut
		}
	}
	return append(rs, [2]float64{lo, hi})
}

// firstLight is an MJD (2021-11-25) before the first observation of JWST.
const firstLight = 59_543

// sweepRange asks for the first range left, or halves it.
func (w *work) sweepRange(ctx context.Context, c queue.Chunk, s sweep, q question) error {
	start := w.cfg.Now()
	r := s.Todo[0]
	within := mast.Between(q.column, r[0], r[1])
	n, err := q.count(ctx, within)
	if err != nil {
		return w.uncounted(ctx, c, err)
	}
	out := queue.ChunkResult{State: queue.ChunkDone, Requests: 1}
	if n > w.cfg.MaxRows {
		if r[1]-r[0] <= narrowest {
			return w.setApart(ctx, c, s, out, fmt.Sprintf("%d %s share one second", n, q.what))
		}
		return w.halve(ctx, c, s, out)
	}
	s.Todo = s.Todo[1:]
	if n > 0 {
		reply, err := q.fetch(ctx, within)
		out.Requests++
		if err != nil {
			if stop := w.stops(ctx, err); stop != nil {
				return w.giveBack(ctx, c, out.Requests, stop)
			}
			s.Todo = append([][2]float64{r}, s.Todo...)
			if r[1]-r[0] <= patient {
				return w.setApart(ctx, c, s, out, err.Error())
			}
			return w.halve(ctx, c, s, out)
		}
		defer reply.Close()
		q.take(reply, &out)
		out.Rows, out.Requests = reply.Rows(), 1+int64(reply.Requests())
		if err := s.tell(reply, q, r[1]); err != nil {
			return err
		}
	}
	if len(s.Todo) > 0 || s.Seen < s.Whole && !s.Lame {
		out.Children = append(out.Children, s.chunk(c.Kind))
	}
	out.Elapsed = w.cfg.Now().Sub(start)
	return w.settle(ctx, c, out)
}

// tell counts the rows of a reply that the range before did not return.
func (s *sweep) tell(reply *mast.Reply, q question, hi float64) error {
	if q.times == nil {
		s.Seen += reply.Rows()
		return nil
	}
	before := make(map[int64]bool, len(s.Edge))
	for _, id := range s.Edge {
		before[id] = true
	}
	s.Edge = nil
	err := q.times(reply, func(id int64, t float64) {
		if !before[id] {
			s.Seen++
		}
		if t >= hi-edgeWidth {
			s.Edge = append(s.Edge, id)
		}
	})
	if err != nil {
		return fmt.Errorf("reading a spooled reply: %w", err)
	}
	slices.Sort(s.Edge)
	s.Edge = slices.Compact(s.Edge)
	return nil
}

// halve replaces the first range by its halves.
func (w *work) halve(ctx context.Context, c queue.Chunk, s sweep, out queue.ChunkResult) error {
	r := s.Todo[0]
	mid := math.Round((r[0]+r[1])/2*1e6) / 1e6
	s.Todo = append([][2]float64{{r[0], mid}, {mid, r[1]}}, s.Todo[1:]...)
	out.State, out.Children = queue.ChunkSplit, []queue.NewChunk{s.chunk(c.Kind)}
	return w.settle(ctx, c, out)
}

// setApart gives the first range, which failed for why, a chunk of its own, and goes on with the rest; a range that was set
// apart already fails for good.
func (w *work) setApart(ctx context.Context, c queue.Chunk, s sweep, out queue.ChunkResult, why string) error {
	if s.Lone && len(s.Todo) == 1 {
		out.State = queue.ChunkFailed
		out.Error = fmt.Sprintf("start %s to %s: %s", day(s.Todo[0][0]), day(s.Todo[0][1]), why)
		return w.settle(ctx, c, out)
	}
	alone, rest := s, s
	alone.Todo, alone.Lone, alone.Lame, alone.Edge = s.Todo[:1], true, true, nil
	rest.Todo, rest.Lame, rest.Edge = s.Todo[1:], true, nil
	out.State, out.Children = queue.ChunkSplit, []queue.NewChunk{alone.chunk(c.Kind)}
	if len(rest.Todo) > 0 {
		out.Children = append(out.Children, rest.chunk(c.Kind))
	}
	return w.settle(ctx, c, out)
}

func day(t float64) string { return mast.MJDTime(t).Format("2006-01-02T15:04:05Z") }

// reckon compares what came with the count of the whole; rows without a time are in no range and asked by themselves.
func (w *work) reckon(ctx context.Context, c queue.Chunk, s sweep, q question) error {
	out := queue.ChunkResult{State: queue.ChunkDone}
	if q.null != nil {
		reply, err := q.fetch(ctx, *q.null)
		out.Requests = 1
		switch {
		case err == nil:
			defer reply.Close()
			q.take(reply, &out)
			out.Rows, out.Requests = reply.Rows(), int64(reply.Requests())
			if err := q.times(reply, func(_ int64, t float64) {
				if math.IsNaN(t) {
					s.Seen++
				}
			}); err != nil {
				return fmt.Errorf("reading a spooled reply: %w", err)
			}
		case w.stops(ctx, err) != nil:
			return w.giveBack(ctx, c, 1, err)
		}
	}
	if short := s.Whole - s.Seen; short > 0 {
		out.State, out.Error = queue.ChunkFailed, shortBy(q.what, short, s.Whole)
	}
	return w.settle(ctx, c, out)
}

func shortBy(what string, short, whole int64) string {
	return fmt.Sprintf("the archive counts %d %s but returned %d fewer", whole, what, short)
}

// uncounted decides on a chunk whose rows could not be counted. Without observations there is no plan; without keywords
// there is one, less well proven.
func (w *work) uncounted(ctx context.Context, c queue.Chunk, err error) error {
	if c.Kind == kindKeywords && w.stops(ctx, err) == nil {
		return w.settle(ctx, c, queue.ChunkResult{State: queue.ChunkFailed, Error: err.Error(), Requests: 1})
	}
	return w.giveBack(ctx, c, 1, err)
}

// chunk stores the sweep.
func (s sweep) chunk(kind string) queue.NewChunk { return queue.NewChunk{Kind: kind, Spec: encode(s)} }

// encode makes the JSON of a chunk's spec.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// Specs are plain structs of numbers and strings.
		panic(fmt.Sprintf("encoding %T: %v", v, err))
	}
	return b
}

// decode reads a chunk's spec back.
func decode(c queue.Chunk, v any) error {
	if err := json.Unmarshal(c.Spec, v); err != nil {
		return fmt.Errorf("reading chunk %d (%s): %w", c.ID, c.Kind, err)
	}
	return nil
}

// isService reports errors that are about what was asked, not about the archive's health.
func isService(err error) bool {
	return errors.Is(err, mast.ErrService) || errors.Is(err, mast.ErrShort) || errors.Is(err, mast.ErrTooLarge) || errors.Is(err, mast.ErrProtocol)
}
