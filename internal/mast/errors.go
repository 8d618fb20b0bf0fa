package mast

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	// ErrHTML is returned for a web page where a FITS file, an image or JSON was asked for.
	ErrHTML = errors.New("got a web page")
	// ErrRedirect is returned for redirects that are not followed: too many, to a host not allowed, from https to http.
	ErrRedirect = errors.New("redirect refused")
	// ErrCertificate is returned when the server's certificate cannot be verified.
	ErrCertificate = errors.New("the server's certificate cannot be verified (SSL_CERT_FILE names another set of authorities)")
	// ErrInput is returned for arguments that cannot be asked of the archive; no request was made.
	ErrInput = errors.New("cannot ask this")
)

// Error is a failed request to the archive. It never contains the token, and its texts are free of control characters.
type Error struct {
	Op         string        // what was tried: "Mast.Caom.Products", "download", …
	URL        string        // redacted; "" if no request was made
	Status     int           // HTTP status; 0 if there was no reply
	Message    string        // what the server said, at most 512 bytes; "" if nothing
	Code       string        // what an S3 server calls the error, such as NoSuchKey; "" from others
	RetryAfter time.Duration // how long the server asked to wait; 0 if it did not
	Err        error         // a sentinel of this package, a network error or the context's error; may be nil

	final bool // the caller's context ended while a temporary error was being retried
}

// Error says what was tried, where, and what came of it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("asking for " + e.Op)
	if e.URL != "" {
		b.WriteString(" at " + e.URL)
	}
	if e.Status != 0 && (e.Status >= 300 || e.Err == nil) {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
		if text := http.StatusText(e.Status); text != "" {
			b.WriteString(" " + text)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + Printable(e.Err.Error(), maxMessage))
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %q", e.Message)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports 404 and 410 as fs.ErrNotExist, 401 and 403 as fs.ErrPermission, and 504 as ErrTimeout.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Status == http.StatusNotFound || e.Status == http.StatusGone
	case fs.ErrPermission:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	case ErrTimeout:
		return e.Status == http.StatusGatewayTimeout
	}
	return false
}

// Temporary reports whether the same request may well succeed a little later: no connection, a connection that broke, a
// time-out, 408, 425, 429, 5xx, an incomplete reply, a web page in place of data, a refused redirect (both are what
// maintenance and captive portals look like). Certificates that cannot be verified, errors of the query service, broken
// protocol and a cancelled context are not temporary.
func (e *Error) Temporary() bool {
	switch {
	case e.final, e.Err == context.DeadlineExceeded: // the caller's; time-outs of connections are like it to errors.Is
		return false
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, ErrCertificate), errors.Is(e.Err, ErrService),
		errors.Is(e.Err, ErrProtocol), errors.Is(e.Err, ErrEncoding), errors.Is(e.Err, ErrTooLarge),
		errors.Is(e.Err, ErrInput):
		return false
	case errors.Is(e.Err, ErrTimeout), errors.Is(e.Err, ErrShort), errors.Is(e.Err, ErrHTML),
		errors.Is(e.Err, ErrRedirect):
		return true
	}
	switch e.Status {
	case 0:
		var local *fs.PathError // the spool's disk, not the network
		return e.Err != nil && !errors.As(e.Err, &local)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// RangeError is returned by Open when the server answers 416: there are no bytes at the offset asked for. It unwraps to
// the *Error.
type RangeError struct {
	Total int64 // the length the server states in its Content-Range; -1 if it states none
	Err   *Error
}

// Error says how long the file is as far as the server says.
func (e *RangeError) Error() string {
	if e.Total < 0 {
		return e.Err.Error() + ": offset is not in the file"
	}
	return fmt.Sprintf("%s: offset is not in the file of %d bytes", e.Err.Error(), e.Total)
}

// Unwrap returns the *Error.
func (e *RangeError) Unwrap() error { return e.Err }

// networkError sorts the error of a round trip or of reading a reply; it drops the URL that *url.Error carries.
func networkError(ctx context.Context, err error) error {
	var uerr *url.Error
	for errors.As(err, &uerr) {
		err = uerr.Err
	}
	if ended := ctx.Err(); ended != nil {
		switch cause := context.Cause(ctx); cause {
		case ErrTimeout, ended: // ErrTimeout is the cause of the deadlines set here
			return cause
		default:
			return fmt.Errorf("%w: %w", ended, cause)
		}
	}
	if isCertificate(err) {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return err
}

// lateError marks time-outs of a file's connection and headers as ErrTimeout. Metadata requests have no such time-outs:
// they are bounded as a whole, and a connection that timed out is one that broke.
func lateError(err error) error {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() && !errors.Is(err, ErrTimeout) && err != context.DeadlineExceeded {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

func isCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
