package fetcher

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"jwstbulk/queue"
)

// Candidate is a file on disk that may be one of the queue's: it has its name.
type Candidate struct {
	File queue.File // as the queue has it
	Root *os.Root   // where it was found; stays open while Run runs
	Name string     // below Root, slash separated; a symbolic link counts for the file that it leads to within Root
}

// AdoptBy says how bytes that are on disk already come to their final name.
type AdoptBy string

const (
	// AdoptCopy copies them; where the file system can, the copy shares its blocks with the original. The zero AdoptBy.
	AdoptCopy AdoptBy = "copy"
	// AdoptLink makes a hard link, or a copy where that is not possible. Whoever writes to the one file changes the other.
	AdoptLink AdoptBy = "link"
	// AdoptMove is AdoptLink and then removes the original, once the file is recorded as done.
	AdoptMove AdoptBy = "move"
)

// Why a candidate is not taken. They are words of the tool's interface.
const (
	LeftLength     = "length"      // it has another length than the catalogue states
	LeftChecksum   = "checksum"    // its bytes are not those that the archive, or the manifest, lists
	LeftNoChecksum = "no-checksum" // nothing is listed that could prove its bytes
	LeftUnreadable = "unreadable"  // it, or what is at its final name, cannot be looked at, or somebody writes to it
)

// Adoption counts what a run took over of what was on disk.
type Adoption struct {
	Files int64            `json:"files"`
	Bytes int64            `json:"bytes"`
	Left  map[string]int64 `json:"not_taken,omitempty"` // candidates by why they were not taken: LeftLength, …
}

// sourceAdopted is what the queue records as the source of bytes that nobody sent. Older versions also recorded parts under
// it, which may be hard links to files of the user's: such a part is renamed or removed, and never written to.
const sourceAdopted = "adopted"

// adopt takes over what is on disk and proves right, on all processors. A candidate is proven by what would prove it had it
// been fetched, but never by its length or structure, nor by a second look: by the SHA-256 of a trusted manifest or by the
// archive's checksum.
func (f *Fetcher) adopt(ctx context.Context) error {
	if f.cfg.Candidates == nil {
		return nil
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0)) // one hashes while another waits for the disk
	for c, err := range f.cfg.Candidates {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if gctx.Err() != nil {
			break
		}
		group.Go(func() error { return f.consider(gctx, c) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errDrain
	}
	return nil
}

// consider takes a candidate if its bytes prove right; for a disk that is full it waits with everybody, then begins again. Its
// error ends the run: that a candidate is wrong or cannot be read is no error, the file is then fetched.
func (f *Fetcher) consider(ctx context.Context, c Candidate) error {
	for {
		if err := f.disk.enter(ctx); err != nil {
			return err
		}
		if err := f.examine(ctx, c); !errors.Is(err, errAgain) {
			return err
		}
	}
}

// errAgain says that the disk was full and has room now.
var errAgain = errors.New("the disk was full")

// full closes the disk's gate for everybody and waits until it opens. What the caller has begun to write stays on the disk
// meanwhile: removed, it would make room for itself alone, and the gate would open for nothing. Its error is never nil.
func (f *Fetcher) full(ctx context.Context, cause error) error {
	f.disk.close(cause)
	if err := f.disk.enter(ctx); err != nil {
		return err
	}
	return errAgain
}

// examine is consider's one try. Its error may be errAgain.
func (f *Fetcher) examine(ctx context.Context, c Candidate) error {
	found, err := openFound(f.root, c)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE): // no fault of the candidate's
		return f.full(ctx, err)
	case err != nil:
		return f.leftOut(ctx, c, LeftUnreadable, "")
	}
	defer found.Close() // only read from
	job := jobOf(&c.File)
	switch {
	case job.Want == nil && job.Size >= 0 && job.Size != found.info.Size(): // what a manifest demands may be an older version
		return f.leftOut(ctx, c, LeftLength, "")
	case job.Want == nil && (job.Checksum == nil || f.trust.now() == queue.TrustNotMD5):
		return f.leftOut(ctx, c, LeftNoChecksum, "")
	}
	known, err := f.refusedBefore(ctx, c, found)
	if err != nil {
		return err
	}
	if known {
		return f.leftOut(ctx, c, LeftChecksum, "")
	}
	if err := f.takeOver(ctx, c, found); err != nil && !errors.Is(err, queue.ErrStale) {
		return err
	}
	return nil
}

// jobOf is a row as judge wants it.
func jobOf(file *queue.File) queue.Job {
	return queue.Job{ID: file.ID, URI: file.URI, Path: file.Path, Size: file.Size, Checksum: file.Checksum, Want: file.Want}
}

// takeOver hashes a candidate and, if it proves right, brings it to its final name: part, placing, rename, done. The file is
// claimed once its bytes are known to be right and are flushed, so that a wrong candidate costs it nothing. The queue is told
// nothing of this part: the file's row keeps the one that an earlier run began, until the file is done. A kill costs no more
// than the copy.
func (f *Fetcher) takeOver(ctx context.Context, c Candidate, found *foundFile) (err error) {
	p, err := f.partOf(ctx, c.File.URI, found)
	if p != nil {
		defer func() {
			if !errors.Is(err, errKilled) {
				err = errors.Join(err, p.discard()) // it has its final name, or is of no use
			}
		}()
	}
	switch {
	case errors.Is(err, errUnreadable):
		return f.leftOut(ctx, c, LeftUnreadable, "")
	case err != nil:
		return f.notStored(ctx, found, err)
	}
	if err := f.step("hashed"); err != nil {
		return err
	}
	b, report := p.result()
	b.sized = true
	job := jobOf(&c.File)
	j := judge(&job, b, f.trust.now(), true, true)
	if j.ruling != accept || j.proof != queue.ProofArchive && j.proof != queue.ProofManifest {
		return f.leftOut(ctx, c, LeftChecksum, found.key(&job)+hex.EncodeToString(b.md5))
	}
	if found.changed() { // somebody writes to it: the bytes that were hashed may be gone
		return f.leftOut(ctx, c, LeftUnreadable, "")
	}
	if !found.inPlace {
		if err := p.seal(); err != nil {
			return f.notStored(ctx, found, err)
		}
	}
	recCtx, cancel := recording(ctx)
	defer cancel()
	claimed, ok, err := f.cfg.Queue.ClaimFile(recCtx, f.cfg.RunID, c.File.ID)
	if err != nil || !ok { // not ok: another candidate was faster
		return asQueueError(err)
	}
	claimed.Size = b.size
	a := &attempt{Fetcher: f, job: &claimed, recorded: claimed.Part, adopted: true}
	if !found.inPlace {
		a.part = p
	}
	cause := a.step("claimed")
	if cause == nil {
		cause = a.place(ctx, j, b, report)
	}
	a.part = nil // what is recorded is what an earlier run left
	if err := a.settle(ctx, cause); err != nil {
		return err
	}
	if cause != nil {
		if classify(cause).class == classGate {
			return f.full(ctx, cause)
		}
		return nil
	}
	f.cfg.Reporter.Bytes(a.job, b.size)
	return f.tookOver(ctx, a, found)
}

// tookOver clears away what a file that is done no longer needs. A kill meanwhile leaves a part that no row names, which the next
// start removes, or the original beside its copy.
func (f *Fetcher) tookOver(ctx context.Context, a *attempt, found *foundFile) error {
	if p := a.job.Part; p.Token != "" {
		_ = f.root.Remove(partPath(a.job.URI, p.Token)) // if it stays, the next start removes it
	}
	if f.cfg.AdoptBy == AdoptMove && !found.inPlace {
		found.removeOriginal()
	}
	return a.event(ctx, "adopted", "from "+found.path)
}

// notStored is what becomes of a candidate whose bytes could not be stored.
func (f *Fetcher) notStored(ctx context.Context, found *foundFile, err error) error {
	switch {
	case errors.Is(err, errDrain):
		return err
	case isGate(err):
		return f.full(ctx, fmt.Errorf("taking over %q: %w", found.path, err))
	}
	return &StorageError{Err: fmt.Errorf("taking over %q: %w", found.path, err)}
}

// eventNotAdopted is the kind of the event that remembers a candidate with wrong bytes.
const eventNotAdopted = "not-adopted"

// refusedBefore reports whether the same bytes were held against the same checksum by an earlier run, in vain.
func (f *Fetcher) refusedBefore(ctx context.Context, c Candidate, found *foundFile) (bool, error) {
	events, err := f.cfg.Queue.Events(ctx, c.File.ID)
	if err != nil {
		return false, asQueueError(err)
	}
	job := jobOf(&c.File)
	key := found.key(&job)
	for _, e := range events {
		if e.Kind == eventNotAdopted && strings.HasPrefix(e.Detail, key) {
			return true, nil
		}
	}
	return false, nil
}

// leftOut counts a candidate that is not taken; what is said of it is kept in the file's history.
func (f *Fetcher) leftOut(ctx context.Context, c Candidate, why, say string) error {
	f.count(func(r *Result) {
		if r.Adopted.Left == nil {
			r.Adopted.Left = map[string]int64{}
		}
		r.Adopted.Left[why]++
	})
	if say == "" {
		return nil
	}
	recCtx, cancel := recording(ctx)
	defer cancel()
	return asQueueError(f.cfg.Queue.Event(recCtx, c.File.ID, eventNotAdopted, say))
}
