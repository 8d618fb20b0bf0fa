package cluster

import (
	"path"
	"time"
)

const (
	// LookAge is how old a task's last look for later attempts may be when it sends a request.
	LookAge = 5 * time.Second
	// Handover is how long an attempt that follows one without an end waits, from its begin to its first request: the earlier
	// one, should it still be at work, has seen its journal by then. A second is for the request that is on its way. A file
	// system that shows new files late, as NFS may for a minute, adds that to the time in which both send requests.
	Handover = LookAge + time.Second
)

// Unended reports whether an earlier attempt has left no end: it was killed, or it is still at work somewhere.
func (t *Task) Unended() bool { return t.unended }

// Overtaken reports whether a later attempt at the shard has begun: whoever started it takes this one for dead, and its
// share of the budget is used by the other. Of two attempts at most one is overtaken. What an earlier call saw is relied on
// for maxAge, also over the time in which the process or its machine was asleep; 0 looks. Safe for use by several goroutines.
func (t *Task) Overtaken(maxAge time.Duration) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.overtaken || !t.looked.IsZero() && age(t.looked, now) < maxAge {
		return t.overtaken, nil
	}
	yes, err := t.lookLocked()
	if err == nil {
		t.overtaken, t.looked = yes, now
	}
	return yes, err
}

// age is the longer of the times that the monotonic and the wall clock tell: the former may stand still while a machine is
// suspended, the latter may be set back.
func age(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (t *Task) lookLocked() (bool, error) {
	names, err := journalNames(t.root, t.cfg.Round)
	if err != nil {
		return false, err
	}
	for _, name := range names[t.cfg.Shard] {
		if t.seen[name] || name == t.own.Name {
			continue
		}
		j, err := readJournal(t.root, path.Join(RoundDir(t.cfg.Round), name))
		if err != nil {
			return false, err
		}
		if j.attempt.Started.IsZero() {
			continue // it is being begun
		}
		if order := older(t.own, j.attempt); order < 0 || order == 0 && t.own.Name < name {
			return true, nil
		}
		t.seen[name] = true
	}
	return false, nil
}
