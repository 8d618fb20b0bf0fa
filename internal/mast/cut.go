package mast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"
)

// maxColumns bounds the values of a row and the columns of a reply; no service has a tenth of it.
const maxColumns = 10_000

// errMore is returned for text that ends before the row does.
var errMore = errors.New("row continues behind the buffer")

// cutter checks the rows of a page and cuts them into cells.
//
// Nearly every row is written like the one before it, but for its values. So a row is compared with the last one first: what
// stands between the values must be the same, byte for byte, and the values must be simple (follow). All other rows, and
// what is wrong with one, are left to the JSON decoder (learn). Whatever follow accepts, learn accepts with the same cells.
type cutter struct {
	resolve func(column string) int // negative for columns of no interest: of objects they are checked, but not kept
	block   []byte                  // the cells so far, in the spool's form
	columns []string                // names by number, if the rows are objects
	numbers map[string]int          // numbers by name as it is written, in quotes; negative for columns of no interest
	names   int                     // bytes of all names
	width   int                     // values of the longest row, if they are arrays
	seams   []seam                  // of the last row that was learned: one before each value, and one at the end; or none
	between []byte                  // their texts, one behind the other: no more than that row, whatever other rows had
	text    []byte                  // scratch: a string without its escapes
}

// seam is the text before a value of a row, from the end of the previous value on: `{"obsID":`, `, "size": `, or in an array
// just a comma.
type seam struct {
	end    int // of its text in cutter.between
	column int
}

// row checks the row that begins at b[0], appends its cells to the block and returns its length. After an error the block
// is as it was.
func (c *cutter) row(b []byte) (int, error) {
	start := len(c.block)
	n, ok := c.follow(b)
	if !ok {
		c.block = c.block[:start]
		var err error
		if n, err = c.learn(b); err != nil {
			c.block, c.seams = c.block[:start], c.seams[:0]
			return 0, err
		}
	}
	c.block = appendRowEnd(c.block)
	return n, nil
}

// follow cuts a row that differs from the last one that was learned in nothing but simple values.
func (c *cutter) follow(b []byte) (n int, ok bool) {
	start := 0
	for i, s := range c.seams {
		text := c.between[start:s.end]
		if !bytes.HasPrefix(b[n:], text) {
			return 0, false
		}
		n, start = n+len(text), s.end
		if i == len(c.seams)-1 {
			return n, true
		}
		k, value, length := simple(b[n:])
		if length == 0 {
			return 0, false
		}
		if k != isNull && s.column >= 0 {
			c.block = appendCell(c.block, s.column, k, value)
		}
		n += length
	}
	return 0, false // there was no row yet
}

// simple reads a string without escapes, a number without exponent, a boolean or null at the front of b. length is 0 if
// something else is there; of a number, b may go on with more of it.
func simple(b []byte) (k kind, text []byte, length int) {
	if len(b) == 0 {
		return isNull, nil, 0
	}
	switch b[0] {
	case '"':
		if n := plain(b[1:]); n >= 0 && b[1+n] == '"' {
			return isString, b[1 : 1+n], n + 2
		}
	case 'n':
		return literal(b, "null", isNull)
	case 't':
		return literal(b, "true", isTrue)
	case 'f':
		return literal(b, "false", isFalse)
	default:
		n := number(b)
		return isNumber, b[:n], n
	}
	return isNull, nil, 0
}

func literal(b []byte, word string, k kind) (_ kind, text []byte, length int) {
	if len(b) < len(word) || string(b[:len(word)]) != word {
		return isNull, nil, 0
	}
	return k, b[:len(word)], len(word)
}

// number returns the length of the JSON number without exponent at the front of b, 0 if there is none.
func number(b []byte) int {
	n := 0
	if b[0] == '-' {
		n++
	}
	whole := digits(b[n:])
	if whole == 0 || whole > 1 && b[n] == '0' {
		return 0
	}
	n += whole
	if n == len(b) || b[n] != '.' {
		return n
	}
	fraction := digits(b[n+1:])
	if fraction == 0 {
		return 0
	}
	return n + 1 + fraction
}

func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// plain returns the offset of the first byte of b that does not stand for itself inside a JSON string: a quote, a backslash
// or a control character. It looks at whole words of eight bytes only, and returns -1 if there is none in those.
func plain(b []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for i := 0; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// The top bit of each byte that is zero, or below a space. A borrow can set bits of bytes behind the first such one
		// only, and that one is what counts.
		if found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return -1
}

// learn cuts any row, and takes its seams for the rows that follow.
func (c *cutter) learn(b []byte) (int, error) {
	dec := newDecoder(bytes.NewBuffer(b)) // which it takes for its own buffer: offsets are those in b
	c.seams, c.between = c.seams[:0], c.between[:0]
	n, err := c.values(dec, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, errMore
	}
	return n, err
}

func (c *cutter) values(dec *jsontext.Decoder, b []byte) (int, error) {
	end, err := c.open(dec)
	if err != nil {
		return 0, err
	}
	seamAt := 0
	for i := 0; dec.PeekKind() != end; i++ {
		if i == maxColumns {
			return 0, fmt.Errorf("has more than %d values", maxColumns)
		}
		column := i
		if end == jsontext.KindEndObject {
			name, err := dec.ReadValue()
			if err != nil {
				return 0, err
			}
			if column, err = c.column(name); err != nil {
				return 0, err
			}
		}
		value, err := dec.ReadValue()
		if err != nil {
			return 0, err
		}
		if column >= 0 {
			c.value(column, value)
		}
		valueEnd := int(dec.InputOffset())
		c.seam(b[seamAt:valueEnd-len(value)], column)
		seamAt = valueEnd
		if end == jsontext.KindEndArray {
			c.width = max(c.width, i+1)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return 0, err
	}
	n := int(dec.InputOffset())
	c.seam(b[seamAt:n], -1)
	return n, nil
}

// open reads the bracket that opens a row and returns the one that closes it. All rows of a page must be of one kind, for
// columns have names in one and places in the other.
func (c *cutter) open(dec *jsontext.Decoder) (end jsontext.Kind, err error) {
	token, err := dec.ReadToken()
	if err != nil {
		return 0, err
	}
	switch kind := token.Kind(); {
	case kind == jsontext.KindBeginObject && c.width == 0:
		return jsontext.KindEndObject, nil
	case kind == jsontext.KindBeginArray && len(c.numbers) == 0:
		return jsontext.KindEndArray, nil
	case kind == jsontext.KindBeginObject, kind == jsontext.KindBeginArray:
		return 0, errors.New("is not of the kind of those before: arrays and objects are mixed")
	default:
		return 0, fmt.Errorf("is a %s", kind)
	}
}

// column returns the number of a name in quotes, negative if it is of no interest.
func (c *cutter) column(quoted jsontext.Value) (int, error) {
	if i, ok := c.numbers[string(quoted)]; ok { // no copy is made for a look-up
		return i, nil
	}
	if c.names += len(quoted); len(c.numbers) == maxColumns || c.names > maxValue {
		return 0, fmt.Errorf("makes more than %d columns, or names of over %d bytes", maxColumns, maxValue)
	}
	if c.numbers == nil {
		c.numbers = make(map[string]int)
	}
	i := -1
	text, _ := jsontext.AppendUnquote(nil, quoted) // its error says that invalid UTF-8 was replaced
	if name := string(text); c.resolve(name) >= 0 {
		i = len(c.columns)
		c.columns = append(c.columns, name)
	}
	c.numbers[string(quoted)] = i
	return i, nil
}

// value appends a cell that holds any valid value.
func (c *cutter) value(column int, value jsontext.Value) {
	k, text := isNested, []byte(value)
	switch value.Kind() {
	case jsontext.KindNull:
		return
	case jsontext.KindTrue:
		k = isTrue
	case jsontext.KindFalse:
		k = isFalse
	case jsontext.KindNumber:
		k = isNumber
	case jsontext.KindString:
		k, text = isString, text[1:len(text)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			c.text, _ = jsontext.AppendUnquote(c.text[:0], value) // its error says that invalid UTF-8 was replaced
			text = c.text
		}
	}
	c.block = appendCell(c.block, column, k, text)
}

func (c *cutter) seam(text []byte, column int) {
	c.between = append(c.between, text...)
	c.seams = append(c.seams, seam{len(c.between), column})
}
