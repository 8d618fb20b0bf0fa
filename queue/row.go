package queue

import (
	"database/sql/driver"
	"encoding/hex"
	"strings"
	"time"
)

// row reads the columns of a result; NULL reads as the zero value.
type row []driver.Value

func (r row) int(i int) int64 {
	n, _ := r[i].(int64)
	return n
}

// intOr reads NULL as or.
func (r row) intOr(i int, or int64) int64 {
	if n, ok := r[i].(int64); ok {
		return n
	}
	return or
}

func (r row) str(i int) string {
	switch v := r[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// blob copies; NULL is nil.
func (r row) blob(i int) []byte {
	if b, ok := r[i].([]byte); ok {
		return append([]byte(nil), b...)
	}
	if s, ok := r[i].(string); ok {
		return []byte(s)
	}
	return nil
}

func (r row) time(i int) time.Time {
	if ms, ok := r[i].(int64); ok {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// httpDate reads what packDate stored.
func (r row) httpDate(i int) string {
	if s, ok := r[i].(int64); ok {
		return time.Unix(s, 0).UTC().Format(httpTime)
	}
	return r.str(i)
}

// httpTime is the preferred form of RFC 9110 section 5.6.7.
const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"

// packDate stores a date of the preferred form in four bytes instead of twenty-nine, and anything else as sent.
func packDate(s string) any {
	if s == "" {
		return nil
	}
	if t, err := time.Parse(httpTime, s); err == nil && t.Format(httpTime) == s {
		return t.Unix()
	}
	return s
}

// stampTime is the usual form of a FITS date (FITS standard 4.0, section 9.1.1).
const stampTime = "2006-01-02T15:04:05.000"

// packStamp does for the DATE keyword what packDate does for dates of HTTP.
func packStamp(s string) any {
	if t, err := time.Parse(stampTime, s); err == nil && t.Format(stampTime) == s {
		return t.UnixMilli()
	}
	return s
}

// stamp reads what packStamp stored.
func (r row) stamp(i int) string {
	if ms, ok := r[i].(int64); ok {
		return time.UnixMilli(ms).UTC().Format(stampTime)
	}
	return r.str(i)
}

// packETag stores an entity tag of 32 hex digits, the usual one of object stores, in 16 bytes, and others as sent.
func packETag(s string) any {
	if len(s) == 34 && s[0] == '"' && s[33] == '"' && strings.ToLower(s) == s {
		if b, err := hex.DecodeString(s[1:33]); err == nil {
			return b
		}
	}
	return orNull(s)
}

// etag reads what packETag stored.
func (r row) etag(i int) string {
	if b, ok := r[i].([]byte); ok {
		return `"` + hex.EncodeToString(b) + `"`
	}
	return r.str(i)
}

// millis stores a time; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// known stores a size; a negative one is NULL.
func known(n int64) any {
	if n < 0 {
		return nil
	}
	return n
}

// orNull stores "" as NULL.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// bytesOrNull stores an empty slice as NULL. A nil []byte in an any would be no nil any.
func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// idOrNull stores 0 as NULL.
func idOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
