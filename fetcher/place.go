package fetcher

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"

	"jwstbulk/internal/fits"
	"jwstbulk/queue"
)

// unprovenError says that complete bytes could not be proven; reason is what the file fails for if that stays so.
type unprovenError struct {
	reason queue.Reason
	err    error
}

func (e *unprovenError) Error() string { return e.err.Error() }
func (e *unprovenError) Unwrap() error { return e.err }

// complete judges the whole part and places it. more says that the file must be fetched once more, now.
func (a *attempt) complete(ctx context.Context) (more bool, err error) {
	// Whether the length was announced is asked before Size becomes what arrived.
	sized := a.announced || a.job.Size >= 0
	if err := a.part.seal(); err != nil {
		return false, errors.Join(err, a.dropPart()) // after a failed fsync nobody knows what the disk holds
	}
	if err := a.step("sealed"); err != nil {
		return false, err
	}
	if a.recorded.Token != "" && a.recorded.Token != a.part.meta.Token { // a copy that was whole: no body has recorded it
		if err := wait(a.recordPart(ctx)); err != nil {
			return false, err
		}
	}
	b, report := a.part.result()
	b.sized, b.stated = sized, a.part.against(a.stated, a.src.gate.who)
	for {
		j := judge(a.job, b, a.trust.now(), a.asked, a.cfg.RequireSums)
		switch j.ruling {
		case accept:
			a.src.served()
			return false, a.place(ctx, j, b, report)
		case ask:
			if err := a.askAgain(ctx); err != nil {
				return false, err
			}
			if a.job.Exact && a.job.Size != b.size {
				err := &SizeError{What: "the body", Got: b.size, Want: a.job.Size}
				return a.reject(ctx, b, judgement{ruling: again, reason: queue.ReasonSize, err: err})
			}
		case trial:
			started, err := a.startTrial(ctx)
			if err != nil {
				return false, err
			}
			if started {
				return a.reject(ctx, b, j)
			}
		default:
			return a.reject(ctx, b, j)
		}
	}
}

// startTrial makes this attempt one of the few that fetch a file twice to learn what the archive's checksums are, or waits
// for the verdict of the others. started is true too for an attempt that is a trial already.
func (a *attempt) startTrial(ctx context.Context) (started bool, err error) {
	if a.trial {
		return true, nil
	}
	a.trial, err = a.trust.begin(ctx)
	return a.trial, err
}

func (a *attempt) endTrial() {
	if a.trial {
		a.trust.end()
		a.trial = false
	}
}

// reject puts the bytes that were not accepted into quarantine, and asks for one more fetch in the same attempt. The second
// time the attempt ends.
func (a *attempt) reject(ctx context.Context, b body, j judgement) (more bool, err error) {
	a.job.LastSHA = b.sha256
	a.high = 0
	a.cfg.Reporter.Bytes(a.job, -a.part.size)
	a.rejected = true
	if err := errors.Join(a.quarantine(), a.step("rejected")); err != nil {
		return false, err
	}
	if a.optional() {
		a.elsewhere = true
		return true, a.toArchive(ctx, j.err)
	}
	if j.ruling == refuse && !a.elsewhere {
		return false, &failError{reason: j.reason, err: j.err,
			advice: "the bytes are in " + quarantineDir + "; `jwstbulk retry` fetches it again, and if that does not help the archive's help desk wants to know"}
	}
	if a.refetched {
		return false, &unprovenError{reason: j.reason, err: j.err}
	}
	a.refetched, a.elsewhere = true, false
	return true, a.event(ctx, "refetch", j.err.Error())
}

// place records what is about to happen, gives the part its final name, and records that it happened.
func (a *attempt) place(ctx context.Context, j judgement, b body, r fits.Report) error {
	learned := j.trust
	if j.proof == queue.ProofDouble && a.job.Checksum != nil && a.job.Want == nil {
		learned = a.trust.double()
		a.endTrial()
	}
	if err := a.tellVersion(ctx, b.sha256); err != nil {
		return err
	}
	recCtx, cancel := recording(ctx)
	defer cancel()
	err := a.cfg.Queue.Place(recCtx, *a.job, queue.Placement{
		Size: b.size, SHA256: b.sha256, MD5: b.md5, Proof: j.proof, Flagged: j.flagged, Header: r.Header,
		Source: a.origin().Source, Validator: a.origin().Validator, Trust: learned,
	})
	if err != nil {
		return asQueueError(err)
	}
	if err := a.step("placing"); err != nil {
		return err
	}
	a.say(learned, j)
	// If this fails, the outcome is recorded as any other's: the row leaves placing for where the error sends it.
	ctx = context.WithoutCancel(ctx) // what stands there may be long to hash, and no stop may come between
	if err := a.bring(ctx, b.sha256); err != nil {
		return err
	}
	a.part = nil
	if err := a.step("placed"); err != nil {
		return err
	}
	finCtx, finish := recording(ctx)
	defer finish()
	if err := a.cfg.Queue.Finish(finCtx, *a.job); err != nil {
		if errors.Is(err, queue.ErrStale) {
			return err
		}
		return &placedError{err}
	}
	if err := a.step("finished"); err != nil {
		return err
	}
	a.forgetQuarantine()
	if learned == queue.TrustProven && a.trust.proven() {
		return errors.Join(a.trustSums(ctx), a.reviewDoubles(ctx))
	}
	return nil
}

// origin says where the bytes came from.
func (a *attempt) origin() queue.Part {
	if a.adopted {
		return queue.Part{Source: sourceAdopted}
	}
	return a.part.meta
}

// bring gives the part its final name, or makes sure of the file that stands there.
func (a *attempt) bring(ctx context.Context, sum []byte) error {
	if a.part == nil {
		return errors.Join(a.dirs.ensure(path.Dir(a.job.Path)), syncFinal(a.root, a.job.Path))
	}
	return a.moveIn(ctx, a.part.name, a.job.Path, sum)
}

// placedError says that the file has its final name but the queue could not be told: the row stays as it is, and the next
// start finds out by the bytes that it is done.
type placedError struct{ err error }

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// say tells the user once what was learned about the archive's checksums.
func (a *attempt) say(learned queue.Trust, j judgement) {
	switch {
	case learned == queue.TrustNotMD5:
		a.cfg.Reporter.Note("WARNING: the archive's checksums are not the MD5 of its files: three files arrived twice with the same bytes and none matched. " +
			"The run goes on without them; files are proven by length and structure. --archive-checksum require makes this an error")
	case j.flagged != "":
		a.cfg.Reporter.Note(fmt.Sprintf("%s is kept (proof: %s), but: %s", path.Base(a.job.Path), j.proof, j.flagged))
	}
}

// trustSums records once more that checksums are proven: the verdict of the trials may have been recorded meanwhile.
func (a *attempt) trustSums(ctx context.Context) error {
	return asQueueError(a.cfg.Queue.SetTrust(ctx, queue.TrustProven))
}

// reviewDoubles takes back files that were accepted against their checksum before it was known that checksums count.
func (a *attempt) reviewDoubles(ctx context.Context) error {
	for f, err := range a.cfg.Queue.Files(ctx, queue.Filter{States: []queue.State{queue.Done}}) {
		if err != nil {
			return asQueueError(err)
		}
		if why := disproven(&f); why != "" {
			if err := a.cfg.Queue.Requeue(ctx, f.ID, why); err != nil {
				return asQueueError(err)
			}
		}
	}
	return nil
}

// disproven says why a done file does not stand once the archive's checksums are proven, "" if it does.
func disproven(f *queue.File) string {
	if f.Proof != queue.ProofDouble || f.Checksum == nil || bytes.Equal(f.Checksum, f.MD5) {
		return ""
	}
	return "MD5 is " + hex.EncodeToString(f.MD5) + ", and the archive's checksums are proven now"
}
