package mast

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SetFirstRetry shortens the first wait between attempts at a metadata request.
func SetFirstRetry(c *Client, d time.Duration) { c.firstRetry = d }

// ParseContentRange is parseContentRange with its result in pieces.
func ParseContentRange(text string) (first, last, total int64, err error) {
	cr, err := parseContentRange(text)
	return cr.first, cr.last, cr.total, err
}

// ParseRetryAfter is parseRetryAfter.
func ParseRetryAfter(h http.Header, now time.Time) time.Duration { return parseRetryAfter(h, now) }

// PublicAddress is publicAddress.
func PublicAddress(address string) error { return publicAddress(address) }

// FileTransport returns the transport New makes for files.
func FileTransport(connections int, headerTimeout time.Duration) *http.Transport {
	return newTransport(connections, headerTimeout)
}

// RedirectAllowed tells whether a redirect from one address to another is followed for the archive at base.
func RedirectAllowed(base, from, to string) error {
	b, err := url.Parse(base)
	if err != nil {
		return err
	}
	f, err := url.Parse(from)
	if err != nil {
		return err
	}
	_, err = newOpener(Config{}, nil, archiveHosts(Config{}, b)).follow(f, to)
	return err
}

// BucketRedirect returns where a bucket's reply with these headers and this status leads from an address, "" if nowhere.
func BucketRedirect(address, key string, status int, header http.Header) (string, error) {
	b, err := NewBucket(Config{}, address)
	if err != nil {
		return "", err
	}
	u := *b.base
	u.Path += "/" + key
	to := b.files.location(&u, &http.Response{StatusCode: status, Header: header})
	if to == "" {
		return "", nil
	}
	next, err := b.files.follow(&u, to)
	return next.String(), err
}

// S3Digests is what an S3 server states in the headers of a whole reply or of a part.
var S3Digests = s3Digests

// Cut is a cutter whose rows can be looked at.
type Cut struct{ cutter }

// NewCut returns one that keeps all columns.
func NewCut() *Cut { return &Cut{cutter{resolve: anyColumn}} }

// ErrMore is errMore.
var ErrMore = errMore

// Row cuts the row at the front of b and returns its length, and each cell as name, kind and text, the name of an array's
// being its place.
func (c *Cut) Row(b []byte) (n int, cells []string, err error) {
	start := len(c.block)
	if n, err = c.row(b); err != nil {
		return 0, nil, err
	}
	names := c.columns
	for i := range c.width {
		names = append(names, strconv.Itoa(i))
	}
	all := make([]int, len(names))
	for i := range all {
		all[i] = i
	}
	row, rest, err := nextRow(c.block[start:], all, nil)
	if err != nil || len(rest) > 0 {
		return 0, nil, fmt.Errorf("%d bytes behind the row, %w", len(rest), err)
	}
	for _, cell := range row {
		cells = append(cells, fmt.Sprintf("%s %c %s", names[cell.column], "?snbb*"[cell.kind], cell.text()))
	}
	return n, cells, nil
}

// Follows tells whether b is cut without the JSON decoder.
func (c *Cut) Follows(b []byte) bool {
	_, ok := c.follow(b)
	return ok
}
