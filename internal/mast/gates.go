package mast

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// judge passes a reply that is no redirect through the gates on status and headers. It closes what it refuses.
func (o *opener) judge(resp *http.Response, u *url.URL, a attempt) (*Body, error) {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return nil, o.refused(resp, u, a)
	}
	body, err := accept(resp, a)
	if err == nil && o.s3 {
		body.Digests = s3Digests(resp.Header, resp.StatusCode == http.StatusOK)
	}
	if err != nil {
		_ = resp.Body.Close() // the reply is refused; a good connection more or less does not matter
		return nil, &Error{Op: a.op, URL: redactURL(u), Status: resp.StatusCode, Err: err}
	}
	return body, nil
}

// refused makes the error of a reply without a file.
func (o *opener) refused(resp *http.Response, u *url.URL, a attempt) error {
	e := o.cfg.statusError(resp, a.op, redactURL(u))
	if o.s3 {
		e.sayS3()
	}
	if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		if resp.StatusCode < 400 {
			e.Err = ErrProtocol // 204, 304, a redirect without Location: nothing here asked for those
		}
		return e
	}
	re := &RangeError{Total: -1, Err: e}
	if ranges := resp.Header.Values("Content-Range"); len(ranges) == 1 {
		if cr, err := parseContentRange(ranges[0]); err == nil && cr.first < 0 {
			re.Total = cr.total
		}
	}
	return re
}

// statusError takes what a refusing reply says, best effort, and closes it.
func (cfg *Config) statusError(resp *http.Response, op, where string) *Error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 8*maxMessage)) // the status decides; its text is a courtesy
	discard(resp.Body)
	return &Error{
		Op: op, URL: where, Status: resp.StatusCode, Message: cfg.message(string(text)),
		RetryAfter: parseRetryAfter(resp.Header, cfg.Now()),
	}
}

// markup are the tags of a page, and what is never shown of it.
var markup = regexp.MustCompile(`(?is)<(script|style)\b.*?</(script|style)>|<[^>]*>`)

// message makes a server's words fit for errors: short, printable, and without the token should the server echo it.
func (cfg *Config) message(text string) string {
	if head := strings.ToLower(strings.TrimSpace(text)); strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html") {
		text = markup.ReplaceAllString(text, " ") // of a page only its words say something
	}
	if !cfg.Token.IsZero() {
		text = strings.ReplaceAll(text, cfg.Token.secret, redacted)
	}
	return Printable(text, maxMessage)
}

// accept checks a 200 or 206 and describes its body.
func accept(resp *http.Response, a attempt) (*Body, error) {
	if coding := encoded(resp.Header); coding != "" {
		return nil, fmt.Errorf("%w: %q", ErrEncoding, Printable(coding, 40))
	}
	media := mediaType(resp.Header)
	if isHTML(media) && isBinary(a.name) {
		return nil, fmt.Errorf("%w instead of %q", ErrHTML, Printable(a.name, 255))
	}
	b := &Body{
		ReadCloser:  resp.Body,
		Length:      resp.ContentLength,
		Total:       resp.ContentLength,
		Validator:   validatorOf(resp.Header),
		ContentType: media,
		Digests:     Digests{SHA256: reprSHA256(resp.Header, resp.StatusCode == http.StatusOK)},
		Chunked:     len(resp.TransferEncoding) > 0,
	}
	b.CloseDelimited = b.Length < 0 && !b.Chunked
	if resp.StatusCode == http.StatusOK {
		b.Changed = a.from > 0
		return b, nil
	}
	cr, err := partOf(resp, media, a)
	if err != nil {
		return nil, err
	}
	b.From, b.Length, b.Total = cr.first, cr.last-cr.first+1, cr.total
	return b, nil
}

// partOf checks that a 206 continues the part held (RFC 9110 sections 14.4 and 15.3.7: the client must look).
func partOf(resp *http.Response, media string, a attempt) (contentRange, error) {
	var none contentRange
	ranges := resp.Header.Values("Content-Range")
	switch {
	case a.from == 0:
		return none, fmt.Errorf("%w: 206 although no range was asked for", ErrProtocol)
	case media == "multipart/byteranges":
		return none, fmt.Errorf("%w: several ranges although one was asked for", ErrProtocol)
	case len(ranges) != 1:
		return none, fmt.Errorf("%w: 206 with %d Content-Range headers", ErrProtocol, len(ranges))
	}
	cr, err := parseContentRange(ranges[0])
	switch {
	case err != nil:
		return none, fmt.Errorf("%w: %w", ErrProtocol, err)
	case cr.first != a.from:
		return none, fmt.Errorf("%w: 206 begins at byte %d, asked for %d", ErrProtocol, cr.first, a.from)
	case cr.total < 0:
		return none, fmt.Errorf("%w: 206 does not state the length of the file", ErrProtocol)
	case resp.ContentLength >= 0 && resp.ContentLength != cr.last-cr.first+1:
		return none, fmt.Errorf("%w: 206 of %d bytes for a range of %d", ErrProtocol, resp.ContentLength, cr.last-cr.first+1)
	}
	now := validatorOf(resp.Header)
	if differ(a.held.ETag, now.ETag) || differ(a.held.LastModified, now.LastModified) {
		return none, fmt.Errorf("%w: 206 is of another version of the file", ErrProtocol)
	}
	return cr, nil
}

// differ compares a stored header with the reply's; one that is absent on either side says nothing.
func differ(held, now string) bool { return held != "" && now != "" && held != now }
