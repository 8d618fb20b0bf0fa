package masttest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// column is one column of a table of T. get returns nil, string, int64, float64, bool, ident or time.Time.
type column[T any] struct {
	name, typ string
	get       func(*T) any
}

// ident is an id that older replies sent as a number and newer ones as a string.
type ident int64

// grid is a page of a result.
type grid struct {
	names, types []string
	total        int // rows of all pages
	rows         int // rows of this page
	// each calls yield with a function that appends cell i of the row as JSON; it stops when yield returns false.
	each func(yield func(appendCell func(b []byte, i int) []byte) bool)
}

// appendValue appends a cell as JSON.
func appendValue(b []byte, v any, numericIDs bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case bool:
		return strconv.AppendBool(b, v)
	case ident:
		return appendIdent(b, int64(v), numericIDs)
	case time.Time:
		b = append(b, `"/Date(`...)
		b = strconv.AppendInt(b, v.UnixMilli(), 10)
		return append(b, `)/"`...)
	}
	return append(b, "null"...) // cannot happen: get returns nothing else
}

func appendIdent(b []byte, id int64, numeric bool) []byte {
	if numeric {
		return strconv.AppendInt(b, id, 10)
	}
	b = append(b, '"')
	b = strconv.AppendInt(b, id, 10)
	return append(b, '"')
}

// appendString appends a JSON string. Names are plain ASCII nearly always, so that is the fast way.
func appendString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// text is a cell as the server compares it with a discrete value.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case ident:
		return strconv.FormatInt(int64(v), 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000"), true
	}
	return "", false
}

// number is a cell as the server compares it with a range.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case ident:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// like matches a text with a pattern in which % stands for any characters; case does not matter.
func like(pattern, s string) bool {
	parts := strings.Split(strings.ToLower(pattern), "%")
	s = strings.ToLower(s)
	if len(parts) == 1 {
		return s == parts[0]
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
