package fetcher

import (
	"context"
	"sync"

	"jwstbulk/queue"
)

// maxTrials is how many files are fetched twice before the archive's checksum is called something other than MD5.
const maxTrials = 3

// trustee keeps what this campaign has learned about the archive's 32-digit checksum. While nobody has seen one match,
// a body that fits in everything else is fetched once more, as a trial; at most maxTrials trials run or have run, and all
// other bodies with a mismatch wait for their verdict. Safe for use by several goroutines.
type trustee struct {
	mu      sync.Mutex // guards all below
	trust   queue.Trust
	trials  int // under way
	doubles int // ended with the same bytes twice
	changed chan struct{}
}

func newTrustee(t queue.Trust) *trustee {
	if t == "" {
		t = queue.TrustUnproven
	}
	return &trustee{trust: t, changed: make(chan struct{})}
}

// now returns the present trust.
func (t *trustee) now() queue.Trust {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trust
}

// begin starts a trial, or, when enough trials are under way, waits until one of them ends. started says which; after a
// wait the caller judges its body again.
func (t *trustee) begin(ctx context.Context) (started bool, err error) {
	t.mu.Lock()
	if t.trust == queue.TrustUnproven && t.trials+t.doubles < maxTrials {
		t.trials++
		t.mu.Unlock()
		return true, nil
	}
	if t.trust != queue.TrustUnproven || t.trials == 0 {
		t.mu.Unlock()
		return false, nil
	}
	changed := t.changed
	t.mu.Unlock()
	select {
	case <-changed:
		return false, nil
	case <-ctx.Done():
		return false, errDrain
	}
}

// end closes a trial that gave no verdict.
func (t *trustee) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trials--
	t.wakeLocked()
}

// double records that two fetches of a file agreed with each other but not with the archive's checksum. It returns the
// trust to record: not-md5 once maxTrials files did so and none ever matched, else "".
func (t *trustee) double() queue.Trust {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubles++
	if t.doubles < maxTrials || t.trust != queue.TrustUnproven {
		return ""
	}
	t.trust = queue.TrustNotMD5
	t.wakeLocked()
	return queue.TrustNotMD5
}

// proven records that a checksum matched; first says that it is news.
func (t *trustee) proven() (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.trust != queue.TrustProven
	t.trust = queue.TrustProven
	t.wakeLocked()
	return first
}

func (t *trustee) wakeLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}
