package fits

import (
	"encoding/binary"
	"hash/crc32"
)

// jpegScan looks for the marks that begin and end a JPEG file (ITU T.81, annex B): FF D8 FF first, FF D9 last. Some cameras
// and libraries pad with zeros after the end; these are skipped.
type jpegScan struct {
	head [3]byte
	n    int
	tail [2]byte // the last two bytes before any zeros
	zero int64   // zeros after tail
}

func (s *jpegScan) feed(p []byte, _ int64) (int64, string) {
	if s.n < len(s.head) {
		s.n += copy(s.head[s.n:], p)
		if want := "\xff\xd8\xff"; string(s.head[:s.n]) != want[:s.n] {
			return 0, "not JPEG: does not begin with FF D8 FF"
		}
	}
	end := len(p)
	for end > 0 && p[end-1] == 0 {
		end--
	}
	switch {
	case end == 0:
		s.zero += int64(len(p))
		return 0, ""
	case end >= 2:
		s.tail = [2]byte{p[end-2], p[end-1]}
	case s.zero > 0:
		s.tail = [2]byte{0, p[0]}
	default:
		s.tail = [2]byte{s.tail[1], p[0]}
	}
	s.zero = int64(len(p) - end)
	return 0, ""
}

func (s *jpegScan) end(int64) (string, bool, []string) {
	if s.n < len(s.head) || s.tail != [2]byte{0xff, 0xd9} {
		return "the JPEG file has no end mark", true, nil
	}
	if s.zero > 0 {
		return "", false, []string{"zeros after the end mark"}
	}
	return "", false, nil
}

const pngSignature = "\x89PNG\r\n\x1a\n"

// pngScan walks the chunks of a PNG file (ISO/IEC 15948, section 5) and verifies their CRC.
type pngScan struct {
	buf   [8]byte // signature, then length and type, then CRC
	n     int
	phase byte // 0 signature, 1 chunk head, 2 chunk data, 3 CRC, 4 after IEND
	kind  string
	left  uint32
	crc   uint32
	count int
}

func (s *pngScan) feed(p []byte, offset int64) (int64, string) {
	for i := 0; i < len(p); {
		switch s.phase {
		case 4:
			return offset + int64(i), "bytes after the end of the PNG file"
		case 2:
			k := int(min(int64(len(p)-i), int64(s.left)))
			s.crc = crc32.Update(s.crc, crc32.IEEETable, p[i:i+k])
			s.left -= uint32(k)
			i += k
			if s.left == 0 {
				s.phase = 3
			}
		default:
			want := 8
			if s.phase == 3 {
				want = 4
			}
			k := copy(s.buf[s.n:want], p[i:])
			s.n += k
			i += k
			if s.n == want {
				s.n = 0
				if why := s.unit(); why != "" {
					return offset + int64(i-want), why
				}
			}
		}
	}
	return 0, ""
}

// unit takes a complete signature, chunk head or CRC.
func (s *pngScan) unit() string {
	switch s.phase {
	case 0:
		if string(s.buf[:]) != pngSignature {
			return "not PNG: begins with " + quote(s.buf[:])
		}
		s.phase = 1
	case 1:
		s.left, s.kind = binary.BigEndian.Uint32(s.buf[:4]), string(s.buf[4:])
		s.crc = crc32.ChecksumIEEE(s.buf[4:])
		if s.left > 1<<31-1 || (s.count == 0) != (s.kind == "IHDR") {
			return "not a PNG chunk: " + quote(s.buf[:])
		}
		s.count++
		s.phase = 2
		if s.left == 0 {
			s.phase = 3
		}
	case 3:
		if binary.BigEndian.Uint32(s.buf[:4]) != s.crc {
			return "the CRC of PNG chunk " + quote([]byte(s.kind)) + " is wrong"
		}
		s.phase = 1
		if s.kind == "IEND" {
			s.phase = 4
		}
	}
	return ""
}

func (s *pngScan) end(int64) (string, bool, []string) {
	if s.phase != 4 {
		return "the PNG file has no end chunk", true, nil
	}
	return "", false, nil
}

// gzipScan looks at the first bytes only: downloads are stored as they are, never decompressed (RFC 1952, section 2.3.1).
type gzipScan struct {
	head [3]byte
	n    int
}

func (s *gzipScan) feed(p []byte, _ int64) (int64, string) {
	if s.n == len(s.head) {
		return 0, ""
	}
	s.n += copy(s.head[s.n:], p)
	if want := "\x1f\x8b\x08"; string(s.head[:s.n]) != want[:s.n] {
		return 0, "not gzip: does not begin with 1F 8B 08"
	}
	return 0, ""
}

func (s *gzipScan) end(size int64) (string, bool, []string) {
	// 10 bytes of header, 2 of the least deflate stream, 8 of trailer.
	if size < 20 {
		return "the gzip file is too short to be one", true, nil
	}
	return "", false, nil
}
