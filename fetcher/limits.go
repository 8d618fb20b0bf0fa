package fetcher

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// requestLimiter allows n requests in any second, one at a time; n ≤ 0 means no limit.
func requestLimiter(n float64) *rate.Limiter {
	if n <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(n), 1)
}

// byteLimiter allows n bytes a second over all transfers; n ≤ 0 means no limit.
func byteLimiter(n int64) *rate.Limiter {
	if n <= 0 {
		return rate.NewLimiter(rate.Inf, copyBuffer)
	}
	return rate.NewLimiter(rate.Limit(n), int(max(min(n/8, copyBuffer), 4096)))
}

// takeBytes waits until n bytes may have passed, in pieces the limiter can give at once.
func takeBytes(ctx context.Context, l *rate.Limiter, n int) error {
	if l.Limit() == rate.Inf {
		return nil
	}
	for n > 0 {
		piece := min(n, l.Burst())
		if err := l.WaitN(ctx, piece); err != nil {
			return errDrain
		}
		n -= piece
	}
	return nil
}

// watchdog cancels a transfer from which no byte came for the stall time, or less than minRate over slowWindow. Time spent
// outside Read, as in our own byte limiter or a slow disk, does not count.
type watchdog struct {
	r       io.Reader
	stop    context.CancelCauseFunc
	stall   time.Duration
	minRate int64 // bytes a second

	timer  *time.Timer
	fired  atomic.Bool
	waited time.Duration // inside Read, in the present window
	got    int64         // in the present window
}

const slowWindow = 2 * time.Minute

func newWatchdog(r io.Reader, stop context.CancelCauseFunc, stall time.Duration, minRate int64) *watchdog {
	w := &watchdog{r: r, stop: stop, stall: stall, minRate: minRate}
	w.timer = time.AfterFunc(stall, w.fire)
	w.timer.Stop()
	return w
}

func (w *watchdog) fire() {
	w.fired.Store(true)
	w.stop(fmt.Errorf("%w: nothing for %v", errStalled, w.stall))
}

// Read reads from the body; an error that the watchdog caused is errStalled.
func (w *watchdog) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	begin := time.Now()
	n, err := w.r.Read(p)
	w.timer.Stop()
	w.waited += time.Since(begin)
	w.got += int64(n)
	if w.fired.Load() {
		return n, fmt.Errorf("%w: nothing for %v", errStalled, w.stall)
	}
	if err == nil && w.waited >= slowWindow {
		if w.got < w.minRate*int64(slowWindow/time.Second) {
			w.stop(errStalled)
			return n, fmt.Errorf("%w: %d bytes in %v", errStalled, w.got, w.waited.Round(time.Second))
		}
		w.waited, w.got = 0, 0
	}
	return n, err
}
