package fits

import (
	"bytes"
	"fmt"
)

// columns is what the header walk keeps of a table's columns: the widths summed and which fields were described, in a fixed
// array, because TFIELDS is at most 999.
type columns struct {
	fields int // TFIELDS
	width  int64
	forms  int // TFORMn cards seen
	begins int // TBCOLn cards seen
	seen   [1000]bool
}

// formWidth is the number of bytes a binary column takes in a row: TFORMn = rTa (standard 4.0, section 7.3.1).
func formWidth(form []byte) (int64, bool) {
	form = bytes.TrimRight(form, " ")
	i := skipDigits(form, 0)
	repeat := int64(1)
	if i > 0 {
		repeat = 0
		for _, c := range form[:i] {
			if repeat = repeat*10 + int64(c-'0'); repeat > 1<<40 {
				return 0, false
			}
		}
	}
	if i == len(form) {
		return 0, false
	}
	switch form[i] {
	case 'X':
		return (repeat + 7) / 8, true
	case 'L', 'B', 'A':
		return repeat, true
	case 'I':
		return repeat * 2, true
	case 'J', 'E':
		return repeat * 4, true
	case 'K', 'D', 'C':
		return repeat * 8, true
	case 'M':
		return repeat * 16, true
	case 'P', 'Q':
		size := int64(8)
		if form[i] == 'Q' {
			size = 16
		}
		// An array descriptor names the type of the elements in the heap.
		if repeat > 1 || i+1 == len(form) || bytes.IndexByte([]byte("LXBIJKAEDCM"), form[i+1]) < 0 {
			return 0, false
		}
		return repeat * size, true
	}
	return 0, false
}

// asciiFormWidth is the width of an ASCII column: Aw, Iw, Fw.d, Ew.d or Dw.d (standard 4.0, section 7.2.1).
func asciiFormWidth(form []byte) (int64, bool) {
	form = bytes.TrimRight(form, " ")
	if len(form) < 2 || bytes.IndexByte([]byte("AIFED"), form[0]) < 0 {
		return 0, false
	}
	i := skipDigits(form, 1)
	if i == 1 || i > 8 {
		return 0, false
	}
	w := int64(0)
	for _, c := range form[1:i] {
		w = w*10 + int64(c-'0')
	}
	if i < len(form) && (form[i] != '.' || skipDigits(form, i+1) != len(form)) {
		return 0, false
	}
	return w, true
}

// tableCard takes one card of a table's header.
func (h *hdu) tableCard(c card) string {
	if n, ok := indexed(c.name, "TFORM"); ok {
		return h.formCard(n, c)
	}
	if n, ok := indexed(c.name, "TBCOL"); ok && h.kind == asciiTable {
		v, isInt := c.integer()
		if n > h.cols.fields {
			return fmt.Sprintf("TBCOL%d is beyond TFIELDS = %d", n, h.cols.fields)
		}
		if !isInt || v < 1 || v > max(h.axis1, 1) {
			return fmt.Sprintf("TBCOL%d is not a column of the row", n)
		}
		h.cols.begins++
	}
	switch string(c.name) {
	case "THEAP":
		v, ok := c.integer()
		if !ok || v < 0 {
			return "THEAP is not a byte offset"
		}
		h.theap, h.hasTheap = v, true
	case "ZIMAGE":
		h.zimage = c.kind == logicalVal && c.token[0] == 'T'
	case "ZBITPIX":
		v, ok := c.integer()
		h.zbitpix = ok && validBitpix(v)
	case "ZCMPTYPE":
		h.zcmptype = c.kind == stringVal
	case "ZNAXIS":
		v, ok := c.integer()
		h.znaxis = ok && v >= 1 && v <= maxAxes
	}
	return ""
}

func (h *hdu) formCard(n int, c card) string {
	if n > h.cols.fields {
		return fmt.Sprintf("TFORM%d is beyond TFIELDS = %d", n, h.cols.fields)
	}
	if h.cols.seen[n] {
		return fmt.Sprintf("TFORM%d is given twice", n)
	}
	width := formWidth
	if h.kind == asciiTable {
		width = asciiFormWidth
	}
	w, ok := width(bytes.TrimLeft(c.token, " "))
	if !ok || c.kind != stringVal {
		return fmt.Sprintf("TFORM%d = %s is not a format", n, quote(c.token))
	}
	h.cols.seen[n] = true
	h.cols.forms++
	h.cols.width += w // at most 999 · 16 · 2^40
	return ""
}

// checkTable holds the columns against the row and the heap against the data.
func (h *hdu) checkTable() string {
	if h.cols.forms != h.cols.fields {
		return fmt.Sprintf("TFIELDS is %d, but %d columns have a TFORM", h.cols.fields, h.cols.forms)
	}
	if h.kind == asciiTable {
		if h.cols.begins != h.cols.fields {
			return fmt.Sprintf("TFIELDS is %d, but %d columns have a TBCOL", h.cols.fields, h.cols.begins)
		}
		return ""
	}
	if h.cols.width != h.axis1 {
		return fmt.Sprintf("the columns take %d bytes, NAXIS1 is %d", h.cols.width, h.axis1)
	}
	if h.hasTheap && (h.theap < h.tableBytes || h.theap > h.tableBytes+h.pcount) {
		return fmt.Sprintf("THEAP = %d is outside the %d bytes after the %d of the table", h.theap, h.pcount, h.tableBytes)
	}
	if h.zimage && !(h.zbitpix && h.zcmptype && h.znaxis) {
		return "a compressed image without ZBITPIX, ZNAXIS or ZCMPTYPE"
	}
	return ""
}
