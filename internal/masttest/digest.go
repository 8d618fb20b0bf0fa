package masttest

import (
	"bufio"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
)

// digestKey names the bytes a digest is of.
type digestKey struct {
	URI     string `json:"uri"`
	Version int    `json:"version"`
	Size    int64  `json:"size"`
}

type digest struct {
	once sync.Once
	hex  string
}

// digests remembers the MD5 of files, and keeps them in a file if it has one. Concurrent callers of one key compute once.
type digests struct {
	mu  sync.Mutex // guards m and out
	m   map[digestKey]*digest
	out *os.File // nil if they are not kept
}

type digestLine struct {
	digestKey
	MD5 string `json:"md5"`
}

func openDigests(path string) (*digests, error) {
	d := &digests{m: map[digestKey]*digest{}}
	if path == "" {
		return d, nil
	}
	if err := d.load(path); err != nil {
		return nil, fmt.Errorf("masttest: reading digest file: %w", err)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("masttest: opening digest file: %w", err)
	}
	d.out = out
	return d, nil
}

func (d *digests) load(path string) error {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sc := bufio.NewScanner(in)
	for sc.Scan() {
		var l digestLine
		if json.Unmarshal(sc.Bytes(), &l) != nil || len(l.MD5) != 32 {
			continue // a line cut by a kill costs one computation
		}
		e := &digest{hex: l.MD5}
		e.once.Do(func() {})
		d.m[l.digestKey] = e
	}
	return sc.Err()
}

func (d *digests) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out == nil {
		return nil
	}
	err := d.out.Close()
	d.out = nil
	return err
}

// md5 returns the 32 hex digits of the bytes served for f.
func (d *digests) md5(f File) string {
	k := digestKey{f.URI, f.Version, f.Size}
	d.mu.Lock()
	e := d.m[k]
	if e == nil {
		e = &digest{}
		d.m[k] = e
	}
	d.mu.Unlock()
	e.once.Do(func() {
		e.hex = hashOf(md5.New(), f)
		d.keep(digestLine{k, e.hex})
	})
	return e.hex
}

func (d *digests) keep(l digestLine) {
	line, err := json.Marshal(l)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out != nil {
		_, _ = d.out.Write(append(line, '\n')) // a full disk costs time at the next start, nothing else
	}
}

// warm computes the digests of many files on all processors.
func (d *digests) warm(files []File) {
	var wg sync.WaitGroup
	work := make(chan File)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for f := range work {
				d.md5(f)
			}
		})
	}
	for _, f := range files {
		work <- f
	}
	close(work)
	wg.Wait()
}

func hashOf(h hash.Hash, f File) string {
	c := newContent(f)
	if _, err := io.CopyBuffer(h, io.NewSectionReader(c, 0, c.size), make([]byte, 128<<10)); err != nil {
		return "" // a content never fails inside its size
	}
	return hex.EncodeToString(h.Sum(nil))
}

// checksum is what metadata lists say of a file, lies included.
func (s *Server) checksum(f File) string {
	if s.faults.anyListed() {
		if ft, ok := s.faults.listed(f.URI, DoChecksum); ok {
			switch ft.Value {
			case "sha1":
				return hashOf(newSHA1(), f)[:32]
			case "sha256":
				return hashOf(sha256.New(), f)[:32]
			case "none":
				return ""
			case "stale":
				f.Version--
			default:
				return ft.Value
			}
		}
	}
	if s.cfg.MetadataOnly {
		if f.recorded != "" {
			return f.recorded
		}
		z := seedOf(f.URI, f.Version, f.Size)
		return fmt.Sprintf("%016x%016x", z, mix(z))
	}
	return s.digests.md5(f)
}
