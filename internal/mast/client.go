package mast

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Client speaks to one archive. It is safe for concurrent use; metadata requests queue behind each other.
type Client struct{ cfg Config }

// New returns a Client.
func New(cfg Config) (*Client, error) { return &Client{cfg}, nil }

// Close drops idle connections.
func (c *Client) Close() {}

var errUnbuilt = errors.ErrUnsupported

func (c *Client) Count(ctx context.Context, q Query) (int64, error)         { return 0, errUnbuilt }
func (c *Client) Observations(ctx context.Context, q Query) (*Reply, error) { return nil, errUnbuilt }
func (c *Client) Products(ctx context.Context, obsids []int64) (*Reply, error) {
	return nil, errUnbuilt
}
func (c *Client) Keywords(ctx context.Context, service string, q Query) (*Reply, error) {
	return nil, errUnbuilt
}
func (c *Client) CountKeywords(ctx context.Context, service string, q Query) (int64, error) {
	return 0, errUnbuilt
}
func (c *Client) FileKeywords(ctx context.Context, uri string) (KeywordRow, error) {
	return KeywordRow{}, errUnbuilt
}
func (c *Client) Columns(ctx context.Context, configID string) (map[string]Column, error) {
	return nil, errUnbuilt
}
func (c *Client) Lookup(ctx context.Context, name string) (ra, dec float64, canonical string, err error) {
	return 0, 0, "", errUnbuilt
}
func (c *Client) WhoAmI(ctx context.Context) (Identity, error) { return Identity{}, errUnbuilt }
func (c *Client) CloudPaths(ctx context.Context, uris []string) (map[string]CloudPath, error) {
	return nil, errUnbuilt
}
func (c *Client) Open(ctx context.Context, uri string, from int64, v Validator) (*Body, error) {
	return nil, errUnbuilt
}

// Column describes a column of a service.
type Column struct {
	Name, Title, Type, Unit, Separator, Description, Example string
	Numeric                                                  bool
}

// Identity is who the archive takes the token's bearer for.
type Identity struct {
	Anonymous bool
	Name, ID  string
}

// CloudPath is where a file is in the public bucket.
type CloudPath struct {
	Status int
	Key    string
}

// Reply is a complete reply, spooled on disk.
type Reply struct{}

func (r *Reply) Rows() int64                                 { return 0 }
func (r *Reply) Requests() int                               { return 0 }
func (r *Reply) Bytes() int64                                { return 0 }
func (r *Reply) Elapsed() time.Duration                      { return 0 }
func (r *Reply) Close() error                                { return nil }
func (r *Reply) Observations() iter.Seq2[Observation, error] { return nil }
func (r *Reply) Products() iter.Seq2[Product, error]         { return nil }
func (r *Reply) KeywordRows() iter.Seq2[KeywordRow, error]   { return nil }
func (r *Reply) Each() iter.Seq2[Row, error]                 { return nil }

// Row is a row of any service.
type Row struct{}

func (r Row) Columns() []string                    { return nil }
func (r Row) Text(column string) string            { return "" }
func (r Row) Float(column string) (float64, bool)  { return 0, false }
func (r Row) Int(column string) (int64, bool)      { return 0, false }
func (r Row) Bool(column string) (bool, bool)      { return false, false }
func (r Row) Time(column string) (time.Time, bool) { return time.Time{}, false }

// Validator is what a server said of the version of a file (RFC 9110 section 8.8).
type Validator struct{ ETag, LastModified, Date string }

func (v Validator) Strong() string { return "" }

// Body is an open file.
type Body struct {
	io.ReadCloser
	From           int64
	Total          int64
	Validator      Validator
	ContentType    string
	SHA256         []byte
	Chunked        bool
	CloseDelimited bool
	Changed        bool
}

func (e *Error) Error() string      { return "" }
func (e *Error) Unwrap() error      { return e.Err }
func (e *Error) Is(error) bool      { return false }
func (e *Error) Temporary() bool    { return false }
func (e *RangeError) Error() string { return "" }
func (e *RangeError) Unwrap() error { return e.Err }

// RedactURL returns raw without what may be secret.
func RedactURL(raw string) string { return raw }

// Printable makes server text safe for terminals, at most max bytes.
func Printable(text string, max int) string { return text }
