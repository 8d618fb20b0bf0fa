package manifest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"jwstbulk/internal/fits"
)

// content reads a file of the right length and judges its bytes.
func (v *verifier) content(ctx context.Context, e Entry, buf []byte) (Result, int64) {
	// O_NONBLOCK: should a pipe have come in the place of the file since Lstat, opening it must not wait for a writer.
	f, err := v.root.OpenFile(e.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return verdict(e, StateMissing, err), 0
	}
	if err != nil {
		return verdict(e, StateUnreadable, err), 0
	}
	defer func() { _ = f.Close() }() // only read from
	var check fits.Check
	if v.cfg.Level == LevelFITS {
		check = fits.ForName(path.Base(e.Path))
	}
	sum, n, err := digest(ctx, f, check, buf)
	if err != nil {
		return verdict(e, StateUnreadable, err), n
	}
	if n != e.Size {
		return verdict(e, StateModified, &SizeError{Got: n, Want: e.Size}), n
	}
	if sum != e.SHA256 {
		return verdict(e, v.otherBytes(f), &DigestError{Got: sum, Want: e.SHA256}), n
	}
	if check == nil {
		return verdict(e, StateOK, nil), n
	}
	report := check.Finish()
	if report.Err != nil {
		return verdict(e, StateOK, report.Err), n
	}
	return verdict(e, StateOK, report.SumErr), n
}

// otherBytes tells a file that somebody wrote to since, perhaps while it was read, from one that decayed.
func (v *verifier) otherBytes(f *os.File) State {
	info, err := f.Stat()
	if err == nil && !v.cfg.Since.IsZero() && info.ModTime().After(v.cfg.Since) {
		return StateModified
	}
	return StateCorrupt
}

// digest reads r to its end. It looks at ctx once a buffer.
func digest(ctx context.Context, r io.Reader, check fits.Check, buf []byte) (sum [32]byte, n int64, err error) {
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return sum, n, err
		}
		k, err := r.Read(buf)
		n += int64(k)
		h.Write(buf[:k]) // a hash never fails
		if check != nil {
			_, _ = check.Write(buf[:k]) // never fails, by its contract
		}
		if err == io.EOF {
			h.Sum(sum[:0])
			return sum, n, nil
		}
		if err != nil {
			return sum, n, err
		}
	}
}

// notDirectory says that an element on the way to a path is a file.
func notDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// topDir is the directory below root that a path's data live in, "." if it stands in root itself.
func topDir(p string) string {
	if first, _, deep := strings.Cut(p, "/"); deep {
		return first
	}
	return "."
}

// extra reports what lies in the data directories and is not in the manifest.
func (v *verifier) extra(ctx context.Context, known *pathSet) error {
	for dir := range v.dirs {
		err := fs.WalkDir(v.root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
			return v.visit(ctx, known, dir, p, d, err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) visit(ctx context.Context, known *pathSet, top, p string, d fs.DirEntry, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && errors.Is(err, fs.ErrNotExist):
		return nil // gone since it was listed
	case err != nil:
		v.report(verdict(Entry{Path: p}, StateUnreadable, err), 0)
		return nil
	case d.IsDir() && top == "." && p != ".":
		// Files in root itself make root a data directory, but not the directories beside them.
		return fs.SkipDir
	case d.IsDir() || known.has(p) || top == "." && campaignFile(p):
		return nil
	}
	e := Entry{Path: p}
	if info, err := d.Info(); err == nil {
		e.Size = info.Size()
	}
	v.report(verdict(e, StateExtra, nil), 0)
	return nil
}

// campaignFile says that a file in root is the campaign's own, or a temporary one of these.
func campaignFile(name string) bool {
	for _, own := range ownFiles() {
		if name == own || strings.HasPrefix(name, own+".") && strings.HasSuffix(name, ".tmp") {
			return true
		}
	}
	return false
}
