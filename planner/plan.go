package planner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// Archive is what the planner asks of the archive; *mast.Client is one.
//
// Every method makes its own retries of temporary errors and returns an error only when it gave up; it does not retry
// what asking for less may cure (mast.ErrTimeout, mast.ErrService). A reply is complete, with all its pages; the planner
// closes it. It asks one thing at a time, but may still be reading the reply before.
type Archive interface {
	Count(ctx context.Context, q mast.Query) (int64, error)
	Observations(ctx context.Context, q mast.Query) (*mast.Reply, error)
	Products(ctx context.Context, obsids []int64) (*mast.Reply, error)
	Keywords(ctx context.Context, service string, q mast.Query) (*mast.Reply, error)
	CountKeywords(ctx context.Context, service string, q mast.Query) (int64, error)
}

// Reporter is told how a plan goes on. It is called from the goroutine that called Plan, and should return at once.
type Reporter interface {
	// Planning is called before every request and at the end of each stage.
	Planning(Progress)
}

// Progress is how far a plan has come.
type Progress struct {
	Stage    string // "observations", "products", "keywords", "offer"
	Requests int64  // made by this process for this query
	Rows     int64  // rows taken in by this process for this query
	Asking   int    // observations, or files, that the next request asks for; 0 if it counts
}

// Config configures a Planner. Queue and Archive are required.
type Config struct {
	Queue    *queue.Queue
	Archive  Archive
	Logger   *slog.Logger     // nil discards
	Now      func() time.Time // nil means time.Now
	Reporter Reporter         // nil means none

	// HasToken says that a valid token will be sent: exclusive files are then offered at once instead of parked.
	HasToken bool
	// Layout gives the folder of a file, slash separated, relative to the campaign; nil means JWST/<obs_id>.
	Layout func(queue.File) string

	// Resolve gives the position of a fixed target in degrees (ICRS), and the name the resolver knows it by; a name that it
	// does not know is fs.ErrNotExist. nil means that queries with Objects are refused.
	Resolve func(ctx context.Context, name string) (ra, dec float64, canonical string, err error)

	// MaxRows is the most rows that one request for observations or keywords may bring; above it the request is split by
	// time. 0 means 400,000: the archive resets connections at about 500,000.
	MaxRows int64
	// FirstObsids is the number of observations in the first request for products. 0 means 5, the best balance as
	// documented by STScI.
	FirstObsids int
	// MaxObsids is the most observations in one request for products. 0 means 50.
	MaxObsids int
	// MaxProductRows is the most product rows that a request should bring, as predicted from earlier replies. 0 means 25,000.
	MaxProductRows int
	// Quick is how fast a reply must come for the next request to be larger. 0 means 10 s.
	Quick time.Duration
}

// Planner plans queries into one queue. It is not safe for concurrent use: the archive is asked one thing at a time.
type Planner struct {
	cfg  Config
	q    *queue.Queue
	pace pace
	prog Progress
}

// New checks cfg and returns a Planner. It opens nothing.
func New(cfg Config) (*Planner, error) {
	if cfg.Queue == nil || cfg.Archive == nil {
		return nil, errors.New("planner needs a queue and an archive")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Layout == nil {
		cfg.Layout = Folder
	}
	cfg.MaxRows = orDefault(cfg.MaxRows, 400_000)
	cfg.FirstObsids = orDefault(cfg.FirstObsids, 5)
	cfg.MaxObsids = max(orDefault(cfg.MaxObsids, 50), cfg.FirstObsids)
	cfg.MaxProductRows = orDefault(cfg.MaxProductRows, 25_000)
	cfg.Quick = orDefault(cfg.Quick, 10*time.Second)
	return &Planner{cfg: cfg, q: cfg.Queue}, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// The kinds of chunk, in the order in which they are worked.
const (
	kindObserve  = "observations"
	kindList     = "list"
	kindFiles    = "files" // by way of the keyword services, instead of observations and products
	kindProducts = "products"
	kindJoin     = "join" // decides the keyword requests; asks the archive nothing
	kindKeywords = "keywords"
)

// Plan adds a query to the campaign: when it returns nil, every file of the query is offered to the workers, parked or
// refused, and the query is recorded as finished with the Summary.
//
// A query whose plan was interrupted is taken up where it stopped; one that was finished is asked anew, which finds new
// files and refreshes what is known of the others. What the archive refused to list stands in Summary.FailedChunks. The
// rest of the plan then stands, the query stays unfinished, and planning it again asks for what is missing alone: a caller
// must look at Summary.Complete.
//
// Errors: *query.UsageError for a query that cannot be asked; *EmptyError, with the Summary, when nothing matches, and
// then the query leaves no trace; a *mast.Error
// when the archive cannot be reached (plan the query again to go on); the queue's errors and ctx's.
func (p *Planner) Plan(ctx context.Context, q query.Query) (Summary, error) {
	if q.List != nil {
		return Summary{}, &query.UsageError{Flag: "query", Want: "criteria, not a list"}
	}
	q, resolved, err := p.resolve(ctx, q)
	if err != nil {
		return Summary{}, err
	}
	spec, err := q.Canonical()
	if err != nil {
		return Summary{}, err
	}
	// The canonical form is what a resumed plan would read back.
	n, err := q.Normal()
	if err != nil {
		return Summary{}, err
	}
	id, resumed, err := p.begin(ctx, spec)
	if err != nil {
		return Summary{}, err
	}
	first := observeChunks
	if n.ByKeywords() {
		first = fileChunks
	}
	if err := p.seed(ctx, id, first(n)); err != nil {
		return Summary{}, err
	}
	w := &work{Planner: p, id: id, query: n, sel: n.Selector(), resolved: resolved}
	if err := w.stages(ctx); err != nil {
		return Summary{}, fmt.Errorf("planning query %d: %w", id, err)
	}
	return w.finish(ctx, spec, resumed)
}

// begin finds or makes the query and starts counting afresh.
func (p *Planner) begin(ctx context.Context, spec []byte) (id int64, resumed bool, err error) {
	id, resumed, err = p.q.AddQuery(ctx, spec)
	if err != nil {
		return 0, false, fmt.Errorf("recording the query: %w", err)
	}
	p.pace = newPace(p.cfg)
	p.prog = Progress{}
	p.cfg.Logger.InfoContext(ctx, "planning", "query_id", id, "resumed", resumed, "query", string(spec))
	return id, resumed, nil
}

// seed adds the first chunks, in one transaction, unless a killed plan already did. A plan that is taken up because some of
// its chunks failed gets a new join: what they bring now has no keywords yet.
func (p *Planner) seed(ctx context.Context, id int64, chunks []queue.NewChunk) error {
	have, err := p.q.Chunks(ctx, id)
	if err != nil {
		return fmt.Errorf("reading chunks: %w", err)
	}
	lists, joins := false, false
	for _, c := range have {
		if open := c.State == queue.ChunkPending || c.State == queue.ChunkRunning; open {
			lists = lists || c.Kind != kindJoin && c.Kind != kindKeywords
			joins = joins || c.Kind == kindJoin
		}
	}
	switch {
	case len(have) == 0:
		chunks = append(chunks, queue.NewChunk{Kind: kindJoin})
	case lists && !joins:
		chunks = []queue.NewChunk{{Kind: kindJoin}}
	default:
		return nil
	}
	if err := p.q.AddChunks(ctx, id, chunks); err != nil {
		return fmt.Errorf("recording chunks: %w", err)
	}
	return nil
}

// work is the planning of one query.
type work struct {
	*Planner
	id    int64
	query query.Normal
	sel   *query.Selector
	list  *filelist.List // of PlanList; nil otherwise

	resolved []Resolved // the names that became cones
	ahead    *ahead     // what is being asked for already; nil if nothing is
}

// stages works all chunks, kind by kind. Each kind's chunks may beget more of their own and of later kinds.
func (w *work) stages(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer w.dropAhead()
	defer cancel() // before it
	for _, s := range []struct {
		kind string
		work func(context.Context, queue.Chunk) error
		more func(context.Context) (bool, error) // adds chunks when none is left; nil means none
	}{
		{kindObserve, w.observe, nil},
		{kindList, w.takeList, nil},
		{kindFiles, w.listFiles, nil},
		{kindProducts, w.products, w.moreProducts},
		{kindJoin, w.join, nil},
		{kindKeywords, w.keywords, nil},
	} {
		for {
			c, ok, err := w.q.NextChunk(ctx, w.id, s.kind)
			if err != nil {
				return fmt.Errorf("taking a chunk: %w", err)
			}
			if !ok && s.more != nil {
				if ok, err = s.more(ctx); err != nil {
					return err
				} else if ok {
					continue
				}
			}
			if !ok {
				break
			}
			if err := s.work(ctx, c); err != nil {
				return err
			}
		}
		w.report(s.kind, 0)
	}
	return w.offer(ctx)
}

func (p *Planner) report(stage string, asking int) {
	if p.cfg.Reporter != nil {
		p.prog.Stage, p.prog.Asking = stage, asking
		p.cfg.Reporter.Planning(p.prog)
	}
}

// settle records the outcome of a chunk and everything it brought, in one transaction.
func (p *Planner) settle(ctx context.Context, c queue.Chunk, out queue.ChunkResult) error {
	p.prog.Requests += out.Requests
	out.Layout = p.cfg.Layout
	if err := p.q.FinishChunk(ctx, c, out); err != nil {
		return fmt.Errorf("recording chunk %d (%s): %w", c.ID, c.Kind, err)
	}
	p.prog.Rows += out.Rows
	if out.State == queue.ChunkFailed {
		p.cfg.Logger.WarnContext(ctx, "chunk failed", "chunk_id", c.ID, "kind", c.Kind, "error", out.Error)
	}
	return nil
}

// giveBack returns a chunk unworked, as its own child, so that a later Plan of this process finds it too.
func (p *Planner) giveBack(ctx context.Context, c queue.Chunk, requests int64, cause error) error {
	if ctx.Err() != nil {
		// The process is stopping; opening the queue again makes the chunk pending.
		return cause
	}
	err := p.settle(ctx, c, queue.ChunkResult{State: queue.ChunkSplit, Requests: requests, Children: []queue.NewChunk{c.NewChunk}})
	return errors.Join(cause, err)
}
