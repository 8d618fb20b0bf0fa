package fetcher

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"jwstbulk/internal/mast"
)

// Source serves the bytes of files. Its methods are called by several goroutines.
type Source interface {
	// Name is what the queue records: "mast" or "s3".
	Name() string
	// Open starts one attempt at the file of a name from byte from, without retry; the body ends with io.EOF only if the reply
	// was complete as HTTP understands it. The name is the URI, but for a Mirror. With from > 0 a Body with From 0 is a whole
	// file that replaces what is there. Errors are *mast.Error, *mast.RangeError or the network's.
	Open(ctx context.Context, name string, from int64, v mast.Validator) (*mast.Body, error)
}

// Mirror is a source beside the archive that has copies of some public files, under names of its own.
type Mirror interface {
	Source
	// Locate says what the mirror calls files, of which there are at most MaxLocate; those it does not have are not in the map.
	Locate(ctx context.Context, uris []string) (names map[string]string, err error)
}

// MaxLocate is the number of files that a Mirror is asked for at once.
const MaxLocate = mast.MaxCloudPaths

// SourceCount is what came from a source in a run.
type SourceCount struct {
	Files    int64 `json:"files"`    // brought to their final names
	Bytes    int64 `json:"bytes"`    // received, including what was thrown away
	Requests int64 `json:"requests"` // for files
	Failures int64 `json:"failures"` // attempts that it failed
	Rests    int64 `json:"rests"`    // how often it was left alone for a while, because too many failed
}

// supply is a source with its own limits, gate and record. Safe for use by several goroutines.
type supply struct {
	Source
	gate     *hostGate
	slots    chan struct{} // one a transfer
	requests *rate.Limiter
	waiting  atomic.Int64 // attempts that want a slot

	mu     sync.Mutex // guards all below
	count  SourceCount
	health health
	took   time.Duration // of the transfers of count.Bytes
}

func newSupply(s Source, jobs int, perSecond float64, gate *hostGate) *supply {
	return &supply{Source: s, gate: gate, slots: make(chan struct{}, jobs), requests: requestLimiter(perSecond)}
}

// usable reports whether a request may be sent to it now.
func (s *supply) usable(now time.Time) bool {
	s.mu.Lock()
	resting := s.health.resting(now)
	s.mu.Unlock()
	return !resting && s.gate.open(now, false)
}

// counts returns what came from it so far.
func (s *supply) counts() SourceCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// add changes the count.
func (s *supply) add(change func(*SourceCount)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.count)
}

// transferred records bytes of a transfer and its time.
func (s *supply) transferred(bytes int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Bytes += bytes
	s.took += took
}

// served records that a file came right.
func (s *supply) served() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.record(true, time.Now())
}

// failed records that an attempt failed. rests says that it is left alone for a while from now on.
func (s *supply) failed() (rests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Failures++
	if rests = s.health.record(false, time.Now()); rests {
		s.count.Rests++
	}
	return rests
}

// pace returns the bytes a second of one transfer; 0 if nothing is known.
func (s *supply) pace() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took <= 0 {
		return 0
	}
	return float64(s.count.Bytes) / s.took.Seconds()
}

const (
	healthSpan = 20               // attempts that are remembered
	healthBad  = 2                // failures among them after which a source rests
	restTime   = 10 * time.Minute // how long
)

// health remembers how the last attempts at a source ended. The zero value is of a source that is well.
type health struct {
	failed [healthSpan]bool
	next   int
	until  time.Time // it rests until then
}

// record takes in the end of an attempt. rests says that it was one failure too many.
func (h *health) record(ok bool, now time.Time) (rests bool) {
	if h.resting(now) {
		return false // of an attempt that began before
	}
	h.failed[h.next] = !ok
	h.next = (h.next + 1) % healthSpan
	bad := 0
	for _, f := range h.failed {
		if f {
			bad++
		}
	}
	if ok || bad < healthBad {
		return false
	}
	*h = health{until: now.Add(restTime)}
	return true
}

func (h *health) resting(now time.Time) bool { return now.Before(h.until) }
