package fetcher

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Result is what one Run did. Counts of files by state are the queue's.
type Result struct {
	Files    int64                  `json:"files"`    // fetched and brought to their final names in this run
	Adopted  Adoption               `json:"adopted"`  // what was on disk already
	Changed  int64                  `json:"changed"`  // of both: lost files that came back in another version than was recorded
	Bytes    int64                  `json:"bytes"`    // received, including what was thrown away
	Requests int64                  `json:"requests"` // for files
	Sources  map[string]SourceCount `json:"sources"`  // by name
	Elapsed  time.Duration          `json:"-"`
	Drained  bool                   `json:"drained"` // ended because ctx did
	Limit    Limit                  `json:"limit"`   // the limit that ended it; "" if none did
}

// Fetcher works one queue. Make it with New; one Run at a time.
type Fetcher struct {
	cfg  Config
	root *os.Root
	boot string

	archive *supply
	mirror  *supply  // nil if there is none
	paths   *locator // of mirror
	disk    *diskGate
	dirs    *dirMaker
	auth    *authority
	trust   *trustee
	budget  budget
	bytes   *rate.Limiter
	buffers sync.Pool
	ended   chan struct{} // a signal after each attempt, for idle

	killed func(step string) bool // of tests that kill; nil otherwise

	quarantined atomic.Int64

	mu     sync.Mutex // guards all below
	result Result
	fatal  error // the first error that ends the run; kept apart from the context, whose cause a stop may have taken
}

// New checks the configuration and makes a Fetcher. It touches neither network nor disk.
func New(cfg Config) (*Fetcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &Fetcher{cfg: cfg, root: cfg.Root, boot: cfg.Queue.Owner().BootID,
		dirs:   &dirMaker{root: cfg.Root, sure: map[string]bool{}},
		auth:   &authority{archive: cfg.Archive},
		budget: budget{maxBytes: cfg.MaxBytes, deadline: cfg.Deadline},
		ended:  make(chan struct{}, 1),
		bytes:  byteLimiter(cfg.ByteRate),
	}
	f.archive = newSupply(cfg.Source, cfg.Jobs, cfg.Rate, newHostGate(cfg.MaxOutage, cfg.Reporter.Note))
	f.archive.gate.shared = cfg.Pauses
	if cfg.Mirror != nil {
		f.mirror = newSupply(cfg.Mirror, cfg.MirrorJobs, cfg.MirrorRate, newHostGate(cfg.MaxOutage, cfg.Reporter.Note))
		f.mirror.gate.who = "the public copy"
		f.paths = newLocator(cfg.Mirror, cfg.MirrorOnly, func(ctx context.Context) ([]string, error) {
			return cfg.Queue.Upcoming(ctx, locateAhead, cfg.Order)
		}, cfg.Reporter.Note)
	}
	f.disk = &diskGate{root: cfg.Root, dir: partDir, maxOutage: cfg.MaxOutage, notify: cfg.Reporter.Note}
	f.buffers.New = func() any { return new([copyBuffer]byte) }
	return f, nil
}

// Run fetches until nothing is running and nothing falls due within the linger time. It returns early, with everything
// recorded, when ctx ends (Result.Drained, no error), when a limit is reached (Result.Limit, no error), when the archive (*UnavailableError) or the disk (*StorageError) is
// out for too long, and when the queue cannot be written.
func (f *Fetcher) Run(ctx context.Context) (Result, error) {
	begin := time.Now()
	// Only the end of ctx is passed on, not its deadline: limiters refuse early where there is one, and the refused files
	// would be claimed and given back again and again until it comes.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	defer f.budget.watch(cancel)()
	err := f.prepare(work)
	if err == nil {
		err = f.adopt(work)
	}
	if err == nil && f.cfg.Ready != nil {
		err = f.cfg.Ready(work)
	}
	if err == nil {
		f.dispatch(work, func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.fatal == nil {
				f.fatal = err
			}
			cancel()
		})
		err = f.fatal
	}
	f.result.Elapsed = time.Since(begin)
	f.result.Drained = ctx.Err() != nil
	f.result.Limit = f.budget.limit()
	f.result.Sources = f.Sources()
	for _, c := range f.result.Sources {
		f.result.Requests += c.Requests
	}
	if (f.result.Drained || f.result.Limit == LimitTime) && (errors.Is(err, context.Canceled) || errors.Is(err, errDrain)) {
		err = nil
	}
	return f.result, err
}

// Sources tells what has come from each source so far. It may be called while Run works.
func (f *Fetcher) Sources() map[string]SourceCount {
	m := map[string]SourceCount{f.archive.Name(): f.archive.counts()}
	if f.mirror != nil {
		m[f.mirror.Name()] = f.mirror.counts()
	}
	return m
}

// transfers is how many transfers there may be at a time.
func (f *Fetcher) transfers() int {
	switch {
	case f.mirror == nil:
		return f.cfg.Jobs
	case f.cfg.MirrorOnly:
		return f.cfg.MirrorJobs
	}
	return f.cfg.Jobs + f.cfg.MirrorJobs
}

// prepare settles what an earlier run left, and learns what the campaign knows of the archive.
func (f *Fetcher) prepare(ctx context.Context) error {
	t, err := f.cfg.Queue.Trust(ctx)
	if err != nil {
		return asQueueError(err)
	}
	f.trust = newTrustee(t)
	return f.recover(ctx)
}

// dispatch claims files for free workers until there are none left, and waits for all workers. There are twice as many
// workers as transfers, so that placing one file never keeps another from being transferred.
func (f *Fetcher) dispatch(ctx context.Context, stop func(error)) {
	var (
		workers = 2 * f.transfers()
		free    = make(chan struct{}, workers)
		wg      sync.WaitGroup
	)
	for range workers {
		free <- struct{}{}
	}
	if f.paths != nil {
		looking, enough := context.WithCancel(ctx)
		var look sync.WaitGroup
		look.Go(func() { f.paths.run(looking) })
		defer look.Wait()
		defer enough()
	}
	defer wg.Wait()
	for f.budget.limit() == "" {
		n := f.take(ctx, free)
		if n == 0 {
			return
		}
		// Asked before claiming: whoever was at work then may have put a file back since, which no due time tells of.
		busy := len(free)+n < workers
		jobs, err := f.cfg.Queue.Claim(ctx, f.cfg.RunID, n, f.cfg.Order)
		if err != nil {
			if ctx.Err() == nil {
				stop(asQueueError(err))
			}
			return
		}
		for i := range jobs {
			job := &jobs[i]
			wg.Go(func() {
				defer f.signal()
				defer func() { free <- struct{}{} }()
				if err := f.within(ctx, job); err != nil {
					stop(err)
				}
			})
		}
		for range n - len(jobs) {
			free <- struct{}{}
		}
		if len(jobs) == 0 && !f.idle(ctx, stop, busy) {
			return
		}
	}
}

// take waits for a free worker and takes all that are free; 0 means that ctx ended.
func (f *Fetcher) take(ctx context.Context, free chan struct{}) int {
	select {
	case <-ctx.Done():
		return 0
	case <-free:
	}
	if ctx.Err() != nil {
		free <- struct{}{}
		return 0
	}
	for n := 1; ; n++ {
		select {
		case <-free:
		default:
			return n
		}
	}
}

// signal wakes idle after an attempt.
func (f *Fetcher) signal() {
	select {
	case f.ended <- struct{}{}:
	default:
	}
}

// idle is called when nothing was pending; busy says that some worker had a file then. It waits until a worker comes free,
// which may have put a file back, or until the next file falls due. It reports false when the run is over: nothing runs,
// and nothing falls due soon enough.
func (f *Fetcher) idle(ctx context.Context, stop func(error), busy bool) bool {
	next, err := f.cfg.Queue.Next(ctx)
	if err != nil {
		if ctx.Err() == nil {
			stop(asQueueError(err))
		}
		return false
	}
	wait := time.Second
	if !busy {
		until := time.Until(next)
		if next.IsZero() || until > f.cfg.Linger {
			return false
		}
		wait = max(until, 50*time.Millisecond)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-f.ended:
	}
	return true
}

// step stands between two effects. Once a test has killed the fetcher, no goroutine gets beyond its next step, and nothing
// is recorded of how it ended: what is then on disk and in the queue is what a kill at this point leaves.
func (f *Fetcher) step(name string) error {
	if f.killed != nil && f.killed(name) {
		return errKilled
	}
	return nil
}

var errKilled = errors.New("killed by a test")

// count changes the result of the run.
func (f *Fetcher) count(change func(*Result)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.result)
}

// event records something that happened to a file; it is part of what `why` tells.
func (a *attempt) event(ctx context.Context, kind, detail string) error {
	ctx, cancel := recording(ctx)
	defer cancel()
	return asQueueError(a.cfg.Queue.Event(ctx, a.job.ID, kind, detail))
}

// recording is the context in which outcomes are recorded: they must be even when the run was asked to stop.
func recording(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
}
