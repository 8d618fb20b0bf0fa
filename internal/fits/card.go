package fits

import (
	"bytes"
	"strconv"
	"strings"
)

// valueKind is what stands in the value field of a card.
type valueKind byte

const (
	noValue    valueKind = iota // no value indicator: a comment
	undefined                   // a value indicator and nothing after it
	stringVal                   // token is between the quotes, quotes still doubled
	logicalVal                  // token is T or F
	numberVal                   // token is an integer, a real or a complex number
	badVal                      // none of these
)

// card is one parsed card image. The slices point into the block.
type card struct {
	name  []byte // without trailing blanks
	kind  valueKind
	token []byte
}

// validName says whether eight bytes are a keyword name: upper case letters, digits, hyphen and underscore, then blanks only.
func validName(b []byte) bool {
	n := len(bytes.TrimRight(b, " "))
	for _, c := range b[:n] {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func parseCard(img []byte) card {
	c := card{name: bytes.TrimRight(img[:8], " ")}
	switch string(c.name) {
	case "", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "END":
		return c
	}
	if img[8] != '=' || img[9] != ' ' {
		return c
	}
	c.kind, c.token = parseValue(img[10:])
	return c
}

// parseValue reads a value field in free format (standard 4.0, section 4.2).
func parseValue(b []byte) (valueKind, []byte) {
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 || b[0] == '/' {
		return undefined, nil
	}
	if b[0] == '\'' {
		return parseString(b[1:])
	}
	if b[0] == '(' {
		end := bytes.IndexByte(b, ')')
		if end < 0 || !commentFollows(b[end+1:]) {
			return badVal, nil
		}
		re, im, ok := bytes.Cut(b[1:end], []byte(","))
		if !ok || !isNumber(bytes.Trim(re, " ")) || !isNumber(bytes.Trim(im, " ")) {
			return badVal, nil
		}
		return numberVal, b[:end+1]
	}
	end := bytes.IndexAny(b, " /")
	if end < 0 {
		end = len(b)
	}
	token := b[:end]
	switch {
	case !commentFollows(b[end:]):
		return badVal, token
	case len(token) == 1 && (token[0] == 'T' || token[0] == 'F'):
		return logicalVal, token
	case isNumber(token):
		return numberVal, token
	}
	return badVal, token
}

func parseString(b []byte) (valueKind, []byte) {
	for i := 0; i < len(b); i++ {
		if b[i] != '\'' {
			continue
		}
		if i+1 < len(b) && b[i+1] == '\'' {
			i++
			continue
		}
		if !commentFollows(b[i+1:]) {
			return badVal, nil
		}
		return stringVal, b[:i]
	}
	return badVal, nil
}

// commentFollows says whether nothing, or blanks, or a comment stands after a value.
func commentFollows(b []byte) bool {
	b = bytes.TrimLeft(b, " ")
	return len(b) == 0 || b[0] == '/'
}

// isNumber accepts integers and reals with an E or D exponent; lower case exponents occur in practice and do no harm.
func isNumber(b []byte) bool {
	i := skipSign(b, 0)
	start := i
	i = skipDigits(b, i)
	digits := i - start
	if i < len(b) && b[i] == '.' {
		j := skipDigits(b, i+1)
		digits += j - i - 1
		i = j
	}
	if digits == 0 {
		return false
	}
	if i < len(b) && bytes.IndexByte([]byte("EDed"), b[i]) >= 0 {
		i = skipSign(b, i+1)
		j := skipDigits(b, i)
		if j == i {
			return false
		}
		i = j
	}
	return i == len(b)
}

func skipSign(b []byte, i int) int {
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// integer is the value of an integer card.
func (c card) integer() (int64, bool) {
	if c.kind != numberVal {
		return 0, false
	}
	v, err := strconv.ParseInt(string(c.token), 10, 64)
	return v, err == nil
}

// text is the value as Report.Header shows it: a string unquoted and without trailing blanks, anything else as written.
func (c card) text() string {
	if c.kind != stringVal {
		return string(c.token)
	}
	return strings.TrimRight(strings.ReplaceAll(string(c.token), "''", "'"), " ")
}

// fixedInteger reads a mandatory integer, which must be in fixed format: right-justified in columns 11 to 30 (section 4.2.3).
func fixedInteger(img []byte) (int64, bool) {
	if img[8] != '=' || img[9] != ' ' || !commentFollows(img[30:]) {
		return 0, false
	}
	field := bytes.TrimLeft(img[10:30], " ")
	v, err := strconv.ParseInt(string(field), 10, 64)
	return v, err == nil
}

// indexed splits a keyword such as NAXIS12 into its root and number; ok is false unless the number is 1 to 999 without
// leading zeros.
func indexed(name []byte, root string) (int, bool) {
	if len(name) <= len(root) || len(name) > len(root)+3 || string(name[:len(root)]) != root || name[len(root)] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range name[len(root):] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
