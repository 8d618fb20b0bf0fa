package manifest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strconv"
	"unicode/utf8"
)

// cursor reads one line in the only form that Encode writes. The first fault is kept in err and later calls do nothing.
type cursor struct {
	b    []byte
	i    int
	line int64
	err  error
}

func (c *cursor) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = &ParseError{Line: c.line, Field: field, Why: fmt.Sprintf(format, args...)}
	}
}

// rest is a short piece of what comes next, for messages.
func (c *cursor) rest() []byte { return c.b[c.i:min(len(c.b), c.i+40)] }

func (c *cursor) skip(s string) bool {
	if c.err != nil || len(c.b)-c.i < len(s) || string(c.b[c.i:c.i+len(s)]) != s {
		return false
	}
	c.i += len(s)
	return true
}

// literal takes exactly s.
func (c *cursor) literal(field, s string) {
	if c.err == nil && !c.skip(s) {
		c.fail(field, "%q where %q must stand", c.rest(), s)
	}
}

// key takes `{"name":` or `,"name":`.
func (c *cursor) key(before, name string) {
	start := c.i
	if c.skip(before) && c.skip(`"`) && c.skip(name) && c.skip(`":`) {
		return
	}
	c.i = start
	c.fail(name, "%q where this key must stand", c.rest())
}

func (c *cursor) null() bool { return c.skip("null") }

func (c *cursor) boolean(field string) bool {
	if c.skip("true") {
		return true
	}
	c.literal(field, "false")
	return false
}

// integer takes a decimal number without leading zeros that fits an int64.
func (c *cursor) integer(field string) int64 {
	if c.err != nil {
		return 0
	}
	end := c.i
	for end < len(c.b) && (c.b[end] >= '0' && c.b[end] <= '9' || c.b[end] == '-') {
		end++
	}
	word := c.b[c.i:end]
	v, err := strconv.ParseInt(string(word), 10, 64)
	var again [20]byte
	if err != nil || !bytes.Equal(strconv.AppendInt(again[:0], v, 10), word) {
		c.fail(field, "not an integer: %q", c.rest())
		return 0
	}
	c.i = end
	return v
}

// text takes a string in canonical form. The bytes may be part of the line.
func (c *cursor) text(field string) []byte {
	start := c.i
	if !c.skip(`"`) {
		c.fail(field, "not a string: %q", c.rest())
		return nil
	}
	plain := true
	for i := c.i; i < len(c.b); i++ {
		switch ch := c.b[i]; {
		case ch == '"':
			body := c.b[c.i:i]
			c.i = i + 1
			if plain {
				return body
			}
			return c.decode(field, c.b[start:c.i])
		case ch == '\\':
			plain = false
			i++
		case ch < ' ' || ch >= utf8.RuneSelf:
			plain = false
		}
	}
	c.fail(field, "a string without an end")
	return nil
}

// decode reads a quoted string that is not plain ASCII and refuses any spelling but that of appendString.
func (c *cursor) decode(field string, quoted []byte) []byte {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil || !utf8.Valid(quoted) {
		c.fail(field, "not a string in UTF-8: %.80q", quoted)
		return nil
	}
	if !bytes.Equal(appendString(nil, s), quoted) {
		c.fail(field, "a string that is not in canonical form: %.80q", quoted)
		return nil
	}
	return []byte(s)
}

// optional takes null, returned as nil, or a string that is not empty.
func (c *cursor) optional(field string) []byte {
	if c.null() {
		return nil
	}
	s := c.text(field)
	if len(s) == 0 {
		c.fail(field, "an empty string where null must stand")
	}
	return s
}

// hex takes a string of exactly 2·len(to) lower-case hex digits.
func (c *cursor) hex(field string, to []byte) {
	s := c.text(field)
	if c.err != nil {
		return
	}
	if !isHex(string(s), 2*len(to)) {
		c.fail(field, "not %d lower-case hex digits: %.80q", 2*len(to), s)
		return
	}
	_, _ = hex.Decode(to, s) // cannot fail: isHex holds
}

// list takes an array of strings; the empty one is nil.
func (c *cursor) list(field string, names *interner) []string {
	c.literal(field, "[")
	if c.err != nil || c.skip("]") {
		return nil
	}
	out := make([]string, 0, 2)
	for c.err == nil {
		out = append(out, names.get(c.text(field)))
		if c.skip("]") {
			break
		}
		c.literal(field, ",")
	}
	return out
}

// interner keeps one copy of values that many entries share. It holds the last one of each slot, so that its size is bounded
// whatever it is given.
type interner struct {
	seed  maphash.Seed
	slots [4096]string
}

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

func (m *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	slot := &m.slots[maphash.Bytes(m.seed, b)%uint64(len(m.slots))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
