package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/maphash"
	"io/fs"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// ledger holds the rules that entries must keep, one after the other, and what they add up to. Writer and Reader share it, so
// that they cannot differ in what a manifest is.
type ledger struct {
	files int64
	bytes int64
	prev  string
	paths pathSet
	root  hash.Hash
	buf   []byte
}

func newLedger() *ledger {
	return &ledger{paths: pathSet{seed: maphash.MakeSeed()}, root: sha256.New()}
}

// add takes the next entry; the error is a *ParseError.
func (l *ledger) add(e *Entry) error {
	line := l.files + 2
	fail := func(field, format string, args ...any) error {
		return &ParseError{Line: line, Field: field, Why: fmt.Sprintf(format, args...)}
	}
	if why := textFault(e.URI); why != "" {
		return fail("uri", "%s: %.300q", why, e.URI)
	}
	if e.URI <= l.prev {
		return fail("uri", "%.300q is not after %.300q: entries must be sorted bytewise, each once", e.URI, l.prev)
	}
	if why := pathFault(e.Path); why != "" {
		return fail("path", "%s: %.300q", why, e.Path)
	}
	if e.Size < 0 || e.Size > math.MaxInt64-l.bytes {
		return fail("size", "%d is no length of a file", e.Size)
	}
	if e.SHA256 == [32]byte{} {
		return fail("sha256", "missing")
	}
	switch e.Proof {
	case "manifest", "archive", "double", "structure", "size":
	default:
		return fail("proof", "%.80q is not manifest, archive, double, structure or size", e.Proof)
	}
	if e.Level != LevelUnknown && (e.Level < -1 || e.Level > 9) {
		return fail("level", "%d is no calibration level", e.Level)
	}
	if i := unsortedAt(e.Obs); i >= 0 {
		return fail("obs", "%.300q is empty, repeated or not in bytewise order", e.Obs[i])
	}
	if !l.paths.add(e.Path) {
		return fail("path", "two entries have the path %.300q", e.Path)
	}
	l.files++
	l.bytes += e.Size
	l.prev = e.URI
	l.buf = hex.AppendEncode(l.buf[:0], e.SHA256[:])
	l.buf = append(l.buf, "  "...)
	l.buf = append(l.buf, e.URI...)
	l.buf = append(l.buf, '\n')
	l.root.Write(l.buf) // a hash never fails
	return nil
}

func (l *ledger) totals() (files, bytes int64, root string) {
	return l.files, l.bytes, hex.EncodeToString(l.root.Sum(nil))
}

func unsortedAt(ids []string) int {
	prev := ""
	for i, id := range ids {
		if id <= prev {
			return i
		}
		prev = id
	}
	return -1
}

// textFault says what is wrong with a URI or path as text. Control characters would break the lines of SHA256SUMS and of the
// root.
func textFault(s string) string {
	if s == "" {
		return "empty"
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return "a control character"
		}
	}
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	return ""
}

// pathFault says why a path may not be used below a campaign's directory.
func pathFault(p string) string {
	if why := textFault(p); why != "" {
		return why
	}
	if !fs.ValidPath(p) || p == "." {
		return "a path that leaves the directory or is not in its shortest form"
	}
	first, _, _ := strings.Cut(p, "/")
	if strings.EqualFold(first, stateDir) || slices.Contains(ownFiles(), p) {
		return "a path that belongs to the campaign itself"
	}
	return ""
}

// ownFiles are the files that Write and WriteProvenance make beside the data.
func ownFiles() []string { return []string{Name, SumsName, ProvenanceName} }

// pathSet is a set of strings kept as 64-bit hashes in an open-addressing table, 8 bytes a slot. The hash is seeded at
// random, so two different paths are taken for one in a million entries with a probability below 10^-7, and no one can
// arrange for it.
type pathSet struct {
	seed  maphash.Seed
	slots []uint64 // 0 is free
	n     int
}

func (s *pathSet) hash(p string) uint64 {
	return max(maphash.String(s.seed, p), 1)
}

// add reports whether p was new.
func (s *pathSet) add(p string) bool {
	if 4*s.n >= 3*len(s.slots) {
		s.grow()
	}
	h := s.hash(p)
	i := s.find(h)
	if s.slots[i] == h {
		return false
	}
	s.slots[i] = h
	s.n++
	return true
}

func (s *pathSet) has(p string) bool {
	if s.n == 0 {
		return false
	}
	h := s.hash(p)
	return s.slots[s.find(h)] == h
}

// find returns the slot that holds h or, if none does, the free one where it belongs. One slot in four is always free.
func (s *pathSet) find(h uint64) int {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if s.slots[i] == h || s.slots[i] == 0 {
			return int(i)
		}
	}
}

// maxReserve is the number of paths for which room is made because a header, which may be wrong, speaks of so many.
const maxReserve = 1 << 20

// reserve makes room for n paths in a set that is still empty.
func (s *pathSet) reserve(n int64) {
	slots := 1024
	for want := min(n, maxReserve); int64(slots)*3 <= want*4; {
		slots *= 2
	}
	s.slots = make([]uint64, slots)
}

func (s *pathSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.slots[s.find(h)] = h
		}
	}
}
