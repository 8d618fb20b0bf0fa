package fetcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	locateAhead = 5 * MaxLocate    // how far the look-ups run ahead of the claims, in files
	locateEvery = MaxLocate / 2    // files after which they look ahead again
	locateWait  = 2 * time.Second  // how long an attempt waits for an answer before it goes to the archive
	locateLimit = 15 * time.Second // for one look-up
	locateRest  = time.Minute      // after one that failed
	locateKeep  = 1 << 13          // answers that are kept
)

// locator finds out what the mirror calls the files that come next, so that no attempt waits for it. Answers are kept in
// memory alone: a file may be published or moved at any time, and the answer for forty costs one small request. Safe for use
// by several goroutines.
type locator struct {
	mirror Mirror
	ahead  func(context.Context) ([]string, error) // files that will be claimed next
	must   bool                                    // there is no other source: attempts wait, and get the error
	notify func(string)
	wake   chan struct{} // run has something to do
	wait   time.Duration // locateWait
	limit  time.Duration // locateLimit

	mu       sync.Mutex // guards all below
	names    map[string]string
	kept     []string        // keys of names, oldest first; "" as a name: there is no copy
	wanted   map[string]bool // attempts wait for these
	since    int             // attempts since it looked ahead
	began    time.Time       // of the look-up under way; zero if there is none
	rest     time.Time       // no look-up before
	failures int
	err      error // of the last one that failed
	told     bool
	changed  chan struct{}
}

func newLocator(m Mirror, must bool, ahead func(context.Context) ([]string, error), notify func(string)) *locator {
	return &locator{mirror: m, ahead: ahead, must: must, notify: notify, wake: make(chan struct{}, 1),
		wait: locateWait, limit: locateLimit,
		names: map[string]string{}, wanted: map[string]bool{}, changed: make(chan struct{})}
}

// run makes the look-ups, one at a time, until ctx ends.
func (l *locator) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for l.lookUp(ctx) {
		}
	}
}

// find returns what the mirror calls a file, "" if it has no copy. known is false if that could not be found out in time.
// The error is that ctx ended, or, where there is no other source, why it could not be found out.
func (l *locator) find(ctx context.Context, uri string) (name string, known bool, err error) {
	t := time.NewTimer(l.wait)
	defer t.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since++; l.since >= locateEvery {
		l.wakeLocked()
	}
	for before := l.failures; ; {
		if name, known = l.names[uri]; known {
			return name, true, nil
		}
		if l.must && l.failures != before {
			return "", false, l.err
		}
		now := time.Now()
		if !l.must && (now.Before(l.rest) || !l.began.IsZero() && now.Sub(l.began) >= l.wait) {
			return "", false, nil
		}
		l.wanted[uri] = true
		l.wakeLocked()
		changed, late := l.changed, t.C
		if l.must {
			late = nil
		}
		l.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			err = errLate
		case <-ctx.Done():
			err = errDrain
		}
		l.mu.Lock()
		if err != nil {
			delete(l.wanted, uri)
			if err == errLate {
				err = nil
			}
			return "", false, err
		}
	}
}

var errLate = errors.New("no answer in time")

// forget has a file count as one without a copy from now on.
func (l *locator) forget(uri string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepLocked(uri, "")
}

func (l *locator) wakeLocked() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *locator) keepLocked(uri, name string) {
	if _, ok := l.names[uri]; !ok {
		l.kept = append(l.kept, uri)
	}
	l.names[uri] = name
	for len(l.kept) > locateKeep {
		delete(l.names, l.kept[0])
		l.kept = l.kept[1:]
	}
}

// lookUp makes one look-up if one is due; again says that another may be.
func (l *locator) lookUp(ctx context.Context) (again bool) {
	ahead, err := l.ahead(ctx)
	if err != nil {
		ahead = nil // the claims will tell what is wrong with the queue
	}
	uris := l.due(ahead)
	if len(uris) == 0 {
		return false
	}
	within, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	names, err := l.mirror.Locate(within, uris)
	if ctx.Err() != nil {
		return false
	}
	l.take(uris, names, err)
	return err == nil
}

// due returns the files to look up now: those that attempts wait for, and with them those that come next; and those alone
// only if they fill a request or their turn is near.
func (l *locator) due(ahead []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = 0
	if time.Now().Before(l.rest) {
		return nil
	}
	uris := slices.AppendSeq(make([]string, 0, MaxLocate), maps.Keys(l.wanted))
	near := len(uris) > 0
	for i, uri := range ahead {
		if len(uris) >= MaxLocate {
			break
		}
		if _, known := l.names[uri]; !known && !l.wanted[uri] {
			uris = append(uris, uri)
			near = near || i < MaxLocate
		}
	}
	if !near && len(uris) < MaxLocate {
		return nil
	}
	uris = uris[:min(len(uris), MaxLocate)]
	l.began = time.Now()
	return uris
}

// take takes in the answer to a look-up.
func (l *locator) take(uris []string, names map[string]string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = time.Time{}
	close(l.changed)
	l.changed = make(chan struct{})
	if err != nil {
		l.failures++
		l.err = fmt.Errorf("finding out where the public copies are: %w", err)
		clear(l.wanted)
		if l.must {
			return // whoever waited has the host's gate to pass before the next look-up
		}
		l.rest = time.Now().Add(locateRest)
		if !l.told {
			l.told = true
			l.notify(fmt.Sprintf("%v; files come from the archive meanwhile", l.err))
		}
		return
	}
	for _, uri := range uris {
		if _, ok := l.names[uri]; !ok { // it may have been forgotten meanwhile
			l.keepLocked(uri, names[uri])
		}
		delete(l.wanted, uri)
	}
}
