package masttest

import (
	"context"
	"crypto/sha1"
	"hash"
	"sync"
	"time"
)

// throttle shares a byte rate among all bodies.
type throttle struct {
	mu        sync.Mutex // guards all below
	perSecond int64      // 0 means no limit
	next      time.Time  // when the bytes promised so far are paid for
}

func (t *throttle) set(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.perSecond, t.next = n, time.Time{}
}

// piece is the largest write that keeps the rate smooth.
func (t *throttle) piece() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.perSecond == 0 {
		return 256 << 10
	}
	return int(min(64<<10, max(512, t.perSecond/50)))
}

// wait pays for n bytes. It returns an error if ctx ends first.
func (t *throttle) wait(ctx context.Context, n int) error {
	t.mu.Lock()
	if t.perSecond == 0 {
		t.mu.Unlock()
		return nil
	}
	now := time.Now()
	if t.next.Before(now) {
		t.next = now
	}
	t.next = t.next.Add(time.Duration(n) * time.Second / time.Duration(t.perSecond))
	d := t.next.Sub(now)
	t.mu.Unlock()
	return sleep(ctx, d)
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gauge counts bodies being sent.
type gauge struct {
	mu  sync.Mutex // guards n and top
	n   int
	top int
}

// enter counts one more unless there are limit already; 0 means no limit.
func (g *gauge) enter(limit int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if limit > 0 && g.n >= limit {
		return false
	}
	g.n++
	g.top = max(g.top, g.n)
	return true
}

func (g *gauge) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
}

// MaxConcurrent returns the largest number of file bodies that were ever being sent at the same time.
func (s *Server) MaxConcurrent() int {
	s.busy.mu.Lock()
	defer s.busy.mu.Unlock()
	return s.busy.top
}

func newSHA1() hash.Hash { return sha1.New() }
