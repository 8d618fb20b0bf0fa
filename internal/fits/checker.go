package fits

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// phase is what the next byte belongs to.
type phase byte

const (
	inHeader phase = iota
	inData
	inFill
)

// Checker is the Check for FITS files. It is made by New and belongs to one file and one goroutine.
type Checker struct {
	bytes int64 // length seen
	pos   int64 // offset of the next byte to judge; stays where the first error was found
	phase phase
	hdu   hdu
	left  int64 // bytes left of the data or the fill
	block [BlockSize]byte
	n     int // bytes in block
	err   error

	hdus     int
	sum      SumState
	sumErr   error
	values   map[string]string
	notes    []string
	extend   bool
	nextend  int64
	asdf     bool
	finished bool
}

// New returns a Checker for a FITS file.
func New() *Checker {
	c := &Checker{sum: SumAbsent, values: make(map[string]string), nextend: -1}
	c.hdu.reset(0)
	return c
}

// Keywords returns the names of the primary header's keywords that Report.Header holds, sorted: what identifies a JWST
// product and the software and reference files that made it.
func Keywords() []string {
	return []string{"CAL_VER", "CRDS_CTX", "CRDS_VER", "DATAMODL", "DATE", "FILENAME", "INSTRUME", "PROGRAM", "SDP_VER", "TELESCOP"}
}

// Write takes the next bytes. It never fails; data without checksum cards costs no time.
func (c *Checker) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	for rest := p; len(rest) > 0 && c.err == nil; {
		k := 0
		switch c.phase {
		case inHeader:
			k = c.takeHeader(rest)
		case inData:
			k = c.takeData(rest)
		case inFill:
			k = c.takeFill(rest)
		}
		rest = rest[k:]
	}
	return len(p), nil
}

// Err is the first complaint so far, or nil.
func (c *Checker) Err() error { return c.err }

func (c *Checker) fail(offset int64, cause error, format string, args ...any) {
	c.err = &StructureError{Offset: offset, HDU: c.hdu.index, Why: fmt.Sprintf(format, args...), Cause: cause}
}

func (c *Checker) takeHeader(p []byte) int {
	k := copy(c.block[c.n:], p)
	c.n += k
	if c.n == BlockSize {
		c.headerBlock()
		c.pos += BlockSize
		c.n = 0
	}
	return k
}

// headerBlock judges one complete block of a header.
func (c *Checker) headerBlock() {
	h := &c.hdu
	if c.hdus == 0 && h.cards == 0 && looksLikePage(c.block[:]) {
		c.fail(0, ErrHTML, "a web page, not FITS: %s", quote(c.block[:60]))
		return
	}
	for i := 0; i < BlockSize; i += CardSize {
		img := c.block[i : i+CardSize]
		if h.cards == 0 {
			// Bytes that begin no HDU deserve that name rather than a remark on the first of them.
			if why := h.first(img); why != "" {
				c.fail(c.pos, nil, "%s", why)
				return
			}
		}
		if j := notText(img); j >= 0 {
			c.fail(c.pos+int64(i+j), nil, "a byte in a header that is not ASCII text: %#02x", img[j])
			return
		}
		if h.ended {
			if len(bytes.TrimRight(img, " ")) != 0 {
				c.fail(c.pos+int64(i), nil, "text after the END card: %s", quote(img))
				return
			}
			continue
		}
		card, why := h.take(img)
		if why != "" {
			c.fail(c.pos+int64(i), nil, "%s", why)
			return
		}
		c.capture(card)
	}
	h.head.write(c.block[:])
	if !h.ended {
		return
	}
	if why := h.close(); why != "" {
		c.fail(c.pos, nil, "%s", why)
		return
	}
	c.left, c.phase = h.dataLen, inData
	if h.dataLen == 0 {
		// No data means no fill; the next block is a header or the end of the file.
		c.endHDU()
	}
}

// notText is the index of the first byte that no header may hold (standard 4.0, section 3.2), or -1.
func notText(img []byte) int {
	for j, b := range img {
		if b < ' ' || b > '~' {
			return j
		}
	}
	return -1
}

func (c *Checker) capture(k card) {
	if c.hdu.index != 0 || k.kind == noValue || k.kind == undefined {
		return
	}
	switch string(k.name) {
	case "CAL_VER", "CRDS_CTX", "CRDS_VER", "DATAMODL", "DATE", "FILENAME", "INSTRUME", "PROGRAM", "SDP_VER", "TELESCOP":
		// A keyword given twice keeps its first value, as cfitsio reads it.
		if _, ok := c.values[string(k.name)]; !ok && k.text() != "" {
			c.values[string(k.name)] = k.text()
		}
	}
}

func (c *Checker) takeData(p []byte) int {
	h := &c.hdu
	k := int(min(int64(len(p)), c.left))
	if h.headLen < len(h.dataHead) {
		h.headLen += copy(h.dataHead[h.headLen:], p[:k])
	}
	if h.checksum || h.datasum != "" {
		h.data.write(p[:k])
	}
	c.left -= int64(k)
	c.pos += int64(k)
	if c.left == 0 {
		c.left, c.phase = h.fillLen, inFill
		if c.left == 0 {
			c.endHDU()
		}
	}
	return k
}

// takeFill judges the bytes between the data and the end of its last block: zero, blanks in ASCII tables (standard 4.0,
// sections 3.3.2 and 7.2.3); other extensions choose their own.
func (c *Checker) takeFill(p []byte) int {
	h := &c.hdu
	k := int(min(int64(len(p)), c.left))
	want := byte(0)
	if h.kind == asciiTable {
		want = ' '
	}
	for i, b := range p[:k] {
		if b != want && h.kind != otherExtension {
			c.fail(c.pos+int64(i), nil, "the fill after the data holds %#02x where %#02x must stand", b, want)
			return k
		}
	}
	if h.checksum || h.datasum != "" {
		h.data.write(p[:k])
	}
	c.left -= int64(k)
	c.pos += int64(k)
	if c.left == 0 {
		c.endHDU()
	}
	return k
}

// endHDU settles a complete HDU and begins the next.
func (c *Checker) endHDU() {
	h := &c.hdu
	c.checkSums()
	if h.index == 0 {
		c.extend, c.nextend = h.extend, h.nextend
	}
	if h.extname == "ASDF" {
		c.asdf = true
		if string(h.dataHead[:]) != "#ASDF" {
			c.note("the ASDF extension does not begin with #ASDF")
		}
	}
	c.hdus++
	c.phase, c.n = inHeader, 0
	h.reset(c.hdus)
}

func (c *Checker) checkSums() {
	h := &c.hdu
	if !h.checksum && h.datasum == "" {
		return
	}
	if c.sum == SumAbsent {
		c.sum = SumOK
	}
	if h.datasum != "" {
		want, err := strconv.ParseUint(h.datasum, 10, 32)
		if err != nil || !sameOnes(uint32(want), h.data.value()) {
			c.badSum("DATASUM", h.data.value(), h.datasum)
		}
	}
	if total := addOnes(h.head.value(), h.data.value()); h.checksum && !sameOnes(total, 0) {
		c.badSum("CHECKSUM", total, "4294967295")
	}
}

func (c *Checker) badSum(card string, got uint32, want string) {
	c.sum = SumBad
	if c.sumErr == nil {
		c.sumErr = &SumError{HDU: c.hdu.index, Card: card, Got: strconv.FormatUint(uint64(got), 10), Want: want}
	}
}

func (c *Checker) note(format string, args ...any) {
	const most = 16
	if len(c.notes) < most {
		c.notes = append(c.notes, fmt.Sprintf(format, args...))
	}
}

// Finish says that the file ends here and returns the verdict.
func (c *Checker) Finish() Report {
	if !c.finished {
		c.finished = true
		c.finishStructure()
		c.finishNotes()
	}
	return Report{Kind: KindFITS, Bytes: c.bytes, Err: c.err, Sum: c.sum, SumErr: c.sumErr,
		HDUs: c.hdus, Header: c.values, Notes: c.notes}
}

func (c *Checker) finishStructure() {
	switch {
	case c.err != nil:
	case c.bytes == 0:
		c.fail(0, ErrTruncated, "the file is empty")
	case c.phase != inHeader:
		missing := c.left
		if c.phase == inData {
			missing += c.hdu.fillLen
		}
		c.fail(c.bytes, ErrTruncated, "the file ends %d bytes before the end of this HDU", missing)
	case c.n == 0 && c.hdu.cards == 0:
		// The boundary of two HDUs, the only place where a file may end.
	default:
		c.finishHeader()
	}
}

// finishHeader finds the words for a file that ends within a header: a page, other bytes after the last HDU, or a cut.
func (c *Checker) finishHeader() {
	part := c.block[:c.n]
	if c.hdu.cards == 0 {
		if c.hdus == 0 && looksLikePage(part) {
			c.fail(0, ErrHTML, "a web page, not FITS: %s", quote(part))
			return
		}
		start := "XTENSION= '"
		if c.hdus == 0 {
			start = "SIMPLE  =                    T"
		}
		k := min(len(part), len(start))
		if !bytes.Equal(part[:k], []byte(start[:k])) {
			c.fail(c.pos, nil, "%d bytes that begin no HDU: %s", len(part), quote(part))
			return
		}
	}
	c.fail(c.bytes, ErrTruncated, "the file ends within a header")
}

func (c *Checker) finishNotes() {
	if c.err != nil && errors.Is(c.err, ErrHTML) {
		return
	}
	if c.nextend >= 0 && c.nextend != int64(c.hdus-1) && c.err == nil {
		c.note("NEXTEND is %d, the file has %d extensions", c.nextend, c.hdus-1)
	}
	if c.hdus > 1 && !c.extend {
		c.note("the primary header does not announce extensions (EXTEND)")
	}
	if c.err == nil && c.values["TELESCOP"] == "JWST" && !c.asdf {
		c.note("no ASDF extension")
	}
}
