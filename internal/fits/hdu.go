package fits

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

const (
	maxAxes  = 999 // standard 4.0, section 4.4.1
	maxCards = 100_000
	// maxData bounds a data unit, so that its length, fill and the file offset stay far inside an int64.
	maxData = 1 << 60
)

type hduKind byte

const (
	primary hduKind = iota
	image
	asciiTable
	binTable
	otherExtension // a conforming extension of another type: walked by its size
)

// hdu is the state of the header walk of one HDU. Its size does not depend on the file.
type hdu struct {
	index int
	kind  hduKind
	cards int
	ended bool

	bitpix         int64
	naxis, axes    int // declared, and NAXISn cards met so far
	axis1          int64
	pixels         uint64 // ΠNAXISn, without a first axis of 0 in random groups
	restPixels     uint64 // ΠNAXISn from the second axis
	overflow       bool
	restOverflow   bool
	pcount, gcount int64
	hasPcount      bool
	hasGcount      bool
	groups         bool
	hasFields      bool
	cols           columns
	theap          int64
	hasTheap       bool
	tableBytes     int64
	zimage         bool
	zbitpix        bool
	zcmptype       bool
	znaxis         bool

	extname  string
	extend   bool
	nextend  int64 // -1 if absent
	checksum bool
	datasum  string

	head     onesSum // of the header blocks
	data     onesSum // of the data unit, only when a card needs it
	dataLen  int64
	fillLen  int64
	dataHead [5]byte
	headLen  int
}

func (h *hdu) reset(index int) {
	*h = hdu{index: index, pixels: 1, restPixels: 1, gcount: 1, nextend: -1}
}

func validBitpix(v int64) bool {
	switch v {
	case 8, 16, 32, 64, -32, -64:
		return true
	}
	return false
}

// take reads one card image, of the first after first has judged it; why is not "" if it cannot stand there.
func (h *hdu) take(img []byte) (c card, why string) {
	h.cards++
	if h.cards > maxCards {
		return c, fmt.Sprintf("more than %d cards in a header", maxCards)
	}
	if !validName(img[:8]) {
		return c, "a keyword with characters that no keyword may have: " + quote(img[:8])
	}
	if h.cards == 1 {
		return c, "" // judged by first
	}
	c = parseCard(img)
	if c.kind == badVal {
		return c, "a card whose value cannot be read: " + quote(bytes.TrimRight(img, " "))
	}
	done, why := h.mandatory(c, img)
	if done || why != "" {
		return c, why
	}
	if string(c.name) == "END" {
		if len(bytes.TrimRight(img[3:], " ")) != 0 {
			return c, "an END card with text after END"
		}
		h.ended = true
		return c, ""
	}
	return c, h.optional(c)
}

// first judges the card that opens an HDU, before take.
func (h *hdu) first(img []byte) string {
	if h.index == 0 {
		if string(img[:30]) != "SIMPLE  =                    T" || !commentFollows(img[30:]) {
			return "the file does not begin with SIMPLE = T: " + quote(img[:30])
		}
		return ""
	}
	c := parseCard(img)
	if string(c.name) != "XTENSION" || c.kind != stringVal || img[10] != '\'' {
		return "bytes after the last HDU that are no extension: " + quote(img[:30])
	}
	switch c.text() {
	case "IMAGE":
		h.kind = image
	case "TABLE":
		h.kind = asciiTable
	case "BINTABLE":
		h.kind = binTable
	default:
		h.kind = otherExtension
	}
	return ""
}

// mandatory takes the cards whose place is fixed: BITPIX, NAXIS, NAXIS1…n, and in extensions PCOUNT, GCOUNT and TFIELDS
// (standard 4.0, sections 4.4.1 and 7). done says that the card was one of them.
func (h *hdu) mandatory(c card, img []byte) (done bool, why string) {
	want := h.expected()
	if want == "" {
		switch string(c.name) {
		case "SIMPLE", "XTENSION", "BITPIX", "NAXIS":
			return true, string(c.name) + " is given twice"
		}
		if n, ok := indexed(c.name, "NAXIS"); ok {
			return true, fmt.Sprintf("NAXIS%d is given twice or beyond NAXIS = %d", n, h.naxis)
		}
		return false, ""
	}
	if string(c.name) != want {
		return true, fmt.Sprintf("card %d is %s where %s must stand", h.cards, quote(c.name), want)
	}
	v, ok := fixedInteger(img)
	if !ok {
		return true, want + " is not an integer in fixed format: " + quote(bytes.TrimRight(img[8:], " "))
	}
	return true, h.setMandatory(want, v)
}

// expected is the keyword that must come next, "" when all mandatory ones have come.
func (h *hdu) expected() string {
	switch {
	case h.cards == 2:
		return "BITPIX"
	case h.cards == 3:
		return "NAXIS"
	case h.axes < h.naxis:
		return "NAXIS" + strconv.Itoa(h.axes+1)
	case h.kind == primary:
		return ""
	case !h.hasPcount:
		return "PCOUNT"
	case !h.hasGcount:
		return "GCOUNT"
	case !h.hasFields && (h.kind == asciiTable || h.kind == binTable):
		return "TFIELDS"
	}
	return ""
}

func (h *hdu) setMandatory(name string, v int64) string {
	switch name {
	case "BITPIX":
		if !validBitpix(v) {
			return fmt.Sprintf("BITPIX = %d is not a FITS data type", v)
		}
		h.bitpix = v
	case "NAXIS":
		if v < 0 || v > maxAxes {
			return fmt.Sprintf("NAXIS = %d is not within 0 to %d", v, maxAxes)
		}
		h.naxis = int(v)
	case "PCOUNT":
		h.hasPcount, h.pcount = true, v
	case "GCOUNT":
		h.hasGcount, h.gcount = true, v
	case "TFIELDS":
		if v < 0 || v > 999 {
			return fmt.Sprintf("TFIELDS = %d is not within 0 to 999", v)
		}
		h.hasFields, h.cols.fields = true, int(v)
	default: // NAXISn
		if v < 0 {
			return fmt.Sprintf("%s = %d is negative", name, v)
		}
		h.addAxis(uint64(v))
	}
	return ""
}

// addAxis multiplies with saturation: an overflow is only an error if no later axis is 0.
func (h *hdu) addAxis(v uint64) {
	h.axes++
	h.pixels, h.overflow = mul(h.pixels, v, h.overflow)
	if h.axes == 1 {
		h.axis1 = int64(v)
		return
	}
	h.restPixels, h.restOverflow = mul(h.restPixels, v, h.restOverflow)
}

func mul(a, v uint64, over bool) (uint64, bool) {
	if v == 0 || a == 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(a, v)
	if over || hi != 0 || lo > maxData {
		return maxData, true
	}
	return lo, false
}

// optional takes the cards that may stand anywhere after the mandatory ones.
func (h *hdu) optional(c card) string {
	switch string(c.name) {
	case "CHECKSUM":
		h.checksum = h.checksum || c.kind == stringVal && c.text() != "" && c.text() != "0000000000000000"
	case "DATASUM":
		// Of two cards the first counts, as cfitsio reads it.
		if h.datasum == "" {
			h.datasum = strings.TrimSpace(c.text())
		}
	case "EXTNAME":
		h.extname = c.text()
	case "PCOUNT", "GCOUNT", "GROUPS":
		if h.kind == primary {
			return h.groupCard(c)
		}
		if string(c.name) != "GROUPS" {
			return string(c.name) + " is given twice"
		}
	case "EXTEND":
		h.extend = c.kind == logicalVal && c.token[0] == 'T'
	case "NEXTEND":
		if v, ok := c.integer(); ok {
			h.nextend = v
		}
	}
	if h.kind == binTable || h.kind == asciiTable {
		return h.tableCard(c)
	}
	return ""
}

func (h *hdu) groupCard(c card) string {
	if string(c.name) == "GROUPS" {
		h.groups = c.kind == logicalVal && c.token[0] == 'T'
		return ""
	}
	v, ok := c.integer()
	if !ok {
		return string(c.name) + " is not an integer"
	}
	if string(c.name) == "PCOUNT" {
		h.pcount = v
	} else {
		h.gcount = v
	}
	return ""
}

// close checks the header as a whole when END has come and computes the length of the data unit and of its fill.
func (h *hdu) close() string {
	if want := h.expected(); want != "" {
		return "END where " + want + " must stand"
	}
	if why := h.checkCounts(); why != "" {
		return why
	}
	pixels, overflow := h.pixels, h.overflow
	if h.kind == primary && h.groups && h.naxis > 0 && h.axis1 == 0 {
		pixels, overflow = h.restPixels, h.restOverflow
	}
	if h.naxis == 0 {
		pixels = 0
	}
	// |BITPIX|/8 · GCOUNT · (PCOUNT + pixels); the factors are not negative here.
	width := uint64(max(h.bitpix, -h.bitpix) / 8)
	total, overflow := mul(uint64(h.gcount), uint64(h.pcount)+pixels, overflow)
	total, overflow = mul(total, width, overflow)
	if overflow {
		return "the axes give a length that no file can have"
	}
	h.dataLen = int64(total)
	h.fillLen = Padding(h.dataLen)
	h.tableBytes = int64(pixels)
	if h.kind == binTable || h.kind == asciiTable {
		return h.checkTable()
	}
	return ""
}

func (h *hdu) checkCounts() string {
	if h.pcount < 0 || h.pcount > maxData || h.gcount < 0 || h.gcount > maxData {
		return fmt.Sprintf("PCOUNT = %d, GCOUNT = %d cannot be", h.pcount, h.gcount)
	}
	groups := h.kind == primary && h.groups && h.naxis > 0 && h.axis1 == 0
	if !groups && h.kind != otherExtension && h.gcount != 1 {
		return fmt.Sprintf("GCOUNT = %d where it must be 1", h.gcount)
	}
	if !groups && (h.kind == primary || h.kind == image || h.kind == asciiTable) && h.pcount != 0 {
		return fmt.Sprintf("PCOUNT = %d where it must be 0", h.pcount)
	}
	if (h.kind == asciiTable || h.kind == binTable) && (h.bitpix != 8 || h.naxis != 2) {
		return fmt.Sprintf("BITPIX = %d and NAXIS = %d in a table", h.bitpix, h.naxis)
	}
	return ""
}

// quote shows bytes of the file in a message: at most 80, made printable.
func quote(b []byte) string {
	return strconv.QuoteToASCII(string(b[:min(len(b), CardSize)]))
}
