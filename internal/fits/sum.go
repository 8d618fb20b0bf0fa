package fits

import (
	"encoding/binary"
	"math/bits"
)

// onesSum is the 32-bit ones' complement sum of big-endian words (FITS standard 4.0, appendix J). It adds 64-bit words with
// the carry kept and folds at the end: 2^64-1 is a multiple of 2^32-1, so the folded result is the sum of the 32-bit halves.
type onesSum struct {
	acc  uint64
	tail [8]byte // bytes of an unfinished word
	n    int     // of tail
}

func (s *onesSum) write(p []byte) {
	if s.n > 0 {
		k := copy(s.tail[s.n:], p)
		s.n += k
		p = p[k:]
		if s.n < 8 {
			return
		}
		s.addWord(binary.BigEndian.Uint64(s.tail[:]))
		s.n = 0
	}
	a, c := s.acc, uint64(0)
	for len(p) >= 32 {
		a, c = bits.Add64(a, binary.BigEndian.Uint64(p), c)
		a, c = bits.Add64(a, binary.BigEndian.Uint64(p[8:]), c)
		a, c = bits.Add64(a, binary.BigEndian.Uint64(p[16:]), c)
		a, c = bits.Add64(a, binary.BigEndian.Uint64(p[24:]), c)
		p = p[32:]
	}
	for len(p) >= 8 {
		a, c = bits.Add64(a, binary.BigEndian.Uint64(p), c)
		p = p[8:]
	}
	s.acc = a
	s.addWord(c)
	s.n = copy(s.tail[:], p)
}

func (s *onesSum) addWord(v uint64) {
	a, c := bits.Add64(s.acc, v, 0)
	// The end-around carry cannot carry again: a is at most 2^64-2 when c is 1.
	s.acc = a + c
}

// value folds to 32 bits. Units are whole blocks, so an unfinished word is only met in a cut file, where nobody asks.
func (s *onesSum) value() uint32 { return fold(s.acc) }

func fold(a uint64) uint32 {
	a = a>>32 + a&0xffffffff
	a = a>>32 + a&0xffffffff
	return uint32(a)
}

func addOnes(a, b uint32) uint32 { return fold(uint64(a) + uint64(b)) }

// sameOnes compares two sums where 0 and 2^32-1 are the same number.
func sameOnes(a, b uint32) bool {
	return a == b || (a == 0 || a == 0xffffffff) && (b == 0 || b == 0xffffffff)
}

// encodeSum writes the complement of a sum as the 16 characters of a CHECKSUM card (FITS standard 4.0, appendix J.2.1):
// each byte in four parts offset by '0', pairs shifted apart until no character is punctuation, rotated right by one.
func encodeSum(sum uint32) [16]byte {
	var out [16]byte
	value := ^sum
	for i := range 4 {
		b := byte(value >> (24 - 8*i))
		var ch [4]byte
		for j := range ch {
			ch[j] = b/4 + '0'
		}
		ch[0] += b % 4
		for again := true; again; {
			again = false
			for j := 0; j < 4; j += 2 {
				if punctuation(ch[j]) || punctuation(ch[j+1]) {
					ch[j]++
					ch[j+1]--
					again = true
				}
			}
		}
		for j := range ch {
			out[(4*j+i+1)%16] = ch[j]
		}
	}
	return out
}

func punctuation(b byte) bool { return b >= 0x3a && b <= 0x40 || b >= 0x5b && b <= 0x60 }
