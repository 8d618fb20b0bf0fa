package mast

import (
	"strconv"
	"unsafe"
)

// kind is the JSON type of a cell.
type kind uint8

const (
	isNull kind = iota
	isString
	isNumber
	isTrue
	isFalse
	isNested // an array or object; no known column has one
	endOfRow // in the spool only
)

// cell is one value of a row; raw points into the reader's buffer and is valid until the next row.
type cell struct {
	column int    // what the column resolver made of the name
	raw    []byte // of a string its contents, of other kinds the JSON text; invalid UTF-8 as it came
	kind   kind
}

// text returns a cell as text: "" for null, the JSON text for what is no string.
func (c *cell) text() string {
	if c.kind == isNull {
		return ""
	}
	return string(c.raw)
}

// view is the cell's text without a copy, valid until the next row and only as an argument of parsers.
func (c *cell) view() string { return unsafe.String(unsafe.SliceData(c.raw), len(c.raw)) }

// integer reads a whole number, also in quotes; ok is false for null and for anything else.
func (c *cell) integer() (n int64, ok bool) {
	if c.kind != isNumber && c.kind != isString {
		return 0, false
	}
	if n, ok = shortInteger(c.raw); ok {
		return n, true
	}
	n, err := strconv.ParseInt(c.view(), 10, 64)
	if err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(c.view(), 64)
	if err != nil || f != float64(int64(f)) || f >= 1<<53 || f <= -1<<53 {
		return 0, false
	}
	return int64(f), true
}

// shortInteger parses up to 18 digits, which is nearly every number there is.
func shortInteger(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// number reads a number, also in quotes.
func (c *cell) number() (float64, bool) {
	if c.kind != isNumber && c.kind != isString || len(c.raw) == 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(c.view(), 64)
	return f, err == nil
}

// truth reads a boolean, also in quotes or as 0 and 1.
func (c *cell) truth() (value, ok bool) {
	switch c.kind {
	case isTrue:
		return true, true
	case isFalse:
		return false, true
	case isString, isNumber:
		switch c.view() {
		case "true", "True", "TRUE", "1":
			return true, true
		case "false", "False", "FALSE", "0":
			return false, true
		}
	}
	return false, false
}
