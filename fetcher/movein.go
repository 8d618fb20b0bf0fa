package fetcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

// maxQuarantine is how many bytes of bad bodies are kept.
const maxQuarantine = 5 << 30

func mkdirAll(root *os.Root, dir string) error {
	if err := durable.MkdirAll(root, dir); err != nil {
		return fmt.Errorf("making directory %q: %w", dir, err)
	}
	return nil
}

// checkFinal refuses a final name at which something other than a regular file stands.
func checkFinal(root *os.Root, name string) (exists bool, err error) {
	fi, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil && (isGate(err) || errors.Is(err, syscall.ESTALE)) {
		return false, fmt.Errorf("looking at %q: %w", name, err) // nobody knows what is there
	}
	if err != nil {
		advice := "move away what is in the way of this path, then `jwstbulk retry`"
		if link := linkAbove(root, name); link != "" {
			advice = fmt.Sprintf("%q is a link out of the campaign, which no file is written through: give -d the directory it points to, "+
				"or put a directory in its place, then `jwstbulk retry`", link)
		}
		return false, &failError{reason: queue.ReasonRefusedPath, err: fmt.Errorf("looking at %q: %w", name, err), advice: advice}
	}
	if !fi.Mode().IsRegular() {
		return true, &failError{reason: queue.ReasonRefusedPath, err: fmt.Errorf("%q is there already and is no regular file (%v)", name, fi.Mode().Type()),
			advice: "move it away, then `jwstbulk retry`"}
	}
	return true, nil
}

// linkAbove returns the first directory of a path that is a link, "" if none is.
func linkAbove(root *os.Root, name string) string {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if fi, err := root.Lstat(name[:i]); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
			return name[:i]
		}
	}
	return ""
}

// maxDirs is how many directories a dirMaker remembers; files come in the plan's order, so few are needed at a time.
const maxDirs = 4096

// dirMaker makes directories for final names and makes sure of their entries: each one's parent is flushed once a run, also
// of those found there, for whoever made them may have been killed before he did. Safe for use by several goroutines: none
// returns before the directory is durable, whoever makes it.
type dirMaker struct {
	root *os.Root

	mu   sync.Mutex // guards sure, and lets one make directories at a time
	sure map[string]bool
}

func (d *dirMaker) ensure(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sure[dir] {
		return nil
	}
	if err := d.root.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making directory %q: %w", dir, err)
	}
	if len(d.sure) >= maxDirs {
		clear(d.sure)
	}
	for ; dir != "." && !d.sure[dir]; dir = path.Dir(dir) {
		if err := durable.SyncDir(d.root, path.Dir(dir)); err != nil {
			return err
		}
		d.sure[dir] = true
	}
	return nil
}

// moveIn gives the sealed part its final name and makes that durable. A file that stands there already is left alone if it
// has the same bytes, else it is moved to the replaced directory first.
func (f *Fetcher) moveIn(ctx context.Context, partName, final string, sum []byte) error {
	root := f.root
	if err := f.dirs.ensure(path.Dir(final)); err != nil {
		return err
	}
	exists, err := checkFinal(root, final)
	if err != nil {
		return err
	}
	if exists {
		got, err := hashFile(ctx, root, final)
		switch {
		case err == nil && bytes.Equal(got, sum):
			return syncAndRemove(root, final, partName)
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			return fmt.Errorf("reading what is at %q: %w", final, err) // it may be the right one
		}
		if err := errors.Join(moveAway(root, final), f.step("moved away")); err != nil {
			return err
		}
	}
	if err := durable.RenameNew(root, partName, final); err != nil {
		return fmt.Errorf("moving into place: %w", err)
	}
	return nil
}

// syncFinal makes a file and its final name durable.
func syncFinal(root *os.Root, final string) error {
	f, err := root.Open(final)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), durable.SyncDir(root, path.Dir(final)))
}

// syncAndRemove keeps the right file that is there already, makes it durable, and drops the part.
func syncAndRemove(root *os.Root, final, partName string) error {
	if err := syncFinal(root, final); err != nil {
		return err
	}
	return root.Remove(partName)
}

// moveAway puts a file of the user's under the replaced directory, under a name that is free.
func moveAway(root *os.Root, name string) error {
	for n := 0; ; n++ {
		to := path.Join(replacedDir, name)
		if n > 0 {
			to = fmt.Sprintf("%s.%d", to, n)
		}
		if _, err := root.Lstat(to); err == nil {
			continue
		}
		if err := mkdirAll(root, path.Dir(to)); err != nil {
			return err
		}
		if err := durable.RenameNew(root, name, to); err != nil {
			return fmt.Errorf("moving %q away: %w", name, err)
		}
		return nil
	}
}

// hashFile returns the SHA-256 of a regular file. It stops with errDrain when ctx ends.
func hashFile(ctx context.Context, root *os.Root, name string) ([]byte, error) {
	fi, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is no regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	h, buf := sha256.New(), make([]byte, copyBuffer)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		switch {
		case err == io.EOF:
			return h.Sum(nil), nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, errDrain
		}
	}
}

// quarantinePath is where the last bad body of a file is kept.
func quarantinePath(job *queue.Job) string {
	return path.Join(quarantineDir, path.Base(partStem(job.URI))+"."+path.Base(job.Path))
}

// quarantine keeps the bytes of the sealed part for inspection, one body a file, as long as there is room for it.
func (a *attempt) quarantine() error {
	p := a.part
	a.part = nil
	if a.quarantined.Add(p.size) > maxQuarantine {
		a.quarantined.Add(-p.size)
		return p.discard()
	}
	if err := mkdirAll(a.root, quarantineDir); err != nil {
		return err
	}
	to := quarantinePath(a.job)
	before, err := a.root.Lstat(to)
	if e := a.root.Rename(p.name, to); e != nil {
		a.quarantined.Add(-p.size)
		return fmt.Errorf("putting bad bytes into quarantine: %w", e)
	}
	if err == nil {
		a.quarantined.Add(-before.Size()) // the body it replaced
	}
	return nil
}

// forgetQuarantine removes the bad body of a file that arrived right in the end. That it may fail does no harm.
func (a *attempt) forgetQuarantine() {
	name := quarantinePath(a.job)
	if fi, err := a.root.Lstat(name); err == nil && a.root.Remove(name) == nil {
		a.quarantined.Add(-fi.Size())
	}
}

// dropPart removes the part of this attempt for good.
func (a *attempt) dropPart() error {
	if a.part == nil {
		return nil
	}
	p := a.part
	a.part = nil
	return p.discard()
}
