package fetcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"jwstbulk/queue"
)

// rechecks are the times after which a file that is listed but not served is asked for again: after a reprocessing the
// listing runs ahead of the files by up to a day or more (MAST's own FAQ).
var rechecks = [...]time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour}

// authority answers whether a refusal speaks of the token or of the file. The answer of whoami is kept for a minute.
// Safe for use by several goroutines.
type authority struct {
	archive Archive

	mu        sync.Mutex // guards all below, and lets one ask for all
	asked     time.Time
	anonymous bool
}

func (a *authority) isAnonymous(ctx context.Context) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked.IsZero() && time.Since(a.asked) < time.Minute {
		return a.anonymous, nil
	}
	anonymous, err := a.archive.Anonymous(ctx)
	if err != nil {
		return false, fmt.Errorf("asking the archive whose token this is: %w", err)
	}
	a.asked, a.anonymous = time.Now(), anonymous
	return anonymous, nil
}

// settle records how an attempt ended. The error it returns ends the run.
func (a *attempt) settle(ctx context.Context, cause error) error {
	if err := a.step("ended"); err != nil {
		if a.part != nil {
			_ = a.part.close() // as the kernel does for a process that was killed
		}
		return err
	}
	if cause == nil {
		a.count(func(r *Result) {
			if a.adopted {
				r.Adopted.Files++
				r.Adopted.Bytes += a.job.Size
				return
			}
			r.Files++
		})
		if a.src != nil {
			a.src.add(func(c *SourceCount) { c.Files++ })
		}
		a.cfg.Reporter.End(a.job, queue.Done, "")
		return nil
	}
	a.gained = a.advanced(a.start)
	left, err := a.leave()
	if err != nil && !isGate(err) {
		return &StorageError{Err: err}
	}
	if errors.Is(cause, queue.ErrStale) {
		return nil // another run owns the file now
	}
	var placed *placedError
	if errors.As(cause, &placed) {
		return &queueError{placed.err}
	}
	recCtx, cancel := recording(ctx)
	defer cancel()
	v := classify(errors.Join(cause, err))
	if a.src != nil && (v.class == classRetry || v.class == classOutage) && ctx.Err() == nil {
		a.src.failed()
	}
	if ctx.Err() != nil && (v.class == classRetry || v.class == classOutage) {
		v = verdict{class: classDrain} // whatever broke, it may well have been the stop
	}
	state, err := a.record(ctx, recCtx, v, cause, left)
	if err != nil && !errors.Is(err, queue.ErrStale) {
		return asQueueError(err)
	}
	why := describe(cause, v)
	if state == queue.Pending {
		why = ""
	}
	a.cfg.Reporter.End(a.job, state, why)
	return ending(v, cause)
}

// ending returns the error that ends the run, if this one does.
func ending(v verdict, cause error) error {
	var (
		out   *UnavailableError
		disk  *StorageError
		queue *queueError
	)
	switch {
	case errors.As(cause, &out), errors.As(cause, &disk), errors.As(cause, &queue):
		return cause
	case v.class == classStop:
		return &StorageError{Err: cause}
	}
	return nil
}

// leave fsyncs and closes what there is of the part, and returns what to record of it.
func (a *attempt) leave() (queue.Part, error) {
	if a.part == nil {
		if a.recorded.Token != "" && a.rejected {
			return queue.Part{}, nil // it went into quarantine
		}
		return a.recorded, nil
	}
	if a.part.size == 0 {
		return queue.Part{}, a.dropPart()
	}
	if a.part.f != nil {
		if err := a.part.sync(); err != nil {
			return queue.Part{}, errors.Join(err, a.dropPart()) // what the disk holds is unknown
		}
	}
	return a.part.state(a.boot), a.part.close()
}

// record writes the outcome to the queue and returns the file's new state.
func (a *attempt) record(ctx, recCtx context.Context, v verdict, cause error, left queue.Part) (queue.State, error) {
	q := a.cfg.Queue
	o := queue.Outcome{Reason: v.reason, Detail: describe(cause, v), LastSHA: a.job.LastSHA, Part: left}
	if a.elsewhere { // nor does a copy count in the next attempt
		o.LastSHA = nil
	}
	var outage *outageError
	switch v.class {
	case classDrain, classStop:
		return queue.Pending, q.Release(recCtx, *a.job, left)
	case classGate:
		a.disk.close(cause)
		return queue.Pending, q.Release(recCtx, *a.job, left)
	case classOutage:
		return queue.Pending, q.Release(recCtx, *a.job, left)
	case classAuth:
		return a.recordRefusal(ctx, recCtx, o, cause)
	case classLater:
		if a.job.Checks >= len(rechecks) {
			return queue.Failed, q.Fail(recCtx, *a.job, o)
		}
		o.Reason, o.Recheck, o.DueAt = queue.ReasonReprocessing, true, time.Now().Add(rechecks[a.job.Checks])
		return queue.Waiting, q.Wait(recCtx, *a.job, o)
	case classFail:
		return queue.Failed, q.Fail(recCtx, *a.job, o)
	}
	if errors.As(cause, &outage) {
		return queue.Pending, q.Release(recCtx, *a.job, left)
	}
	return a.recordRetry(recCtx, v, o)
}

// recordRetry makes the file wait for its next attempt, or fails it when too many made no progress.
func (a *attempt) recordRetry(ctx context.Context, v verdict, o queue.Outcome) (queue.State, error) {
	o.Spent = v.pause == 0 && !a.gained
	if a.refetched {
		o.Spent = true // many bytes, and none of them any good
	}
	if o.Spent && a.job.Tries+1 >= a.cfg.Tries {
		if o.Reason == queue.ReasonTransient {
			o.Reason = queue.ReasonHTTP
		}
		o.Detail = fmt.Sprintf("%s (after %d attempts without progress)", o.Detail, a.job.Tries+1)
		return queue.Failed, a.cfg.Queue.Fail(ctx, *a.job, o)
	}
	o.DueAt = time.Now().Add(max(min(v.pause, longestPause), delay(a.job.Tries)))
	if v.pause > 0 {
		o.Reason = queue.ReasonRetryAfter
	}
	return queue.Waiting, a.cfg.Queue.Wait(ctx, *a.job, o)
}

// delay is how long to wait before an attempt after n attempts without progress: doubling from a second to five minutes,
// anywhere between nothing and twice that, so that many clients do not march in step.
func delay(n int) time.Duration {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second/2), backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(1), backoff.WithMaxInterval(150*time.Second), backoff.WithMaxElapsedTime(0))
	d := b.NextBackOff()
	for range min(n, 20) {
		d = b.NextBackOff()
	}
	return d
}

// recordRefusal sorts a 401 or 403: without a valid token the file waits for one; with one it is denied by name.
func (a *attempt) recordRefusal(ctx, recCtx context.Context, o queue.Outcome, cause error) (queue.State, error) {
	anonymous, err := a.auth.isAnonymous(ctx)
	if err != nil {
		v := classify(err)
		if v.class == classDrain || v.class == classOutage {
			return queue.Pending, a.cfg.Queue.Release(recCtx, *a.job, o.Part)
		}
		o.Detail = err.Error()
		return a.recordRetry(recCtx, verdict{class: classRetry, reason: queue.ReasonTransient}, o)
	}
	if anonymous {
		o.Reason = queue.ReasonNeedsToken
		o.Detail = cause.Error() + "; it is not public and needs a valid token. MAST tokens die after 10 days without use or 60 days in all: " +
			"make one at https://auth.mast.stsci.edu/token, put it into MAST_API_TOKEN, and run again"
		return queue.Parked, a.cfg.Queue.Park(recCtx, *a.job, o)
	}
	o.Reason = queue.ReasonDenied
	o.Detail = cause.Error() + "; the token is valid, but rights are given per programme and this one is not among yours. " +
		"Ask the programme's PI to add you, or wait for the release; then `jwstbulk retry`"
	return queue.Failed, a.cfg.Queue.Fail(recCtx, *a.job, o)
}
