package mast

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
)

const (
	maxHops     = 5
	maxLocation = 8 << 10
	maxDrain    = 64 << 10
)

// Body is an open file, whole or from an offset. Read returns io.ErrUnexpectedEOF where the connection ended before the
// announced length; a body that is CloseDelimited may end early without an error. The caller closes it.
type Body struct {
	io.ReadCloser
	// From is the offset of the first byte in the file: 0 after a 200, else what was asked for.
	From int64
	// Length is the number of bytes that Read will give, -1 if unknown.
	Length int64
	// Total is the length of the whole file as the server announces it, -1 if unknown.
	Total int64
	// Validator is the version served, to be stored and given to the next Open of this file.
	Validator Validator
	// ContentType is the media type in lower case, "" if there is none.
	ContentType string
	// Digests are of the whole file, as the server states them.
	Digests Digests
	// Chunked bodies end with a mark of their own, so that a cut is an error.
	Chunked bool
	// CloseDelimited bodies end when the connection does, so that a cut looks like the end.
	CloseDelimited bool
	// Changed says that bytes from an offset were asked for and the whole file came: it is another version, or the server
	// cannot continue. From is 0 then.
	Changed bool
}

// opener opens files of one source over HTTP. Which source, and whether a token goes with the request, is settled by the
// client's transport; the gates on status and headers are the same for all.
type opener struct {
	cfg   Config
	http  *http.Client
	hosts hostRule
	s3    bool // the source speaks S3: it states checksums when asked, and errors in its own words
}

func newOpener(cfg Config, transport http.RoundTripper, hosts hostRule) *opener {
	return &opener{cfg: cfg, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}, hosts: hosts}
}

// attempt is one try at a file.
type attempt struct {
	op   string
	name string // last component of the file's path: decides what content types are plausible
	from int64
	held Validator
}

// Open makes one attempt to open the file of an archive URI ("mast:JWST/product/…") at byte from. Nothing is retried.
//
// With from > 0 the rest is asked for, under the condition that the file is still the version of held if held is strong
// enough to prove it (Validator.Strong). If it is not, the rest is asked for unconditionally: only a caller who can
// prove the whole by a checksum may do that. A reply is accepted as the rest only if it is a 206 with one Content-Range
// that begins at from, states the total length, and agrees with Content-Length and with held; anything else is
// ErrProtocol. A 200 gives the whole file, with Changed set. A 416 is a *RangeError. A content coding is ErrEncoding, a
// web page instead of a FITS file, an image or an archive is ErrHTML. Redirects are followed, at most five, never from https to http, never to hosts
// that are not allowed, and the token does not go along. All errors are *Error or unwrap to one.
func (c *Client) Open(ctx context.Context, uri string, from int64, held Validator) (*Body, error) {
	op := "download"
	if uri == "" || from < 0 {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: file %q at offset %d", ErrInput, uri, from)}
	}
	u := *c.base
	u.Path += "/api/v0.1/Download/file"
	u.RawQuery = "uri=" + url.QueryEscape(uri)
	return c.files.open(ctx, &u, attempt{op: op, name: path.Base(uri), from: from, held: held})
}

// open follows redirects from u to the file and passes the final reply through the gates.
func (o *opener) open(ctx context.Context, u *url.URL, a attempt) (*Body, error) {
	visited := make(map[string]bool, maxHops+1)
	for hop := 0; ; hop++ {
		visited[u.String()] = true
		resp, err := o.send(ctx, u, a, hop > 0)
		if err != nil {
			return nil, &Error{Op: a.op, URL: redactURL(u), Err: lateError(err)}
		}
		location := o.location(u, resp)
		if location == "" {
			return o.judge(resp, u, a)
		}
		next, err := o.follow(u, location)
		discard(resp.Body)
		if err == nil && (hop == maxHops || visited[next.String()]) {
			err = fmt.Errorf("%w: loop or more than %d", ErrRedirect, maxHops)
		}
		if err != nil {
			return nil, &Error{Op: a.op, URL: redactURL(u), Status: resp.StatusCode, Err: err}
		}
		u = next
	}
}

func (o *opener) send(ctx context.Context, u *url.URL, a attempt, redirected bool) (*http.Response, error) {
	if redirected && !o.hosts.chosen(u) {
		at := originOf(u)
		ctx = guarded(ctx, at.host+":"+at.port)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: the address is malformed", ErrInput)
	}
	req.Header.Set("Accept-Encoding", "identity")
	if o.s3 {
		req.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
	}
	if a.from > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(a.from, 10)+"-")
		if strong := a.held.Strong(); strong != "" {
			req.Header.Set("If-Range", strong)
		}
	}
	return o.cfg.do(o.http, req, a.op)
}

// location returns where a redirect leads, "" if the reply is none.
func (o *opener) location(u *url.URL, resp *http.Response) string {
	switch {
	case isRedirect(resp):
		return resp.Header.Get("Location")
	case o.s3 && resp.StatusCode == http.StatusMovedPermanently:
		return inRegion(u, resp)
	}
	return ""
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// follow checks a Location and returns where it leads.
func (o *opener) follow(from *url.URL, location string) (*url.URL, error) {
	if len(location) > maxLocation {
		return nil, fmt.Errorf("%w: address of %d bytes", ErrRedirect, len(location))
	}
	next, err := from.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("%w: malformed address", ErrRedirect)
	}
	next.User, next.Fragment = nil, ""
	switch {
	case next.Scheme != "https" && next.Scheme != "http":
		err = fmt.Errorf("%w: scheme %q", ErrRedirect, Printable(next.Scheme, 20))
	case from.Scheme == "https" && next.Scheme == "http":
		err = fmt.Errorf("%w: from https to http", ErrRedirect)
	case !o.hosts.allows(next):
		err = fmt.Errorf("%w: host %q is not one of the archive's", ErrRedirect, Printable(next.Host, 80))
	}
	return next, err
}

// discard reads the rest of a body that is of no use, if it is small, so that the connection can be used again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // what fails here costs a connection at most
	_ = body.Close()
}
