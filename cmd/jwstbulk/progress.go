package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"jwstbulk/planner"
	"jwstbulk/queue"
)

// heartbeat is the time between two lines of progress where there is no terminal.
const heartbeat = time.Minute

// isTerminal reports whether w is a terminal that bars may move on.
func (o output) isTerminal() bool {
	f, ok := o.stderr.(*os.File)
	return ok && !o.plain && term.IsTerminal(int(f.Fd()))
}

// planProgress shows how a plan goes on. It is used by one goroutine.
type planProgress struct {
	o    output
	live bool
	last time.Time
}

func newPlanProgress(o output) *planProgress {
	return &planProgress{o: o, live: o.isTerminal() && !o.quiet, last: time.Now()}
}

// Planning implements planner.Reporter.
func (p *planProgress) Planning(s planner.Progress) {
	text := fmt.Sprintf("planning: %s, %s requests, %s rows", s.Stage, number(s.Requests), number(s.Rows))
	switch {
	case p.live:
		fmt.Fprintf(p.o.stderr, "\r\x1b[K%s", text)
	case !p.o.quiet && time.Since(p.last) >= heartbeat:
		p.last = time.Now()
		p.o.say("%s", text)
	}
}

func (p *planProgress) close() {
	if p.live {
		fmt.Fprint(p.o.stderr, "\r\x1b[K")
	}
}

// fetchProgress shows how a run goes on: bars on a terminal, else a line a minute. It implements fetcher.Reporter and is
// safe for use by several goroutines.
type fetchProgress struct {
	o     output
	start time.Time
	stop  chan struct{}
	wg    sync.WaitGroup

	bars  *mpb.Progress // nil without a terminal
	total *mpb.Bar

	mu       sync.Mutex // guards all below
	files    int64      // done, with those of earlier runs
	allFiles int64
	allBytes int64
	bytes    int64 // done or under way
	received int64 // in this run
	failed   int64
	bar      map[int64]*mpb.Bar
}

func newFetchProgress(o output, c queue.Counts, jobs int) *fetchProgress {
	p := &fetchProgress{o: o, start: time.Now(), stop: make(chan struct{}), bar: map[int64]*mpb.Bar{}}
	for state, n := range c.State {
		if state == queue.Failed || state == queue.Parked {
			p.failed += n.Files
			continue
		}
		p.allFiles += n.Files
		p.allBytes += n.Bytes
	}
	p.files, p.bytes = c.State[queue.Done].Files, c.State[queue.Done].Bytes
	switch {
	case o.quiet:
	case o.isTerminal():
		p.begin(jobs)
	default:
		p.wg.Go(p.beat)
	}
	return p
}

// begin puts the bar of the whole run at the bottom; transfers come and go above it.
func (p *fetchProgress) begin(jobs int) {
	p.bars = mpb.New(mpb.WithOutput(p.o.stderr), mpb.WithWidth(64), mpb.WithRefreshRate(250*time.Millisecond))
	p.total = p.bars.AddBar(max(p.allBytes, 1), mpb.BarPriority(jobs+1000), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.count() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.speed() })))
	p.total.SetCurrent(p.bytes)
}

func (p *fetchProgress) count() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := fmt.Sprintf("%s of %s files ", number(p.files), number(p.allFiles))
	if p.failed > 0 {
		s += fmt.Sprintf("(%s not) ", number(p.failed))
	}
	return s
}

func (p *fetchProgress) speed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.speedLocked()
}

// speedLocked tells bytes, speed and the time that is left.
func (p *fetchProgress) speedLocked() string {
	per := float64(p.received) / max(time.Since(p.start).Seconds(), 0.001)
	s := fmt.Sprintf(" %s of %s, %s/s", size(p.bytes), size(p.allBytes), size(int64(per)))
	if left := p.allBytes - p.bytes; per > 0 && left > 0 {
		s += ", " + duration(float64(left)/per) + " left"
	}
	return s
}

// beat prints a line a minute.
func (p *fetchProgress) beat() {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			count := p.count()
			p.o.say("%s%s", count, p.speed())
		}
	}
}

func (p *fetchProgress) close() {
	close(p.stop)
	p.wg.Wait()
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	for _, b := range p.bar {
		b.Abort(true)
	}
	p.mu.Unlock()
	p.total.Abort(true)
	p.bars.Wait()
}

// Begin implements fetcher.Reporter.
func (p *fetchProgress) Begin(job *queue.Job, have, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars == nil || p.bar[job.ID] != nil || total < 1<<20 {
		return
	}
	b := p.bars.AddBar(total, mpb.BarRemoveOnComplete(), mpb.BarPriority(int(job.ID%1000)),
		mpb.PrependDecorators(decor.Name(clean(path.Base(job.Path))+" ", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f of % .1f")))
	b.SetCurrent(have)
	p.bar[job.ID] = b
}

// Bytes implements fetcher.Reporter.
func (p *fetchProgress) Bytes(job *queue.Job, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += n
	p.received += max(n, 0)
	if b := p.bar[job.ID]; b != nil {
		b.IncrInt64(n)
	}
	if p.total != nil {
		p.total.SetCurrent(min(p.bytes, max(p.allBytes-1, 0)))
	}
}

// End implements fetcher.Reporter.
func (p *fetchProgress) End(job *queue.Job, state queue.State, why string) {
	p.mu.Lock()
	if b := p.bar[job.ID]; b != nil {
		b.Abort(true)
		delete(p.bar, job.ID)
	}
	switch state {
	case queue.Done:
		p.files++
	case queue.Failed, queue.Parked:
		p.failed++
	}
	p.mu.Unlock()
	if state == queue.Failed {
		p.Note(fmt.Sprintf("%s failed: %s", path.Base(job.Path), why))
	}
}

// Note implements fetcher.Reporter.
func (p *fetchProgress) Note(text string) {
	if p.bars == nil {
		p.o.say("%s", text)
		return
	}
	_, _ = io.WriteString(p.bars, "jwstbulk: "+clean(text)+"\n") // above the bars; after their end nowhere
}
