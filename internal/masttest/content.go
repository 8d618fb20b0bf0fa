package masttest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
)

// content computes the bytes of one version of one file at any offset. It is immutable and safe for concurrent use.
type content struct {
	size  int64
	parts []part // in order, without gaps, all together size bytes
}

// part is a stretch of a file made in one way.
type part struct {
	off, n int64
	fixed  []byte // literal bytes; nil means made by fill
	fill   fill
}

// fill writes the bytes at offset off of its part into p.
type fill interface{ fillAt(p []byte, off int64) }

// newContent makes the bytes of a file. They differ for any two of (URI, version, size).
func newContent(f File) *content {
	seed := seedOf(f.URI, f.Version, f.Size)
	c := &content{size: f.Size}
	switch kindOf(f.Name) {
	case kindFITS:
		fitsParts(c, f, seed)
	case kindJSON:
		jsonParts(c, f, seed)
	case kindECSV, kindCSV:
		csvParts(c, f, seed)
	case kindJPEG:
		jpegParts(c, seed)
	case kindPNG:
		pngParts(c, seed)
	default:
		c.add(c.size, nil, noise{seed})
	}
	return c
}

// add appends a part of n bytes.
func (c *content) add(n int64, fixed []byte, f fill) {
	if n <= 0 {
		return
	}
	var off int64
	if k := len(c.parts); k > 0 {
		off = c.parts[k-1].off + c.parts[k-1].n
	}
	c.parts = append(c.parts, part{off: off, n: n, fixed: fixed, fill: f})
}

func (c *content) literal(b []byte) { c.add(int64(len(b)), b, nil) }

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("masttest: negative offset %d", off)
	}
	if off >= c.size {
		return 0, io.EOF
	}
	n := int64(len(p))
	var err error
	if off+n > c.size {
		n, err = c.size-off, io.EOF
	}
	for i := range c.parts {
		q := &c.parts[i]
		from, to := max(off, q.off), min(off+n, q.off+q.n)
		if from >= to {
			continue
		}
		dst := p[from-off : to-off]
		if q.fixed != nil {
			copy(dst, q.fixed[from-q.off:])
			continue
		}
		q.fill.fillAt(dst, from-q.off)
	}
	return int(n), err
}

// seedOf mixes what the bytes depend on into 64 bits.
func seedOf(uri string, version int, size int64) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, uri) // a hash's Write never fails
	return mix(h.Sum64() ^ mix(uint64(version)<<48^uint64(size)))
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const gamma = 0x9e3779b97f4a7c15

// noise is counter-based: the word at index i is a mix of the seed and i, so any offset costs the same.
type noise struct{ seed uint64 }

func (z noise) fillAt(p []byte, off int64) {
	word := uint64(off) >> 3
	if r := off & 7; r != 0 {
		p = p[z.tail(p, word, r):]
		word++
	}
	x := z.seed + word*gamma
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p[0:8], wordOf(x))
		x += gamma
		binary.LittleEndian.PutUint64(p[8:16], wordOf(x))
		x += gamma
		binary.LittleEndian.PutUint64(p[16:24], wordOf(x))
		x += gamma
		binary.LittleEndian.PutUint64(p[24:32], wordOf(x))
		x += gamma
		p = p[32:]
		word += 4
	}
	for len(p) > 0 {
		p = p[z.tail(p, word, 0):]
		word++
	}
}

// tail copies the bytes of one word from its byte r on and returns how many fitted.
func (z noise) tail(p []byte, word uint64, r int64) int {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], wordOf(z.seed+word*gamma))
	return copy(p, b[r:])
}

// wordOf folds a 128-bit product: one multiplication a word, and no two counters in a row give related words.
func wordOf(x uint64) uint64 {
	hi, lo := bits.Mul64(x, 0xbf58476d1ce4e5b9)
	return hi ^ lo
}

// same fills with one byte.
type same byte

func (b same) fillAt(p []byte, _ int64) {
	for i := range p {
		p[i] = byte(b)
	}
}
