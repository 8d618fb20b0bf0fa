package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

const (
	progressBytes = 1 << 20 // an attempt that got so many new bytes is not held against the file
	maxRestarts   = 2       // whole starts from byte 0 within one attempt
	maxReconnects = 1000    // connections within one attempt
)

// attempt is one claim of one file, from opening its part to placing it, over as many connections as make progress.
type attempt struct {
	*Fetcher
	job *queue.Job

	src       *supply
	part      *part
	stated    mast.Digests // what the source said of the whole, of the version that the part is of
	recorded  queue.Part   // what the queue holds of the part
	start     int64        // bytes of the part that an earlier attempt left
	high      int64        // the most bytes that a part of this attempt had and that could be continued
	asked     bool         // the metadata was asked again
	trial     bool         // this attempt is a trial of the archive's checksum
	rejected  bool         // a whole body was rejected in this attempt
	refetched bool         // one of the archive's was
	elsewhere bool         // the last one was the mirror's, which counts for nothing against the archive's
	announced bool         // the server told the length
	adopted   bool         // its bytes were on disk already; the part is none of the queue's
	gained    bool         // it made progress, as known when it ended
	restarts  int
	received  int64 // bytes, also of what was thrown away
}

// fetch brings the file to its final name, or returns why not. Whatever happens, what is recorded of the part fits what is
// on disk.
func (a *attempt) fetch(ctx context.Context) error {
	defer a.endTrial()
	if err := a.disk.enter(ctx); err != nil {
		return err
	}
	if _, err := checkFinal(a.root, a.job.Path); err != nil {
		return err
	}
	if err := a.choose(ctx); err != nil {
		return err
	}
	if err := a.takeUpPart(ctx); err != nil {
		return err
	}
	for connections := 0; ; connections++ {
		err := a.transfer(ctx)
		if err == nil {
			more, err := a.complete(ctx)
			if err != nil || !more {
				return err
			}
			continue
		}
		if a.advanced(a.high) && connections < maxReconnects && reconnects(err) {
			a.high = a.part.size
			if !sleep(ctx, rand.N(200*time.Millisecond)) {
				return errDrain
			}
			continue
		}
		if a.leaves(ctx, err) {
			if err := a.toArchive(ctx, err); err != nil {
				return err
			}
			continue
		}
		if a.restarts <= maxRestarts && (errors.Is(err, errRestart) || errors.Is(err, mast.ErrProtocol)) && a.part != nil {
			if e := a.startOver(); e != nil {
				return e
			}
			continue
		}
		if errors.Is(err, errRestart) && a.part != nil { // nothing of it is any good, so it is no progress either
			err = errors.Join(err, a.part.restart())
		}
		return err
	}
}

// reconnects reports errors of a body that broke off: the same file is simply asked for the rest.
func reconnects(err error) bool {
	v := classify(err)
	return v.class == classRetry && v.pause == 0 && !errors.Is(err, mast.ErrProtocol) && !errors.Is(err, errRestart)
}

// advanced reports whether the part can be continued and has grown well beyond so many bytes. Bytes that must be fetched
// again are no progress, however many: a server that sends everything but the end would be asked for ever.
func (a *attempt) advanced(beyond int64) bool {
	gained := a.resumable() - beyond
	return gained > 0 && gained >= min(progressBytes, a.job.Size/100)
}

// takeUpPart opens what an earlier attempt left, if it may be continued at all.
func (a *attempt) takeUpPart(ctx context.Context) error {
	a.recorded = a.job.Part
	if a.job.Part.Token == "" || a.job.Part.Source == sourceAdopted {
		return nil
	}
	if a.job.Part.Source != a.src.Name() && !a.provable() {
		return nil
	}
	p, err := openPart(ctx, a.root, a.job, a.trustedBoot(), a.adopts(a.job.Part.Boot))
	if errors.Is(err, errUnreadable) { // it would close the disk's gate for everybody at every attempt
		return a.event(ctx, "part-lost", err.Error())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a.part, a.start, a.high = p, p.size, p.size
	if p.meta.Source != a.src.Name() {
		err = a.rebind()
	}
	return errors.Join(err, a.step("taken up"))
}

// adopts reports whether whoever wrote a part under that boot is dead for certain: our lock on the campaign proves it on a
// local file system, and on a network one only for processes of this very boot. Where tasks share the directory no lock is
// ours, and of a part that a task left nobody knows.
func (a *attempt) adopts(boot string) bool {
	return !a.cfg.Shared && boot != "" && (!a.cfg.NetworkFS || boot == a.boot)
}

// trustedBoot is the boot under which unflushed bytes of a part count. Where tasks share the directory none is: an older task
// may still be writing.
func (a *attempt) trustedBoot() string {
	if a.cfg.Shared {
		return "none"
	}
	return a.boot
}

// provable reports whether the whole will be proven by a checksum that holds for the version the part was begun under, so
// that a part may be continued although the server gives no validator.
func (a *attempt) provable() bool {
	if a.job.Want != nil {
		return true
	}
	begun := a.job.Part.Checksum
	if a.part != nil {
		begun = a.part.meta.Checksum
	}
	return a.trust.now() == queue.TrustProven && a.job.Checksum != nil && bytes.Equal(a.job.Checksum, begun)
}

// resumable returns the byte to continue from: 0 if the part must start over.
func (a *attempt) resumable() int64 {
	if a.part == nil || a.part.size == 0 {
		return 0
	}
	if validator(a.part.meta).Strong() == "" && !a.provable() {
		return 0
	}
	return a.part.size
}

// whole reports whether the part already holds all its bytes, so that no request is needed.
func (a *attempt) whole() bool {
	return a.part != nil && a.part.size > 0 && a.part.meta.Size == a.part.size
}

func validator(p queue.Part) mast.Validator {
	return mast.Validator{ETag: p.ETag, LastModified: p.LastModified, Date: p.Date}
}

// startOver empties the part: its bytes may not be continued.
func (a *attempt) startOver() error {
	a.restarts++
	if a.part == nil {
		return nil
	}
	a.cfg.Reporter.Bytes(a.job, -a.part.size)
	return a.part.restart()
}

// ready makes sure there is an open part at offset from.
func (a *attempt) ready(from int64) error {
	if a.part == nil {
		p, err := createPart(a.root, a.job.URI)
		if err != nil {
			return err
		}
		a.part = p
		if err := a.step("created"); err != nil {
			return err
		}
	}
	if from == 0 && a.part.size > 0 {
		if err := errors.Join(a.startOver(), a.step("emptied")); err != nil {
			return err
		}
	}
	if from == 0 && a.src == a.mirror {
		a.part.sums = newSums()
	}
	if from != a.part.size {
		return fmt.Errorf("%w: it has %d bytes, the reply starts at %d", errRestart, a.part.size, from)
	}
	return nil
}

// askAgain asks the archive's metadata for this file, once an attempt, and takes over what it says now.
func (a *attempt) askAgain(ctx context.Context) error {
	a.asked = true
	fact, found, err := a.cfg.Archive.Facts(ctx, a.job.URI)
	if err != nil {
		return fmt.Errorf("asking the archive's metadata again: %w", err)
	}
	if !found {
		return nil
	}
	if fact.Size >= 0 {
		a.job.Size, a.job.Exact = fact.Size, true
	}
	if fact.Checksum != nil && !bytes.Equal(fact.Checksum, a.job.Checksum) {
		a.job.Checksum = fact.Checksum
		a.job.LastSHA = nil // bytes of the older version prove nothing about this one
	}
	recCtx, cancel := recording(ctx)
	defer cancel()
	if err := a.cfg.Queue.SetFacts(recCtx, a.job.ID, fact); err != nil {
		return &queueError{err}
	}
	return nil
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
