package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// choose settles which source the attempt begins with: the one that its part is of, else the mirror for what it has and can
// serve now, else the archive, which has everything.
func (a *attempt) choose(ctx context.Context) error {
	a.src = a.archive
	now := time.Now()
	var of string // the source of a part that may be continued
	if a.job.Part.Token != "" && a.job.Part.Source != sourceAdopted {
		of = a.job.Part.Source
	}
	switch m := a.mirror; {
	case m == nil:
	case a.cfg.MirrorOnly:
		a.src = m
	case !m.usable(now):
	case of == m.Name():
		a.src = m
	case of != "" && a.archive.usable(now):
	case a.job.Public:
		name, _, err := a.paths.find(ctx, a.job.URI)
		if err != nil {
			return err
		}
		if name != "" {
			a.src = m
		}
	}
	return nil
}

// optional reports whether the attempt is at a source that it need not stay with: the archive has the file too.
func (a *attempt) optional() bool { return a.src == a.mirror && !a.cfg.MirrorOnly }

// takeSlot waits for a transfer's turn at the source. Where all turns of the mirror are taken and the archive has one to
// spare, the file comes from there, if it would be done sooner by what both have delivered so far: in a run of public files
// alone nothing is known of the archive's pace, and it is left in peace.
func (a *attempt) takeSlot(ctx context.Context) (release func(), err error) {
	src := a.src
	release = func() { <-a.src.slots }
	select {
	case src.slots <- struct{}{}:
		return release, nil
	default:
	}
	var other chan struct{} // never ready
	if a.optional() && a.part == nil && a.archive.usable(time.Now()) && a.sooner() {
		other = a.archive.slots
	}
	src.waiting.Add(1)
	defer src.waiting.Add(-1)
	select {
	case src.slots <- struct{}{}:
	case other <- struct{}{}:
		a.src = a.archive
	case <-ctx.Done():
		return nil, errDrain
	}
	return release, nil
}

// sooner reports whether a file would come sooner from the archive than from the mirror, for whose turns others wait too.
func (a *attempt) sooner() bool {
	turns := 1 + float64(a.mirror.waiting.Load())/float64(cap(a.mirror.slots))
	return a.archive.pace()*turns > a.mirror.pace()
}

// errNoCopy says that the mirror does not have the file.
var errNoCopy = errors.New("there is no public copy")

// request asks the source for the file. The mirror's name of it is found out first.
func (a *attempt) request(ctx context.Context, from int64, v mast.Validator) (*mast.Body, error) {
	name := a.job.URI
	if a.src == a.mirror {
		var err error
		if name, _, err = a.paths.find(ctx, a.job.URI); err != nil {
			return nil, err
		}
		if name == "" {
			return nil, a.noCopy(errNoCopy)
		}
	}
	a.src.add(func(c *SourceCount) { c.Requests++ })
	b, err := a.src.Open(ctx, name, from, v)
	if a.src == a.mirror && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		var remote *mast.Error
		if errors.As(err, &remote) && remote.Status >= 400 {
			err = a.noCopy(err)
		}
	}
	return b, err
}

// noCopy is the error of a file that the mirror does not serve: where the archive may not be asked, it is final.
func (a *attempt) noCopy(err error) error {
	if a.optional() {
		return err
	}
	return &failError{reason: queue.ReasonMissing, err: fmt.Errorf("from %s alone: %w", a.src.Name(), err),
		advice: "the archive itself may have it: `jwstbulk retry`, then run with --source auto"}
}

// leaves reports whether an error is a reason to take the file from the archive instead.
func (a *attempt) leaves(ctx context.Context, err error) bool {
	if !a.optional() || ctx.Err() != nil || errors.Is(err, errKilled) {
		return false
	}
	switch classify(err).class {
	case classDrain, classGate, classStop:
		return false
	}
	return true
}

// toArchive takes the rest of the file from the archive, and in this run the mirror is not asked for it again. This spends no
// attempt. The part is dropped unless the whole will be proven: nobody knows whether both hold the same version.
func (a *attempt) toArchive(ctx context.Context, cause error) error {
	m := a.src
	a.src, a.stated, a.restarts = a.archive, mast.Digests{}, 0
	a.paths.forget(a.job.URI)
	blameless := errors.Is(cause, errNoCopy) || errors.Is(cause, errClosed) || missingKey(cause)
	if !blameless && m.failed() {
		a.cfg.Reporter.Note(fmt.Sprintf("%s fails too often (%v); files come from the archive for %v", m.gate.who, cause, restTime))
	}
	if err := a.rebind(); err != nil {
		return err
	}
	a.high = a.resumable()
	return errors.Join(a.event(ctx, "source", fmt.Sprintf("not from %s: %v", m.Name(), cause)), a.step("left the mirror"))
}

// missingKey reports that a bucket does not have the object: the bucket itself is well.
func missingKey(err error) bool {
	var remote *mast.Error
	return errors.As(err, &remote) && remote.Code == "NoSuchKey"
}

// rebind gets the part of another source ready for this one. What the other said of the version means nothing here.
func (a *attempt) rebind() error {
	switch {
	case a.part == nil:
		return nil
	case a.provable():
		a.part.meta.Validator = queue.Validator{}
		return nil
	}
	a.cfg.Reporter.Bytes(a.job, -a.part.size)
	return a.part.restart()
}
