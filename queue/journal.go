package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// journal is the append-only file of finished files from which a lost queue is rebuilt. The writer alone uses it.
type journal struct {
	f     *os.File
	size  int64 // bytes known to be flushed
	fault func(string) error
}

// openJournal opens or makes the journal and cuts off a last line that a kill or a power cut left half-written.
func openJournal(path string, fault func(string) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &journal{f: f, fault: fault}
	if err := j.repair(); err != nil {
		_ = f.Close() // the repair's error is returned
		return nil, fmt.Errorf("repairing the journal %q: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		_ = f.Close() // the flush's error is returned
		return nil, err
	}
	return j, nil
}

// repair drops what follows the last newline. Blocks that a file system filled with zeros after a power cut hold no
// newline, so they go too.
func (j *journal) repair() error {
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	end := size
	buf := make([]byte, 64<<10)
	for end > 0 {
		from := max(0, end-int64(len(buf)))
		b := buf[:end-from]
		if _, err := j.f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			end = from + int64(i) + 1
			break
		}
		end = from
	}
	j.size = end
	if end == size {
		return nil
	}
	if err := j.f.Truncate(end); err != nil {
		return err
	}
	return j.f.Sync()
}

// append adds whole lines and flushes them. After an error nothing is known of them; the queue stops.
func (j *journal) append(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := j.point("journal-write"); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	if _, err := j.f.Write(lines); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	if err := j.point("journal-sync"); err != nil {
		return fmt.Errorf("flushing the journal: %w", err)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("flushing the journal: %w", err)
	}
	j.size += int64(len(lines))
	return nil
}

func (j *journal) point(name string) error {
	if j.fault == nil {
		return nil
	}
	return j.fault(name)
}

func (j *journal) close() error { return j.f.Close() }

// replaceFile writes a file beside path, flushes it, renames it over path and flushes the directory. The temporary file has
// one name, so that what a killed process leaves is taken up by the next write: one caller at a time for a path.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("creating a temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // best effort; the first error is returned
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err := rename(f.Name(), path); err != nil {
		return fmt.Errorf("replacing a file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// rename gives the file old the name new. One that reports an error although it took effect, as a retransmitted NFS request
// does (rename(2), BUGS), is recognised by the file's identity and counts as success.
func rename(old, new string) error {
	was, err := os.Lstat(old)
	if err != nil {
		return err
	}
	err = os.Rename(old, new)
	if err == nil {
		return nil
	}
	if _, gone := os.Lstat(old); !errors.Is(gone, fs.ErrNotExist) {
		return err
	}
	if is, e := os.Lstat(new); e == nil && os.SameFile(was, is) {
		return nil
	}
	return err
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening a directory to flush it: %w", err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("flushing directory %q: %w", dir, err)
	}
	return nil
}
