package mast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// startGrace is how long an archive that never answered this Client is tried: whoever has just started wants to know.
	startGrace = 20 * time.Second
	// maxRetries counts replies that were bad, not connections that could not be made: a query that makes the archive
	// break off is broken off again, and the caller should rather ask for less.
	maxRetries = 3
)

// patience is the back-off between attempts at one metadata request: exponential with jitter, never shorter than what
// the server asked for, and at an end when the error will not heal or the time is up.
type patience struct {
	*backoff.ExponentialBackOff
	first   time.Duration
	limit   time.Duration
	last    *Error
	refused int // attempts that reached the server
}

func newPatience(first, limit time.Duration) *patience {
	p := &patience{ExponentialBackOff: backoff.NewExponentialBackOff(), first: first, limit: limit}
	p.InitialInterval, p.Multiplier, p.MaxInterval, p.MaxElapsedTime = first, 2, lastRetry, limit
	p.ExponentialBackOff.Reset()
	return p
}

// NextBackOff implements backoff.BackOff.
func (p *patience) NextBackOff() time.Duration {
	wait := p.ExponentialBackOff.NextBackOff()
	e := p.last
	if wait == backoff.Stop || !e.Temporary() || errors.Is(e, ErrTimeout) || errors.Is(e, ErrRedirect) {
		return backoff.Stop
	}
	if e.RetryAfter > 0 {
		if p.GetElapsedTime()+e.RetryAfter > p.limit {
			return backoff.Stop
		}
		return max(wait, e.RetryAfter)
	}
	if !unreachable(e.Err) {
		if p.refused++; p.refused > maxRetries {
			return backoff.Stop
		}
	}
	return wait
}

// unreachable reports that no connection was made: looking up the name or dialling failed.
func unreachable(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// retry makes one metadata request, again after temporary errors. Each attempt takes its turn among the client's metadata
// requests. attempt returns nil or an *Error.
func (c *Client) retry(ctx context.Context, op string, attempt func() error) error {
	limit := c.cfg.RetryFor
	if !c.answered.Load() {
		limit = min(limit, startGrace)
	}
	p := newPatience(c.firstRetry, limit)
	err := backoff.RetryNotify(func() error {
		p.last = nil
		err := c.inTurn(ctx, attempt)
		if err != nil && !errors.As(err, &p.last) {
			p.last = &Error{Err: err}
		}
		if err == nil || p.last.Status != 0 {
			c.answered.Store(true)
			p.limit, p.MaxElapsedTime = c.cfg.RetryFor, c.cfg.RetryFor // it is there, after all
		}
		if err == nil {
			return nil
		}
		if p.last.Op == "" {
			p.last.Op = op
		}
		c.pause(p.last.RetryAfter)
		return p.last
	}, backoff.WithContext(p, ctx), func(err error, wait time.Duration) {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "retrying", slog.String("op", op), slog.Duration("wait", wait),
			slog.Any("error", err))
	})
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		return p.last
	}
	// The library returns the context's error alone; what went wrong before is worth as much.
	ended := networkError(ctx, ctx.Err())
	if errors.Is(p.last, ctx.Err()) || errors.Is(p.last, ended) {
		return p.last
	}
	return &Error{
		Op: op, URL: p.last.URL, Status: p.last.Status, Message: p.last.Message, RetryAfter: p.last.RetryAfter,
		Err: fmt.Errorf("%w; before that: %w", ended, orStatus(p.last)), final: !errors.Is(ended, ErrTimeout),
	}
}

// orStatus returns the cause of e, or its own text where the status is the cause.
func orStatus(e *Error) error {
	if e.Err != nil {
		return e.Err
	}
	return fmt.Errorf("status %d", e.Status)
}

// inTurn waits until no other metadata request is under way and no pause is on, then makes the attempt.
func (c *Client) inTurn(ctx context.Context, attempt func() error) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return networkError(ctx, ctx.Err())
	}
	defer func() { <-c.turn }()
	c.mu.Lock()
	wait := time.Until(c.resumeAt)
	c.mu.Unlock()
	if wait > c.cfg.RetryFor {
		return &Error{Err: errPaused, RetryAfter: wait}
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	return attempt()
}

var errPaused = errors.New("the archive asked to wait")

// pause keeps all metadata requests back for as long as the archive asked.
func (c *Client) pause(wait time.Duration) {
	if wait <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := time.Now().Add(wait); at.After(c.resumeAt) {
		c.resumeAt = at
	}
}

// sleep waits, or returns the reason why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return networkError(ctx, ctx.Err())
	}
}
