package mast

import (
	"errors"
	"time"
)

// Errors that callers branch on; all are reached with errors.Is through *Error.
var (
	// ErrTimeout is returned by metadata calls that were not answered within Config.Timeout or got 504, and by Open when
	// no headers came in time. Metadata calls do not retry it: ask for less.
	ErrTimeout = errors.New("no answer in time")
	// ErrService is returned by metadata calls when the archive's query service answers ERROR; the service's words are
	// in Error.Message. It is not retried: ask for less.
	ErrService = errors.New("the archive's query service reported an error")
	// ErrProtocol is returned for replies that break HTTP or the archive's own conventions: a 206 for another range, a
	// multi-part reply, JSON that is none.
	ErrProtocol = errors.New("reply breaks the protocol")
	// ErrShort is returned by metadata calls whose reply ended early or held fewer rows than it announced.
	ErrShort = errors.New("reply is incomplete")
	// ErrTooLarge is returned by metadata calls whose reply exceeds Config.MaxReply, or whose row exceeds 4 MiB.
	ErrTooLarge = errors.New("reply is too large")
	// ErrEncoding is returned by Open for a body in a content coding that was not asked for.
	ErrEncoding = errors.New("body has a content coding that was not asked for")
	// ErrHTML is returned for a web page where a file or JSON was asked for.
	ErrHTML = errors.New("got a web page")
	// ErrRedirect is returned for redirects that are not followed: too many, to a host not allowed, from https to http.
	ErrRedirect = errors.New("redirect refused")
	// ErrCertificate is returned when the server's certificate cannot be verified.
	ErrCertificate = errors.New("the server's certificate cannot be verified")
)

// Error is a failed request to the archive. It never contains the token, and its texts are free of control characters.
type Error struct {
	Op         string        // what was tried: "Mast.Caom.Products", "download", …
	URL        string        // redacted
	Status     int           // HTTP status; 0 if there was no reply
	Message    string        // what the server said, at most 512 bytes; "" if nothing
	RetryAfter time.Duration // how long the server asked to wait; 0 if it did not
	Err        error         // a sentinel of this package, a network error or the context's error; may be nil
}

// RangeError is returned by Open when the server answers 416: there are no bytes at the offset asked for. It unwraps to
// the *Error.
type RangeError struct {
	Total int64 // the length the server states in its Content-Range; -1 if it states none
	Err   *Error
}
