package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// Summary is what a plan found. Its JSON is versioned: within a version, fields are only added.
type Summary struct {
	Version int             `json:"version"` // 1
	Query   json.RawMessage `json:"query"`   // canonical
	QueryID int64           `json:"query_id"`
	Resumed bool            `json:"resumed,omitempty"` // an interrupted plan was taken up

	Files       int64 `json:"files"` // first listed by this query
	Bytes       int64 `json:"bytes"` // of those with a known size
	UnknownSize int64 `json:"unknown_size"`
	Pending     int64 `json:"pending"` // of Files: offered to the workers
	Parked      int64 `json:"parked"`
	Failed      int64 `json:"failed"` // of Files: refused for their name or a collision, or given up earlier

	ByInstrument []Tally `json:"by_instrument"`
	ByLevel      []Tally `json:"by_level"`
	BySuffix     []Tally `json:"by_suffix"`
	ByAccess     []Tally `json:"by_access"`
	ByProgram    []Tally `json:"by_program"`
	ByType       []Tally `json:"by_product_type"`
	LeftOut      []Tally `json:"left_out"` // by rule; distinct files

	ParkedUntil  []ParkedUntil `json:"parked_until"`
	Observations int64         `json:"observations"`
	Rows         int64         `json:"rows"`       // product rows read
	Duplicates   int64         `json:"duplicates"` // rows of files that the query had listed already
	Known        int64         `json:"known"`      // rows of files that earlier queries had listed
	Requests     int64         `json:"requests"`   // to the archive, for this query
	ElapsedMS    int64         `json:"elapsed_ms"` // spent waiting for them

	// Disagree counts the files of which the archive's lists contradict each other: size or rights. The keyword services' size
	// and the product list's rights are taken.
	Disagree []Tally `json:"disagree"`

	Resolved     []Resolved    `json:"resolved,omitempty"` // names and where they are
	FailedChunks []FailedChunk `json:"failed_chunks"`      // what the archive did not list
}

// Complete reports whether the archive listed everything that was asked for.
func (s Summary) Complete() bool { return len(s.FailedChunks) == 0 }

// Tally counts files and their known bytes under a word; "" is unknown.
type Tally struct {
	Key   string `json:"key"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// ParkedUntil counts files that wait for a day, or for a token.
type ParkedUntil struct {
	Day    string `json:"day,omitempty"` // UTC, 2006-01-02; "" means until a token is given
	Reason string `json:"reason"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// FailedChunk is one request that stayed without an answer.
type FailedChunk struct {
	Kind   string  `json:"kind"` // observations, products, keywords
	Obsids []int64 `json:"obsids,omitempty"`
	Error  string  `json:"error"`
}

// EmptyError says that a query matched no file, and which criterion emptied it.
type EmptyError struct {
	Observations int64       // that match; 0 if the criteria for observations emptied the query
	Criteria     []Criterion // of the observations, when Observations is 0
	LeftOut      []Tally     // by rule, when there are observations, or files of the keyword services
}

// Criterion is one flag of an empty query.
type Criterion struct {
	Flag, Value string
	Without     int64 // observations that match when this flag is dropped; -1 if that was not asked or not answered
}

// Error says what would match without each criterion.
func (e *EmptyError) Error() string {
	var b strings.Builder
	if e.Observations > 0 || len(e.LeftOut) > 0 {
		b.WriteString("no file matches")
		if e.Observations > 0 {
			fmt.Fprintf(&b, ": %d observations do", e.Observations)
		}
		for _, t := range e.LeftOut {
			fmt.Fprintf(&b, "; %s leaves out %d files", t.Key, t.Files)
		}
		return b.String()
	}
	b.WriteString("no observation matches")
	if len(e.Criteria) == 1 {
		return b.String() + " " + e.Criteria[0].Flag + " " + e.Criteria[0].Value
	}
	for _, c := range e.Criteria {
		if c.Without >= 0 {
			fmt.Fprintf(&b, "; without %s %s: %d", c.Flag, c.Value, c.Without)
		} else {
			fmt.Fprintf(&b, "; %s %s", c.Flag, c.Value)
		}
	}
	return b.String()
}

// finish records the query as planned, unless something of it is missing, and returns its summary.
func (w *work) finish(ctx context.Context, spec []byte, resumed bool) (Summary, error) {
	s, err := w.summary(ctx, spec, resumed)
	if err != nil {
		return Summary{}, err
	}
	var empty error
	if s.Files == 0 && s.Known == 0 && s.Complete() {
		if empty, err = w.whyEmpty(ctx, s); err != nil {
			return Summary{}, err
		}
		if err := w.q.ForgetQuery(ctx, w.id); err != nil {
			return Summary{}, err
		}
		return s, empty
	}
	if s.Complete() {
		b, err := json.Marshal(s)
		if err != nil {
			return Summary{}, fmt.Errorf("encoding summary: %w", err)
		}
		if err := w.q.FinishQuery(ctx, w.id, b); err != nil {
			return Summary{}, fmt.Errorf("recording the plan: %w", err)
		}
	}
	w.report("offer", 0)
	return s, empty
}

func (w *work) summary(ctx context.Context, spec []byte, resumed bool) (Summary, error) {
	ps, err := w.q.PlanSummary(ctx, w.id)
	if err != nil {
		return Summary{}, fmt.Errorf("summing up the plan: %w", err)
	}
	s := Summary{
		Version: 1, Query: spec, QueryID: w.id, Resumed: resumed,
		Files: ps.Files, Bytes: ps.Bytes, UnknownSize: ps.UnknownSize,
		ByInstrument: tallies(ps.ByInstrument), ByLevel: tallies(ps.ByLevel), BySuffix: tallies(ps.BySuffix), ByAccess: tallies(ps.ByRights),
		ByProgram: tallies(ps.ByProgram), ByType: tallies(ps.ByType), LeftOut: tallies(ps.Omitted), Disagree: tallies(ps.Disagree),
		ParkedUntil: []ParkedUntil{}, Observations: ps.Observations, Rows: ps.Rows, Duplicates: ps.Duplicates, Known: ps.Known,
		Requests: ps.Requests, ElapsedMS: ps.Elapsed.Milliseconds(), FailedChunks: []FailedChunk{}, Resolved: w.resolved,
	}
	for _, t := range ps.Omitted {
		s.Rows += t.Rows
	}
	for _, t := range ps.ByState {
		switch queue.State(t.Key) {
		case queue.Pending:
			s.Pending = t.Files
		case queue.Parked:
			s.Parked = t.Files
		case queue.Failed:
			s.Failed = t.Files
		}
	}
	for _, p := range ps.Parked {
		u := ParkedUntil{Reason: string(p.Reason), Files: p.Files, Bytes: p.Bytes}
		if !p.Day.IsZero() {
			u.Day = p.Day.UTC().Format(time.DateOnly)
		}
		s.ParkedUntil = append(s.ParkedUntil, u)
	}
	failed, err := w.q.Chunks(ctx, w.id, queue.ChunkFailed)
	if err != nil {
		return Summary{}, fmt.Errorf("reading chunks: %w", err)
	}
	for _, c := range failed {
		s.FailedChunks = append(s.FailedChunks, FailedChunk{Kind: c.Kind, Obsids: c.Obsids, Error: c.Error})
	}
	return s, nil
}

func tallies(in []queue.Tally) []Tally {
	out := make([]Tally, 0, len(in))
	for _, t := range in {
		out = append(out, Tally{t.Key, t.Files, t.Bytes})
	}
	return out
}

// whyEmpty counts with each criterion dropped. A criterion that stands alone cannot be dropped: that would count the whole
// mission.
func (w *work) whyEmpty(ctx context.Context, s Summary) (empty, err error) {
	e := &EmptyError{Observations: s.Observations, LeftOut: s.LeftOut}
	if s.Observations > 0 || w.query.ByKeywords() && len(e.LeftOut) > 0 {
		return e, nil
	}
	cs := w.query.Criteria()
	count := w.countAll
	if w.query.ByKeywords() {
		// The services that have the files would each have to be asked: that is left out.
		count = nil
	}
	asked, excluding := 0, 0 // criteria that the archive applies, and those that are applied here
	for _, c := range cs {
		if c.Here {
			excluding++
		} else {
			asked++
		}
	}
	for i, c := range cs {
		without := int64(-1)
		// What is excluded here the archive would count.
		if count != nil && (!c.Here && excluding == 0 && asked > 1 || c.Here && excluding == 1) {
			if without, err = count(ctx, w.query.Without(i)); err != nil {
				if ctx.Err() != nil {
					return nil, err
				}
				// An explanation that cannot be had is left out; the answer, that nothing matches, stands.
				without = -1
			}
		}
		e.Criteria = append(e.Criteria, Criterion{Flag: c.Flag, Value: mast.Printable(c.Value, 200), Without: without})
	}
	return e, nil
}

// countAll sums the counts of some queries; what several match counts several times.
func (w *work) countAll(ctx context.Context, qs []mast.Query) (int64, error) {
	var sum int64
	for _, q := range qs {
		n, err := w.cfg.Archive.Count(ctx, q)
		if err != nil {
			return -1, err
		}
		sum += n
	}
	return sum, nil
}
