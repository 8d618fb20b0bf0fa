package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"
)

const (
	diskProbe = 30 * time.Second // between two looks whether there is room again
	diskRelap = time.Minute      // a gate that closes again so soon was never really open
)

// StorageError ends a run because the local disk cannot take more.
type StorageError struct {
	Since time.Duration // how long everybody waited for room
	Err   error
}

func (e *StorageError) Error() string {
	if e.Since == 0 {
		return fmt.Sprintf("storing files: %v", e.Err)
	}
	return fmt.Sprintf("storing files: %v (no change in %v)", e.Err, e.Since.Round(time.Second))
}

func (e *StorageError) Unwrap() error { return e.Err }

// diskGate is what all transfers pass before they write. It closes when space, inodes, quota or file handles run out, and
// opens when a probe file can be written and fsynced again. Safe for use by several goroutines.
type diskGate struct {
	root      *os.Root
	dir       string // where probes are written
	maxOutage time.Duration
	notify    func(string)

	mu     sync.Mutex // guards all below
	closed time.Time  // zero if open
	since  time.Time  // when it first closed; kept while it opens for moments only
	opened time.Time  // when it last opened
	cause  error
}

// close shuts the gate for everybody; the first cause counts.
func (g *diskGate) close(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.IsZero() {
		return
	}
	now := time.Now()
	again := !g.opened.IsZero() && now.Sub(g.opened) < diskRelap
	g.closed, g.cause = now, err
	if again {
		return // a little room was there, and not enough of it
	}
	g.since = now
	g.notify(fmt.Sprintf("waiting for the local disk: %v; %s", err, diskAdvice(err)))
}

// enter blocks while the gate is closed. It returns *StorageError when that has lasted too long.
func (g *diskGate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		closed, start, cause := g.closed, g.since, g.cause
		g.mu.Unlock()
		if closed.IsZero() {
			return nil
		}
		since := time.Since(start)
		if since >= g.maxOutage {
			return &StorageError{Since: since, Err: cause}
		}
		t := time.NewTimer(min(diskProbe, g.maxOutage-since))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errDrain
		}
		g.tryOpen()
	}
}

// tryOpen opens the gate if a probe can be written. One prober at a time: the others wait for the lock.
func (g *diskGate) tryOpen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed.IsZero() || g.probe() != nil {
		return
	}
	if g.closed.Equal(g.since) {
		g.notify(fmt.Sprintf("the local disk takes files again after %v", time.Since(g.since).Round(time.Second)))
	}
	g.closed, g.cause, g.opened = time.Time{}, nil, time.Now()
}

// probe writes and fsyncs one block, and removes it again.
func (g *diskGate) probe() (err error) {
	name := path.Join(g.dir, "probe")
	defer func() {
		if e := g.root.Remove(name); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}()
	f, err := g.root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, copyBuffer))
	return errors.Join(err, f.Sync(), f.Close())
}

func diskAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "free some space or inodes, the run goes on by itself"
	case errors.Is(err, syscall.EDQUOT):
		return "your quota is used up; the run goes on by itself when there is room"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files; lower -j or raise `ulimit -n`"
	}
	return "look at the disk; the run goes on by itself when it can write again"
}
