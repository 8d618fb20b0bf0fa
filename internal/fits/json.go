package fits

import "encoding/json"

// jsonState is what may come next in a JSON text (RFC 8259).
type jsonState byte

const (
	wantValue      jsonState = iota // a value
	wantValueOrEnd                  // after [
	wantKeyOrEnd                    // after {
	wantKey                         // after a comma in an object
	wantColon
	wantNext // a comma or the end of the array or object
	inString
	inEscape
	inHex // the digits of \uXXXX
	inToken
	atEnd // after the one value of the text
)

const (
	maxDepth      = 1000
	maxToken      = 400
	byteOrderMark = "\xef\xbb\xbf"
)

// jsonScan accepts exactly one JSON value with blanks around it, plus NaN and Infinity as Python's json module writes them
// (noted). It keeps the open brackets and the current number or literal only.
type jsonScan struct {
	state  jsonState
	stack  []byte // '{' or '['
	key    bool   // the string under way is a key
	hex    int
	token  []byte
	python bool
	mark   int // bytes of a byte order mark met at the very beginning
}

func (s *jsonScan) feed(p []byte, offset int64) (int64, string) {
	for len(p) > 0 && s.mark < len(byteOrderMark) && offset == int64(s.mark) && p[0] == byteOrderMark[s.mark] {
		s.mark++
		p, offset = p[1:], offset+1
	}
	if len(p) > 0 && (s.mark == 1 || s.mark == 2) {
		return offset, "not JSON: begins with a part of a byte order mark"
	}
	for i := 0; i < len(p); i++ {
		if s.state == inString {
			i += stringRun(p[i:])
			if i == len(p) {
				break
			}
		}
		if why := s.step(p[i]); why != "" {
			return offset + int64(i), "not JSON: " + why
		}
	}
	return 0, ""
}

// stringRun is the number of bytes that are plain text of a string.
func stringRun(p []byte) int {
	for i, b := range p {
		if b == '"' || b == '\\' || b < ' ' {
			return i
		}
	}
	return len(p)
}

func (s *jsonScan) step(b byte) string {
	switch s.state {
	case inString, inEscape, inHex:
		return s.stepString(b)
	case inToken:
		if tokenByte(b) {
			return s.addToken(b)
		}
		if why := s.endToken(); why != "" {
			return why
		}
	}
	if b == ' ' || b == '\t' || b == '\n' || b == '\r' {
		return ""
	}
	switch s.state {
	case wantColon:
		if b == ':' {
			s.state = wantValue
			return ""
		}
	case wantNext:
		return s.next(b)
	case wantKey, wantKeyOrEnd:
		if b == '"' {
			s.state, s.key = inString, true
			return ""
		}
		if b == '}' && s.state == wantKeyOrEnd {
			return s.pop('{')
		}
	case wantValue, wantValueOrEnd:
		if b == ']' && s.state == wantValueOrEnd {
			return s.pop('[')
		}
		return s.value(b)
	}
	return "unexpected " + quote([]byte{b})
}

func (s *jsonScan) value(b byte) string {
	switch {
	case b == '"':
		s.state, s.key = inString, false
	case b == '{' || b == '[':
		if len(s.stack) == maxDepth {
			return "nested too deeply"
		}
		s.stack = append(s.stack, b)
		s.state = wantKeyOrEnd
		if b == '[' {
			s.state = wantValueOrEnd
		}
	case tokenByte(b):
		s.state = inToken
		s.token = append(s.token[:0], b)
	default:
		return "unexpected " + quote([]byte{b})
	}
	return ""
}

func (s *jsonScan) next(b byte) string {
	top := s.stack[len(s.stack)-1] // wantNext is only entered inside an array or object
	switch {
	case b == ',' && top == '{':
		s.state = wantKey
	case b == ',':
		s.state = wantValue
	case b == '}':
		return s.pop('{')
	case b == ']':
		return s.pop('[')
	default:
		return "unexpected " + quote([]byte{b})
	}
	return ""
}

func (s *jsonScan) pop(open byte) string {
	if s.stack[len(s.stack)-1] != open {
		return "brackets do not match"
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.closeValue()
	return ""
}

func (s *jsonScan) closeValue() {
	s.state = wantNext
	if len(s.stack) == 0 {
		s.state = atEnd
	}
}

func (s *jsonScan) stepString(b byte) string {
	switch {
	case b < ' ':
		return "a control character in a string"
	case s.state == inEscape:
		switch b {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			s.state = inString
		case 'u':
			s.state, s.hex = inHex, 0
		default:
			return "unknown escape in a string"
		}
	case s.state == inHex:
		if !(b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f') {
			return "unknown escape in a string"
		}
		if s.hex++; s.hex == 4 {
			s.state = inString
		}
	case b == '\\':
		s.state = inEscape
	case b == '"' && s.key:
		s.state = wantColon
	case b == '"':
		s.closeValue()
	}
	return ""
}

func tokenByte(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b == '+' || b == '-' || b == '.'
}

func (s *jsonScan) addToken(b byte) string {
	if len(s.token) == maxToken {
		return "a number or literal that does not end"
	}
	s.token = append(s.token, b)
	return ""
}

func (s *jsonScan) endToken() string {
	switch string(s.token) {
	case "NaN", "Infinity", "-Infinity":
		s.python = true
	default:
		if !json.Valid(s.token) {
			return "unknown value " + quote(s.token)
		}
	}
	s.closeValue()
	return ""
}

func (s *jsonScan) end(int64) (string, bool, []string) {
	if s.state == inToken {
		if why := s.endToken(); why != "" {
			return "not JSON: " + why, false, nil
		}
	}
	if s.state != atEnd {
		return "the JSON text is not complete", true, nil
	}
	if s.python {
		return "", false, []string{"NaN or Infinity, which only Python reads as JSON"}
	}
	return "", false, nil
}
