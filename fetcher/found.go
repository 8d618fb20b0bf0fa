package fetcher

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

// foundFile is an open candidate.
type foundFile struct {
	f       *os.File
	info    os.FileInfo
	path    string // for messages, and to link
	linked  bool   // it was reached by a symbolic link
	inPlace bool   // it is the file at the final name
}

// openFound opens a candidate. It is an error too if what stands at the final name cannot be looked at.
func openFound(campaign *os.Root, c Candidate) (*foundFile, error) {
	named, err := c.Root.Lstat(c.Name)
	if err != nil {
		return nil, err
	}
	f, err := c.Root.Open(c.Name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no regular file", c.Name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	o := &foundFile{f: f, info: info, path: filepath.Join(c.Root.Name(), filepath.FromSlash(c.Name)), linked: !named.Mode().IsRegular()}
	final, err := campaign.Lstat(c.File.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be this very file, which a move must not remove
		return nil, errors.Join(err, f.Close())
	}
	o.inPlace = err == nil && os.SameFile(final, info)
	return o, nil
}

// Close closes the file.
func (o *foundFile) Close() error { return o.f.Close() }

// changed reports whether the file was written to, or has another name now, since it was opened.
func (o *foundFile) changed() bool {
	now, err := o.f.Stat()
	return err != nil || now.Size() != o.info.Size() || !now.ModTime().Equal(o.info.ModTime())
}

// removeOriginal removes the file that was moved in. That it may fail, as on a read-only disk, leaves a second name or copy.
func (o *foundFile) removeOriginal() {
	fi, err := os.Lstat(o.path)
	if err == nil && !o.linked && os.SameFile(fi, o.info) && !o.changed() {
		_ = os.Remove(o.path)
	}
}

// key is what a refusal is remembered by: which bytes were held against which checksum.
func (o *foundFile) key(job *queue.Job) string {
	listed := "MD5 " + hex.EncodeToString(job.Checksum)
	if job.Want != nil {
		listed = "SHA-256 " + hex.EncodeToString(job.Want)
	}
	return fmt.Sprintf("%s (%d bytes, of %s) is not the file with %s: its MD5 is ", o.path, o.info.Size(),
		o.info.ModTime().UTC().Format(time.RFC3339Nano), listed)
}

// partOf makes a part of the found file, and hashes it. The part of a file that is at its final name already is that file
// itself, without a name, and is never removed. With an error there may be a part all the same, for the caller to discard.
func (f *Fetcher) partOf(ctx context.Context, uri string, found *foundFile) (*part, error) {
	if found.inPlace {
		p := &part{uri: uri}
		p.reset()
		return p, p.feed(ctx, found.f, nil)
	}
	if f.cfg.AdoptBy == AdoptLink || f.cfg.AdoptBy == AdoptMove {
		p, err := f.linkPart(uri, found)
		if err != nil {
			return nil, err
		}
		if p != nil {
			return p, p.feed(ctx, p.f, nil)
		}
	}
	p, err := createPart(f.root, uri)
	if err != nil {
		return nil, err
	}
	if durable.Clone(p.f, found.f) {
		return p, p.feed(ctx, p.f, nil)
	}
	return p, p.feed(ctx, found.f, p.f)
}

// linkPart makes a part that is a hard link; nil without error where the file system or its rules do not allow it.
func (f *Fetcher) linkPart(uri string, found *foundFile) (*part, error) {
	p := &part{root: f.root, uri: uri, meta: queue.Part{Token: newToken(), Size: -1}}
	p.name = partPath(uri, p.meta.Token)
	p.reset()
	if err := mkdirAll(f.root, path.Dir(p.name)); err != nil {
		return nil, err
	}
	original, err := filepath.EvalSymlinks(found.path)
	if err != nil || os.Link(original, filepath.Join(f.root.Name(), filepath.FromSlash(p.name))) != nil {
		return nil, nil
	}
	if fi, err := f.root.Lstat(p.name); err != nil || !os.SameFile(fi, found.info) {
		return nil, p.discard()
	}
	again, err := f.root.Open(p.name)
	if err != nil {
		return nil, errors.Join(err, p.discard())
	}
	p.f = again
	return p, nil
}
