package fetcher

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"jwstbulk/internal/fits"
	"jwstbulk/queue"
)

// Directories below the campaign's own.
const (
	partDir       = ".jwstbulk/part"
	quarantineDir = ".jwstbulk/quarantine"
	replacedDir   = ".jwstbulk/replaced"
)

// copyBuffer is the size of one read, one write and one step of hashing.
const copyBuffer = 256 << 10

// partStem is the part's name without its token: a function of the URI alone.
func partStem(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	h := hex.EncodeToString(sum[:16])
	return path.Join(partDir, h[:2], h)
}

// partPath is where the bytes of a file under way lie, relative to the campaign directory.
func partPath(uri, token string) string { return partStem(uri) + "." + token + ".part" }

func newToken() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// part is a file under way and everything that is computed of its bytes as they pass: their number, both digests and the
// structure check. Not safe for concurrent use.
type part struct {
	root *os.Root
	uri  string
	name string
	f    *os.File
	meta queue.Part

	size     int64 // bytes written and hashed
	synced   int64 // bytes known to be fsynced
	lost     error // of a failed fsync: nobody knows what the disk holds
	sha, md5 hash.Hash
	check    fits.Check
	sums     *sums // of a part from S3; nil otherwise
}

// createPart makes an empty part of its own, which nobody else can have open.
func createPart(root *os.Root, uri string) (*part, error) {
	token := newToken()
	p := &part{root: root, uri: uri, name: partPath(uri, token), meta: queue.Part{Token: token, Size: -1}}
	if err := mkdirAll(root, path.Dir(p.name)); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(p.name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating part: %w", err)
	}
	p.f = f
	p.reset()
	return p, nil
}

// openPart takes up the part that an ended attempt left, after checking that it may be: its bytes are read and hashed
// again, all of them if they were written under this boot, else those recorded as fsynced. It returns fs.ErrNotExist if
// there is nothing to take up. adopt says that whoever wrote it is dead for certain; otherwise the bytes are copied to a
// part of our own, which an old writer cannot touch.
func openPart(ctx context.Context, root *os.Root, job *queue.Job, boot string, adopt bool) (*part, error) {
	if job.Part.Token == "" {
		return nil, fs.ErrNotExist
	}
	name := partPath(job.URI, job.Part.Token)
	fi, err := root.Lstat(name)
	if err == nil && !fi.Mode().IsRegular() {
		return nil, fs.ErrNotExist // somebody put something else there; a new part has another name
	}
	if err != nil {
		return nil, fmt.Errorf("looking for part: %w", err)
	}
	old, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening part: %w", err)
	}
	keep := fi.Size()
	if job.Part.Boot != boot || boot == "" {
		keep = min(keep, job.Part.Durable)
	}
	if job.Part.Size >= 0 {
		keep = min(keep, job.Part.Size)
	}
	if keep == 0 {
		return nil, errors.Join(fs.ErrNotExist, old.Close())
	}
	if adopt {
		p := &part{root: root, uri: job.URI, name: name, f: old, meta: job.Part}
		p.synced = min(job.Part.Durable, keep)
		return p, p.takeUp(ctx, old, keep)
	}
	defer old.Close() // only read from
	p, err := createPart(root, job.URI)
	if err != nil {
		return nil, err
	}
	token := p.meta.Token
	p.meta = job.Part
	p.meta.Token, p.meta.Durable = token, 0
	if err := p.copyFrom(ctx, old, keep); err != nil {
		return nil, errors.Join(err, p.discard())
	}
	return p, nil
}

// takeUp hashes the first n bytes of the open part and cuts off the rest.
func (p *part) takeUp(ctx context.Context, f *os.File, n int64) error {
	p.reset()
	err := p.feed(ctx, io.NewSectionReader(f, 0, n), nil)
	if err == nil {
		err = f.Truncate(n)
	}
	if err == nil {
		_, err = f.Seek(n, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading part again: %w", err), f.Close())
	}
	return nil
}

// errUnreadable says that the bytes of a part cannot be read back.
var errUnreadable = errors.New("the part cannot be read back")

// copyFrom writes the first n bytes of another part to this one.
func (p *part) copyFrom(ctx context.Context, old *os.File, n int64) error {
	if err := p.feed(ctx, io.NewSectionReader(old, 0, n), p.f); err != nil {
		return fmt.Errorf("copying part: %w", err)
	}
	return nil
}

// feed passes r through the digests and the check, and to w unless it is nil.
func (p *part) feed(ctx context.Context, r io.Reader, w io.Writer) error {
	buf := make([]byte, copyBuffer)
	for {
		n, err := io.ReadFull(r, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if w != nil && n > 0 {
			if _, e := w.Write(buf[:n]); e != nil {
				return e
			}
		}
		p.absorb(buf[:n])
		if err != nil {
			return nil
		}
		if ctx.Err() != nil {
			return errDrain
		}
	}
}

func (p *part) absorb(b []byte) {
	p.size += int64(len(b))
	p.sha.Write(b)
	p.md5.Write(b)
	_, _ = p.check.Write(b) // never fails: complaints come from Finish
	if p.sums != nil {
		p.sums.write(b)
	}
}

// write appends bytes of the body.
func (p *part) write(b []byte) error {
	if _, err := p.f.Write(b); err != nil {
		return fmt.Errorf("writing part: %w", err)
	}
	p.absorb(b)
	return nil
}

// reset starts the digests over.
func (p *part) reset() {
	p.size = 0
	p.sha, p.md5, p.check = sha256.New(), md5.New(), fits.ForName(path.Base(p.uri))
	if p.sums != nil {
		p.sums = newSums()
	}
}

// restart empties the part for a body that starts at byte 0.
func (p *part) restart() error {
	p.reset()
	p.synced = 0
	p.meta = queue.Part{Token: p.meta.Token, Size: -1}
	if err := p.f.Truncate(0); err != nil {
		return fmt.Errorf("emptying part: %w", err)
	}
	_, err := p.f.Seek(0, io.SeekStart)
	return err
}

// sync makes all bytes so far durable. An error is final for this part: what the disk holds is unknown from then on.
func (p *part) sync() error {
	if p.lost != nil {
		return p.lost // asked again, the kernel would say that all is well (fsync(2))
	}
	if p.synced == p.size {
		return nil
	}
	if err := p.f.Sync(); err != nil {
		p.lost = fmt.Errorf("fsync of part: %w", err)
		return p.lost
	}
	p.synced = p.size
	return nil
}

// state is what the queue records of the part.
func (p *part) state(boot string) queue.Part {
	s := p.meta
	s.Boot, s.Durable = boot, p.synced
	return s
}

// seal fsyncs and closes the complete part.
func (p *part) seal() error {
	err := p.sync()
	if e := p.f.Close(); err == nil && e != nil {
		err = fmt.Errorf("closing part: %w", e)
	}
	p.f = nil
	return err
}

// close closes the part and leaves it where it is.
func (p *part) close() error {
	if p.f == nil {
		return nil
	}
	err := p.f.Close()
	p.f = nil
	return err
}

// discard removes the part. One without a name is a file of the user's and stays.
func (p *part) discard() error {
	if p.name == "" {
		return nil
	}
	err := p.close()
	if e := p.root.Remove(p.name); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// result is what is known of the complete part.
func (p *part) result() (body, fits.Report) {
	r := p.check.Finish()
	b := body{size: p.size, sha256: p.sha.Sum(nil), md5: p.md5.Sum(nil), complaint: r.Err,
		isFITS: strings.HasSuffix(p.uri, ".fits")}
	if b.complaint == nil {
		b.complaint = r.SumErr
	}
	return b, r
}
