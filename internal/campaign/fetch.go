package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/queue"
)

// statusEvery is how often status.json is rewritten.
const statusEvery = 10 * time.Second

// Fetch is FetchAfter with nothing before it.
func (c *Campaign) Fetch(ctx context.Context, cfg fetcher.Config) (fetcher.Result, error) {
	return c.FetchAfter(ctx, cfg, Before{})
}

// Before is what is done before the first file is fetched. The zero Before is nothing.
type Before struct {
	Adopt Adopt // take over what is on disk
	Space bool  // refuse to fetch what does not fit, with a *planner.SpaceError
}

// FetchAfter works the queue until it is done, and keeps status.json fresh meanwhile. cfg's Queue, Root, Source, Mirror, Archive,
// NetworkFS, Candidates and Ready are filled in; RunID must be set. Errors are fetcher.Run's, ErrUnfinishedFreeze, and
// those of b.
func (c *Campaign) FetchAfter(ctx context.Context, cfg fetcher.Config, b Before) (_ fetcher.Result, err error) {
	if err := c.checkFreeze(ctx); err != nil {
		return fetcher.Result{}, err
	}
	if b.Adopt.Here || len(b.Adopt.Dirs) > 0 {
		s, err := newSearch(c.Queue.Reader, c.Root, b.Adopt, c.warn)
		if err != nil {
			return fetcher.Result{}, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		cfg.Candidates, cfg.AdoptBy = s.candidates(ctx), b.Adopt.By
	}
	if b.Space {
		cfg.Ready = c.CheckSpace
	}
	mast := fetcher.MAST{Client: c.Client}
	cfg.Queue, cfg.Root, cfg.Source, cfg.Archive, cfg.NetworkFS = c.Queue, c.Root, mast, mast, c.NetworkFS
	if c.Bucket != nil {
		cfg.Mirror, cfg.MirrorOnly = fetcher.S3{Client: c.Client, Bucket: c.Bucket}, c.S3Only
	}
	if cfg.Reporter == nil {
		cfg.Reporter = silent{}
	}
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return fetcher.Result{}, err
	}
	// While files are lent, tasks of a batch system may be fetching into this directory.
	cfg.Shared = cfg.Shared || c.Dir != c.StateDir || counts.State[queue.Lent].Files > 0
	meter := &meter{Reporter: cfg.Reporter}
	cfg.Reporter = meter
	f, err := fetcher.New(cfg)
	if err != nil {
		return fetcher.Result{}, err
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.writeStatus(ctx, cfg.RunID, meter, f, done) })
	r, err := f.Run(ctx)
	close(done)
	wg.Wait()
	return r, err
}

// StatusExtra is what status.json holds beside the queue's own.
type StatusExtra struct {
	Sources map[string]fetcher.SourceCount `json:"sources"` // what has come from where in this run
}

// writeStatus rewrites status.json every ten seconds and at the end. That a report cannot be written stops nothing: the
// next one may be.
func (c *Campaign) writeStatus(ctx context.Context, runID int64, m *meter, f *fetcher.Fetcher, done <-chan struct{}) {
	ctx = context.WithoutCancel(ctx)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		counts, err := c.Queue.Counts(ctx)
		extra, badJSON := json.Marshal(StatusExtra{Sources: f.Sources()})
		if err == nil && badJSON == nil {
			_ = c.Queue.WriteStatus(queue.Status{Run: runID, Phase: "fetching", Counts: counts, BytesPerSecond: m.rate(), Extra: extra})
		}
		select {
		case <-done:
			ended = true
		case <-tick.C:
		}
	}
}

// silent is the Reporter of a caller that has none.
type silent struct{}

func (silent) Begin(*queue.Job, int64, int64)      {}
func (silent) Bytes(*queue.Job, int64)             {}
func (silent) End(*queue.Job, queue.State, string) {}
func (silent) Note(string)                         {}

// meter measures the bytes that pass a Reporter.
type meter struct {
	fetcher.Reporter

	mu    sync.Mutex // guards all below
	bytes int64
	since time.Time
}

// Bytes implements fetcher.Reporter.
func (m *meter) Bytes(job *queue.Job, n int64) {
	m.mu.Lock()
	m.bytes += max(n, 0)
	m.mu.Unlock()
	m.Reporter.Bytes(job, n)
}

// rate returns the bytes a second since the last call.
func (m *meter) rate() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	r := 0.0
	if d := now.Sub(m.since).Seconds(); !m.since.IsZero() && d > 0 {
		r = float64(m.bytes) / d
	}
	m.bytes, m.since = 0, now
	return r
}
