package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"

	"jwstbulk/queue"
)

// Limit says which limit of the caller's ended a run.
type Limit string

const (
	LimitTransfer Limit = "transfer" // Config.MaxBytes
	LimitTime     Limit = "time"     // Config.Deadline
)

// budget keeps a run within the bytes and the time it may take: nothing is started that cannot finish. The first file that
// does not fit ends the run, once what is under way has ended. Safe for use by several goroutines.
type budget struct {
	maxBytes int64     // 0: no limit
	deadline time.Time // zero: none

	mu       sync.Mutex    // guards all below
	promised int64         // bytes received, and still to be received of what is under way
	received int64         // bytes of attempts that ended
	took     time.Duration // the time of those attempts
	reached  Limit         // "" while there is room
}

// start reports whether a file with so many bytes to come may be started, and sets them aside.
func (b *budget) start(now time.Time, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.reached != "":
	case b.maxBytes > 0 && b.promised+bytes > b.maxBytes:
		b.reached = LimitTransfer
	case !b.deadline.IsZero() && b.expectedLocked(bytes) >= b.deadline.Sub(now):
		b.reached = LimitTime
	}
	if b.reached != "" {
		return false
	}
	b.promised += bytes
	return true
}

// expectedLocked is how long so many bytes will take at the pace of the attempts so far; 0 while nothing is known.
func (b *budget) expectedLocked(bytes int64) time.Duration {
	if b.received == 0 {
		return 0
	}
	return time.Duration(float64(b.took) * float64(bytes) / float64(b.received))
}

// end records that an attempt for which bytes were set aside has received others, in that time.
func (b *budget) end(bytes, received int64, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.promised += received - bytes
	if received > 0 {
		b.received += received
		b.took += took
	}
}

// limit returns the limit that was reached, "" if none was.
func (b *budget) limit() Limit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reached
}

// expire records that the time is over.
func (b *budget) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reached == "" {
		b.reached = LimitTime
	}
}

// watch calls stop at the deadline, until the returned function is called. It looks at the clock again and again: a timer would be
// late by the time that the machine slept, and by what the clock on the wall was set.
func (b *budget) watch(stop func()) (end func()) {
	if b.deadline.IsZero() {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(deadlineLook)
		defer tick.Stop()
		for time.Now().Before(b.deadline) {
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
		b.expire()
		stop()
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// deadlineLook is the time between two looks at the clock.
const deadlineLook = 250 * time.Millisecond

// toCome is how many bytes of a file are missing; 0 if its length is unknown.
func toCome(job *queue.Job) int64 { return max(0, job.Size-job.Part.Durable) }

// within makes an attempt at a file if it fits the budget; otherwise the file is given back as it was.
func (f *Fetcher) within(ctx context.Context, job *queue.Job) error {
	bytes := toCome(job) // before the attempt: it may learn another length
	begin := time.Now()
	if !f.budget.start(begin, bytes) {
		recCtx, cancel := recording(ctx)
		defer cancel()
		err := f.cfg.Queue.Release(recCtx, *job, job.Part)
		if errors.Is(err, queue.ErrStale) {
			return nil
		}
		return asQueueError(err)
	}
	a := &attempt{Fetcher: f, job: job}
	err := a.settle(ctx, a.fetch(ctx))
	f.budget.end(bytes, a.received, time.Since(begin))
	return err
}
