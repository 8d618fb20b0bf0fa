package mast

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Validator is what a server said of the version of a file (RFC 9110 section 8.8), exactly as sent; "" if it did not.
type Validator struct {
	ETag         string
	LastModified string
	Date         string // the Date of the reply that carried the other two
}

// Strong returns the value for If-Range that proves a part and a file to be the same version, "" if there is none
// (RFC 9110 section 13.1.5): the entity tag if it is strong; if there is no entity tag at all, the Last-Modified date if
// it lies at least a second before the Date of its reply (section 8.8.2.2). A weak or malformed tag is never used, and
// forbids the date too.
func (v Validator) Strong() string {
	if v.ETag != "" {
		if strongTag(v.ETag) {
			return v.ETag
		}
		return ""
	}
	modified, err := http.ParseTime(v.LastModified)
	if err != nil {
		return ""
	}
	date, err := http.ParseTime(v.Date)
	if err != nil || date.Sub(modified) < time.Second {
		return ""
	}
	return v.LastModified
}

// strongTag checks the grammar of RFC 9110 section 8.8.3: a quoted string of etagc characters.
func strongTag(tag string) bool {
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return false
	}
	for i := 1; i < len(tag)-1; i++ {
		if c := tag[i]; c != 0x21 && (c < 0x23 || c == 0x7f) {
			return false
		}
	}
	return true
}

func validatorOf(h http.Header) Validator {
	return Validator{ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified"), Date: h.Get("Date")}
}

// contentRange is a Content-Range in bytes (RFC 9110 section 14.4): first-last/total, or */total when unsatisfied.
type contentRange struct {
	first, last int64 // -1 when unsatisfied
	total       int64 // -1 when "*"
}

var errContentRange = errors.New("malformed Content-Range")

// parseContentRange accepts only what the grammar allows, with 0 <= first <= last < total. A range that is neither
// satisfied nor states a total ("*/*") is an error.
func parseContentRange(text string) (contentRange, error) {
	unit, rest, ok := strings.Cut(text, " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return contentRange{}, fmt.Errorf("%w %q", errContentRange, Printable(text, 80))
	}
	span, total, ok := strings.Cut(rest, "/")
	cr := contentRange{first: -1, last: -1, total: -1}
	if ok && total != "*" {
		cr.total, ok = parseLength(total)
	}
	if ok && span != "*" {
		first, last, dash := strings.Cut(span, "-")
		var okFirst, okLast bool
		cr.first, okFirst = parseLength(first)
		cr.last, okLast = parseLength(last)
		ok = dash && okFirst && okLast && cr.first <= cr.last && (cr.total < 0 || cr.last < cr.total)
	} else if cr.total < 0 {
		ok = false
	}
	if !ok {
		return contentRange{}, fmt.Errorf("%w %q", errContentRange, Printable(text, 80))
	}
	return cr, nil
}

// parseLength parses 1*DIGIT; ParseInt alone would take signs.
func parseLength(text string) (int64, bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// maxRetryAfter keeps durations from overflowing; how long a wait is worth while is the caller's decision.
const maxRetryAfter = 366 * 24 * time.Hour

// parseRetryAfter returns how long to wait by a Retry-After header (RFC 9110 section 10.2.3), 0 if it is absent or
// malformed. A date counts from the reply's own Date, so that a wrong local clock does not matter, else from now; as
// dates have a grain of one second, one is added.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	wait := at.Sub(now)
	if wait <= 0 {
		return 0
	}
	if wait > maxRetryAfter {
		return maxRetryAfter
	}
	return (wait + time.Second - 1).Truncate(time.Second) + time.Second
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && media == "" {
		media, _, _ = strings.Cut(h.Get("Content-Type"), ";")
	}
	return strings.ToLower(strings.TrimSpace(media))
}

func isHTML(media string) bool { return media == "text/html" || media == "application/xhtml+xml" }

// isBinary reports whether a file of this name is of a kind that no server takes for a web page. Text files are: the archive
// is known to send JSON as text/html, and what they hold is for the reader of the body to judge.
func isBinary(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch path.Ext(name) {
	case ".fits", ".jpg", ".jpeg", ".png", ".gif", ".pdf", ".zip", ".tar", ".asdf":
		return true
	}
	return false
}

// encoded returns the content coding of a reply, "" for none.
func encoded(h http.Header) string {
	for _, value := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding != "" && coding != "identity" {
				return coding
			}
		}
	}
	return ""
}
