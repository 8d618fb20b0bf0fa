package fetcher

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	startGrace    = 20 * time.Second // an archive that never answered is given up after this
	startProbe    = 2 * time.Second  // between two probes before the first good reply
	outageProbe   = time.Minute      // between two probes in an outage
	outageFiles   = 3                // different files that must fail with a server error before it is called an outage
	retryRounding = time.Second      // HTTP dates and Retry-After have whole seconds
	longestPause  = 6 * time.Hour    // a longer Retry-After is cut to this
	throttlePause = 2 * time.Second  // after a 429 that does not say how long to wait
)

// UnavailableError ends a run because the archive cannot be reached.
type UnavailableError struct {
	Who   string        // "" means the archive
	Since time.Duration // how long it has been out
	Ever  bool          // it answered before, in this run
	Err   error         // the last error
}

func (e *UnavailableError) Error() string {
	who := e.Who
	if who == "" {
		who = "the archive"
	}
	if !e.Ever {
		return fmt.Sprintf("%s does not answer: %v", who, e.Err)
	}
	return fmt.Sprintf("%s has not answered for %v: %v", who, e.Since.Round(time.Second), e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// hostGate is what all transfers from one host pass before a request. It is closed while the host asked for a pause
// (Retry-After), and while the host is out; then one request a minute passes as a probe, and outages cost no file an attempt.
// Safe for use by several goroutines.
type hostGate struct {
	who       string // in what is said to the user: the archive, unless it is set before use
	maxOutage time.Duration
	notify    func(string) // said at the start and at the end of a pause or outage
	shared    Pauses       // nil: none

	mu      sync.Mutex // guards all below
	until   time.Time  // pause asked for by the host
	failing map[string]bool
	outage  time.Time // when the present outage began; zero if there is none
	last    error
	nextTry time.Time // the next probe of an outage
	probing bool
	ever    bool // a good reply was seen
	changed chan struct{}
}

func newHostGate(maxOutage time.Duration, notify func(string)) *hostGate {
	return &hostGate{who: "the archive", maxOutage: maxOutage, notify: notify, failing: map[string]bool{}, changed: make(chan struct{})}
}

// enter blocks until a request may be sent; probe says that it is the one that finds out whether an outage is over. It
// returns *UnavailableError when the outage has lasted too long. Every enter without error is followed by exactly one good,
// bad or cancel.
func (g *hostGate) enter(ctx context.Context) (probe bool, err error) {
	for {
		probe, wait, changed, err := g.try(time.Now())
		if err != nil || wait == 0 {
			return probe, err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-ctx.Done():
			t.Stop()
			return false, errDrain
		}
		t.Stop()
	}
}

// open reports whether a request that passed enter may still be sent.
func (g *hostGate) open(now time.Time, probe bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !now.Before(g.until) && (probe || g.outage.IsZero())
}

// try returns a wait of 0 if a request may go now, else how long to wait before asking again, at most until changed is
// closed.
func (g *hostGate) try(now time.Time) (probe bool, wait time.Duration, changed <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shared != nil {
		g.joinLocked(g.shared.Until(), now)
	}
	if d := g.until.Sub(now); d > 0 {
		return false, d, g.changed, nil
	}
	if g.outage.IsZero() {
		return false, 0, nil, nil
	}
	limit := g.maxOutage
	if !g.ever {
		limit = min(limit, startGrace)
	}
	if since := now.Sub(g.outage); since >= limit {
		return false, 0, nil, &UnavailableError{Who: g.who, Since: since, Ever: g.ever, Err: g.last}
	}
	wait = limit - now.Sub(g.outage)
	if !g.probing {
		if !now.Before(g.nextTry) {
			g.probing = true
			return true, 0, nil, nil
		}
		wait = min(wait, g.nextTry.Sub(now))
	}
	return false, max(time.Millisecond, wait), g.changed, nil
}

// joinLocked takes part in a pause that was asked of another process, as far as one of our own could be long.
func (g *hostGate) joinLocked(until, now time.Time) {
	if latest := now.Add(longestPause); until.After(latest) {
		until = latest
	}
	if until.After(now) && until.After(g.until.Add(retryRounding)) {
		g.until = until
		g.notify(fmt.Sprintf("%s asked another task to wait; waiting %v with it", g.who, until.Sub(now).Round(time.Second)))
	}
}

// good records an answer of the host: whatever it said of the file, the host is there.
func (g *hostGate) good() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.outage.IsZero() {
		g.notify(fmt.Sprintf("%s answers again after %v", g.who, time.Since(g.outage).Round(time.Second)))
	}
	g.ever, g.probing, g.outage, g.last = true, false, time.Time{}, nil
	clear(g.failing)
	g.wakeLocked()
}

// bad records that the request for key failed on the network's or the server's side. connected tells whether the host
// answered at all; where it did, an empty key is no evidence against it. It reports whether this is an outage, in which the
// file is not to blame.
func (g *hostGate) bad(key string, connected bool, err error) (outage bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if key != "" {
		g.failing[key] = true
	}
	g.last = err
	if g.outage.IsZero() && (!connected || len(g.failing) >= outageFiles) {
		g.outage = now
		g.notify(fmt.Sprintf("%s does not answer (%v); waiting for it", g.who, err))
	}
	if g.outage.IsZero() {
		return false
	}
	g.probing = false
	every := outageProbe
	if !g.ever {
		every = startProbe
	}
	g.nextTry = now.Add(every)
	g.wakeLocked()
	return true
}

// cancel takes back an enter whose request was not sent or says nothing of the host; probe is what enter said.
func (g *hostGate) cancel(probe bool) {
	if !probe {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
	g.wakeLocked()
}

// pause closes the gate for everybody, as the host asked by Retry-After.
func (g *hostGate) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	d = min(d, longestPause)
	now := time.Now()
	if until := now.Add(d); until.After(g.until) {
		said := g.until.After(now) && until.Sub(g.until) < time.Second // by another request of the same moment
		g.until = until
		if said {
			return
		}
		g.notify(fmt.Sprintf("%s asks to wait %v", g.who, d.Round(time.Second)))
		if g.shared != nil {
			g.shared.Pause(until)
		}
	}
	g.wakeLocked()
}

func (g *hostGate) wakeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}
