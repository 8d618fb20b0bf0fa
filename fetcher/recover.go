package fetcher

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"jwstbulk/queue"
)

// recover settles what an earlier run left half done: files between record and rename, parts that no row names, and done
// files that are gone.
func (f *Fetcher) recover(ctx context.Context) error {
	if err := mkdirAll(f.root, partDir); err != nil {
		return &StorageError{Err: err}
	}
	placings, err := f.cfg.Queue.Placings(ctx)
	if err != nil {
		return asQueueError(err)
	}
	for i := range placings {
		if err := f.settlePlacing(ctx, &placings[i]); err != nil {
			return err
		}
	}
	if err := f.sweepParts(ctx); err != nil {
		return err
	}
	return f.audit(ctx)
}

// settlePlacing finds out by SHA-256 which side of the rename a crash was on. Length proves nothing.
func (f *Fetcher) settlePlacing(ctx context.Context, file *queue.File) error {
	to, left := queue.Pending, file.Part
	placed, err := f.holds(ctx, file.Path, file.SHA256)
	if err != nil {
		return err
	}
	if placed {
		// The rename may have happened and not be durable yet.
		if err := errors.Join(f.dirs.ensure(path.Dir(file.Path)), syncFinal(f.root, file.Path)); err != nil {
			return &StorageError{Err: err}
		}
		to, left = queue.Done, queue.Part{}
	} else if file.Part.Token != "" {
		whole, err := f.holds(ctx, partPath(file.URI, file.Part.Token), file.SHA256)
		if err != nil {
			return err
		}
		if whole {
			if to, left, err = f.placeAgain(ctx, file); err != nil {
				return err
			}
		}
	}
	if err := f.step("placed again"); err != nil {
		return err
	}
	return asQueueError(f.cfg.Queue.SettlePlaced(ctx, file.ID, to, left))
}

// placeAgain gives the part its final name. If something stands in the way, the next attempt says so.
func (f *Fetcher) placeAgain(ctx context.Context, file *queue.File) (queue.State, queue.Part, error) {
	err := f.moveIn(ctx, partPath(file.URI, file.Part.Token), file.Path, file.SHA256)
	var failure *failError
	switch {
	case errors.As(err, &failure):
		return queue.Pending, file.Part, nil
	case errors.Is(err, errDrain), errors.Is(err, errKilled):
		return "", queue.Part{}, err
	case err != nil:
		return "", queue.Part{}, &StorageError{Err: err}
	}
	return queue.Done, queue.Part{}, nil
}

// holds reports whether a regular file with these bytes is at name. Its only error is that it was stopped.
func (f *Fetcher) holds(ctx context.Context, name string, sum []byte) (bool, error) {
	got, err := hashFile(ctx, f.root, name)
	if errors.Is(err, errDrain) {
		return false, err
	}
	return err == nil && bytes.Equal(got, sum), nil
}

// sweepParts removes parts that no unfinished row names, unless they may be those of other tasks, and counts the quarantine.
func (f *Fetcher) sweepParts(ctx context.Context) error {
	if f.cfg.Shared {
		return f.weighQuarantine()
	}
	known := map[string]bool{}
	for p, err := range f.cfg.Queue.Parts(ctx) {
		if err != nil {
			return asQueueError(err)
		}
		known[partPath(p.URI, p.Token)] = true
	}
	err := fs.WalkDir(f.root.FS(), partDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || known[name] || !strings.HasSuffix(name, ".part") && path.Base(name) != "probe" {
			return err
		}
		return f.removePart(name)
	})
	if err != nil {
		return &StorageError{Err: fmt.Errorf("sweeping old parts: %w", err)}
	}
	return f.weighQuarantine()
}

func (f *Fetcher) weighQuarantine() error {
	err := fs.WalkDir(f.root.FS(), quarantineDir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			f.quarantined.Add(fi.Size())
		}
		return err
	})
	if err != nil {
		return &StorageError{Err: fmt.Errorf("looking at the quarantine: %w", err)}
	}
	return nil
}

func (f *Fetcher) removePart(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an old part: %w", err)
	}
	return nil
}

// whyAgain says why a done file must be fetched again, "" if it need not. A disk that does not answer is no reason: all
// that it holds would be fetched again.
func (f *Fetcher) whyAgain(file *queue.File) (string, error) {
	fi, err := f.root.Lstat(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return lost("its file is gone", file), nil
	case err != nil && (isGate(err) || isStop(err) || errors.Is(err, syscall.ESTALE)):
		return "", &StorageError{Err: fmt.Errorf("looking for finished files: %w", err)}
	case err != nil:
		return lost("its path cannot be looked at: "+err.Error(), file), nil
	case !fi.Mode().IsRegular() || fi.Size() != file.Size:
		return lost("its file has another length", file), nil
	case f.trust.now() == queue.TrustProven:
		return disproven(file), nil // found out by a run that was killed before it could take them back
	}
	return "", nil
}

// lostMark is what the event of a lost file says before its digest, for lostSum to find.
const lostMark = "; it had SHA-256 "

// lost says why a done file is fetched again that nobody wanted to replace.
func lost(why string, file *queue.File) string {
	return why + lostMark + hex.EncodeToString(file.SHA256)
}

// lostSum returns the SHA-256, in hex, of a done file that was lost and is fetched again; "" for all others.
func (a *attempt) lostSum(ctx context.Context) (sum string, err error) {
	events, err := a.cfg.Queue.Events(ctx, a.job.ID)
	if err != nil {
		return "", asQueueError(err)
	}
	for _, e := range events {
		if e.Kind == "requeued" { // the last one counts: an update wants another version
			_, sum, _ = strings.Cut(e.Detail, lostMark)
		}
	}
	return sum, nil
}

// tellVersion says, and keeps in its history, that a lost file comes back with other bytes than were recorded.
func (a *attempt) tellVersion(ctx context.Context, sha256 []byte) error {
	recCtx, cancel := recording(ctx)
	defer cancel()
	old, err := a.lostSum(recCtx)
	if now := hex.EncodeToString(sha256); err != nil || old == "" || old == now {
		return err
	}
	a.count(func(r *Result) { r.Changed++ })
	a.cfg.Reporter.Note(fmt.Sprintf("WARNING: %s comes back in another version than was recorded: the archive has reprocessed it since", a.job.Path))
	return a.event(ctx, "version", fmt.Sprintf("lost was SHA-256 %s; the archive has %x now", old, sha256))
}

// audit looks whether the done files are still there, by name and length: what a user deleted is fetched again. Whether
// their bytes are still right is for `verify` to find out.
func (f *Fetcher) audit(ctx context.Context) error {
	for file, err := range f.cfg.Queue.Files(ctx, queue.Filter{States: []queue.State{queue.Done}}) {
		if err != nil {
			return asQueueError(err)
		}
		why, err := f.whyAgain(&file)
		if err != nil {
			return err
		}
		if why == "" {
			continue
		}
		if err := f.cfg.Queue.Requeue(ctx, file.ID, why); err != nil {
			return asQueueError(err)
		}
		f.cfg.Reporter.Note(fmt.Sprintf("%s is fetched again: %s", file.Path, why))
	}
	return nil
}
