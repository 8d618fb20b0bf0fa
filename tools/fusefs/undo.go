//go:build linux

package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const sector = 512

// fileID names a file of the directory below, whatever its name is.
type fileID struct{ dev, ino uint64 }

// undo is what it takes to bring a file back to its last fsync.
type undo struct {
	f    *os.File         // a descriptor of our own: the file may be removed or closed meanwhile
	size int64            // at the last fsync
	old  map[int64][]byte // the first bytes that each changed sector had then, at most a sector of them
}

// journal remembers what was written since the last fsync of each file. A nil journal remembers nothing. Safe for use by
// several goroutines.
type journal struct {
	mu    sync.Mutex // guards files
	files map[fileID]*undo
}

func newJournal() *journal { return &journal{files: map[fileID]*undo{}} }

// change remembers the bytes from off to end of the open file before act changes them, which it does before anybody else
// changes them.
func (j *journal) change(fd int, off, end int64, act func()) error {
	if j == nil {
		act()
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	u, err := j.undoLocked(fd)
	if err != nil {
		return err
	}
	for at := off / sector * sector; at < min(end, u.size); at += sector {
		if _, ok := u.old[at]; ok {
			continue
		}
		b := make([]byte, min(sector, u.size-at))
		if n, err := u.f.ReadAt(b, at); n < len(b) {
			return err
		}
		u.old[at] = b
	}
	for at := max(off, u.size) / sector * sector; at < end; at += sector {
		if _, ok := u.old[at]; !ok {
			u.old[at] = nil // it was beyond the end
		}
	}
	act()
	return nil
}

func (j *journal) undoLocked(fd int) (*undo, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	id := fileID{st.Dev, st.Ino}
	if u := j.files[id]; u != nil {
		return u, nil
	}
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	u := &undo{f: f, size: st.Size, old: map[int64][]byte{}}
	j.files[id] = u
	return u, nil
}

// flushed forgets the changes of the open file once act has made them durable.
func (j *journal) flushed(fd int) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	id := fileID{st.Dev, st.Ino}
	if u := j.files[id]; u != nil {
		delete(j.files, id)
		return u.f.Close()
	}
	return nil
}

// cut brings each file to a state that a power failure may leave: every changed sector is as it was or as it is, and the
// length is one of both, by random choice.
func (j *journal) cut(seed uint64) error {
	if j == nil {
		return errors.New("nothing is volatile here")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 0))
	var errs []error
	for id, u := range j.files {
		errs = append(errs, u.tear(rng), u.f.Close())
		delete(j.files, id)
	}
	return errors.Join(errs...)
}

func (u *undo) tear(rng *rand.Rand) error {
	info, err := u.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	changed := make([]int64, 0, len(u.old))
	for at := range u.old {
		changed = append(changed, at)
	}
	slices.Sort(changed)
	for _, at := range changed {
		if rng.IntN(2) == 0 {
			continue // it had reached the disk
		}
		b := make([]byte, sector) // zeros: what was never written
		copy(b, u.old[at])
		if b = b[:max(0, min(sector, max(size, u.size)-at))]; len(b) == 0 {
			continue
		}
		if _, err := u.f.WriteAt(b, at); err != nil {
			return err
		}
	}
	if rng.IntN(2) == 0 {
		size = u.size
	}
	return u.f.Truncate(size)
}
