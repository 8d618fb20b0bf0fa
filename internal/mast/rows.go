package mast

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
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
)

// cell is one value of a row; raw points into the reader's buffer and is valid until the next row.
type cell struct {
	column int    // what the column resolver made of the name; < 0 means of no interest
	raw    []byte // without quotes if it is a string
	kind   kind
	escape bool // a string with backslashes in raw
}

// rowReader reads the rows of a page from the spool. The page was checked for syntax when it came in, so that this
// reader looks for no more than the ends of values; what it cannot make sense of (a damaged disk) is still an error.
type rowReader struct {
	src     io.Reader
	buf     []byte
	pos     int // the next row, in buf
	eof     bool
	left    int64
	names   []string // by position, for rows that are arrays
	resolve func(name string) int
	known   []key // by position: what the previous row had there
	cells   []cell
}

// key is a column name as it stands in the JSON text, with what resolve made of it.
type key struct {
	raw    []byte
	column int
}

const rowBuffer = 256 << 10

var (
	errMore    = errors.New("row continues behind the buffer")
	errGarbled = fmt.Errorf("%w: spooled row is garbled", ErrProtocol)
)

func newRowReader(src *io.SectionReader, p *page, resolve func(string) int) *rowReader {
	size := int(min(src.Size(), rowBuffer)) // of a short reply all of it
	r := &rowReader{src: src, buf: make([]byte, 0, size), left: p.rows, names: p.names(), resolve: resolve}
	for _, name := range r.names {
		r.known = append(r.known, key{raw: []byte(name), column: resolve(name)})
	}
	return r
}

// next returns the cells of the next row, in the order of the text, or io.EOF. They are valid until the next call.
func (r *rowReader) next() ([]cell, error) {
	if r.left == 0 {
		return nil, io.EOF
	}
	for {
		n, err := r.row(r.buf[r.pos:])
		if err == nil {
			r.pos += n
			r.left--
			return r.cells, nil
		}
		if err != errMore {
			return nil, err
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

// more moves the unfinished row to the front of the buffer and reads on, into a larger buffer if it is full of it.
func (r *rowReader) more() error {
	if r.eof {
		return errGarbled
	}
	if n := copy(r.buf[:cap(r.buf)], r.buf[r.pos:]); n < cap(r.buf) {
		r.buf = r.buf[:n]
	} else if n >= 4*maxValue {
		return fmt.Errorf("%w: a row is over %d bytes", ErrTooLarge, n)
	} else {
		r.buf = append(make([]byte, 0, 2*n), r.buf[:n]...)
	}
	r.pos = 0
	n, err := io.ReadAtLeast(r.src, r.buf[len(r.buf):cap(r.buf)], 1)
	r.buf = r.buf[:len(r.buf)+n]
	if err == io.EOF {
		r.eof = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the spooled reply: %w", err)
	}
	return nil
}

// row splits the row at the front of b, behind white space and a comma, and returns its length.
func (r *rowReader) row(b []byte) (int, error) {
	i := skip(b, 0)
	if i < len(b) && b[i] == ',' {
		i = skip(b, i+1)
	}
	if i == len(b) {
		return 0, errMore
	}
	r.cells = r.cells[:0]
	switch b[i] {
	case '{':
		return r.object(b, i+1)
	case '[':
		return r.array(b, i+1)
	}
	return 0, errGarbled
}

func (r *rowReader) object(b []byte, i int) (int, error) {
	for at := 0; ; at++ {
		i = skip(b, i)
		if i == len(b) {
			return 0, errMore
		}
		switch {
		case b[i] == '}':
			return i + 1, nil
		case b[i] == ',' && at > 0:
			if i = skip(b, i+1); i == len(b) {
				return 0, errMore
			}
		}
		if b[i] != '"' {
			return 0, errGarbled
		}
		name, end, err := stringAt(b, i)
		if err != nil {
			return 0, err
		}
		if i = skip(b, end); i == len(b) {
			return 0, errMore
		}
		if b[i] != ':' {
			return 0, errGarbled
		}
		c := cell{column: r.column(at, name)}
		if i, err = c.read(b, skip(b, i+1)); err != nil {
			return 0, err
		}
		r.cells = append(r.cells, c)
	}
}

func (r *rowReader) array(b []byte, i int) (int, error) {
	for at := 0; ; at++ {
		i = skip(b, i)
		if i == len(b) {
			return 0, errMore
		}
		switch {
		case b[i] == ']':
			return i + 1, nil
		case b[i] == ',' && at > 0:
			i = skip(b, i+1)
		}
		if at >= len(r.known) {
			return 0, fmt.Errorf("%w: row has more values than there are columns (%d)", ErrProtocol, len(r.known))
		}
		c := cell{column: r.known[at].column}
		var err error
		if i, err = c.read(b, i); err != nil {
			return 0, err
		}
		r.cells = append(r.cells, c)
	}
}

// column resolves a name. Rows of a reply nearly always have the same names in the same order, so the name at this place
// of the previous row is tried first.
func (r *rowReader) column(at int, name []byte) int {
	if at < len(r.known) && bytes.Equal(r.known[at].raw, name) {
		return r.known[at].column
	}
	for at >= len(r.known) {
		r.known = append(r.known, key{})
	}
	text := string(name)
	if bytes.IndexByte(name, '\\') >= 0 {
		text = unquote(name)
	}
	r.known[at] = key{raw: []byte(string(name)), column: r.resolve(text)}
	return r.known[at].column
}

// read takes the value at b[i] and returns the offset behind it.
func (c *cell) read(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, errMore
	}
	start := i
	switch b[i] {
	case '"':
		raw, end, err := stringAt(b, i)
		c.raw, c.kind, c.escape = raw, isString, err == nil && bytes.IndexByte(raw, '\\') >= 0
		return end, err
	case '{', '[':
		end, err := nestedAt(b, i)
		if err == nil {
			c.raw, c.kind = b[start:end], isNested
		}
		return end, err
	case 'n':
		c.kind = isNull
	case 't':
		c.kind = isTrue
	case 'f':
		c.kind = isFalse
	default:
		c.kind = isNumber
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == len(b) {
		return 0, errMore
	}
	if i == start {
		return 0, errGarbled
	}
	c.raw = b[start:i]
	return i, nil
}

// skip returns the offset of the first byte from i on that is no white space.
func skip(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// stringAt returns the inside of the string that begins at b[i], and the offset behind its closing quote.
func stringAt(b []byte, i int) (raw []byte, end int, err error) {
	for j := i + 1; ; j++ {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return nil, 0, errMore
		}
		j += n
		slashes := 0
		for b[j-1-slashes] == '\\' { // b[i] is a quote and stops this
			slashes++
		}
		if slashes%2 == 0 {
			return b[i+1 : j], j + 1, nil
		}
	}
}

// nestedAt returns the offset behind the array or object that begins at b[i].
func nestedAt(b []byte, i int) (int, error) {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case '"':
			_, end, err := stringAt(b, i)
			if err != nil {
				return 0, err
			}
			i = end - 1
		}
	}
	return 0, errMore
}

// unquote resolves the escapes of the inside of a JSON string.
func unquote(raw []byte) string {
	quoted := append(append(append(make([]byte, 0, len(raw)+2), '"'), raw...), '"')
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil && len(text) == 0 {
		return string(raw)
	}
	return string(text) // invalid UTF-8 was replaced
}

// text returns a cell as text: "" for null, the JSON text for what is no string.
func (c *cell) text() string {
	switch {
	case c.kind == isNull:
		return ""
	case c.escape:
		return unquote(c.raw)
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
