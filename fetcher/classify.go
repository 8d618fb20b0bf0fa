package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// class says what an error of an attempt means for the file, the host, the disk and the run.
type class int

const (
	classRetry  class = iota // try again after a backoff; counts only if the attempt made no progress
	classOutage              // the host cannot be reached: retry, and nobody is to blame but the network
	classLater               // 404 and 410: try again after hours
	classAuth                // 401 and 403: whoami decides between parked and denied
	classFail                // will not heal by itself
	classGate                // local resources are short: everybody waits
	classStop                // the run cannot go on
	classDrain               // we were asked to stop
)

func (c class) String() string {
	return [...]string{"retry", "outage", "later", "auth", "fail", "gate", "stop", "drain"}[c]
}

// verdict is the one judgement on an error; only classify makes it.
type verdict struct {
	class  class
	reason queue.Reason
	pause  time.Duration // the host asked everybody to wait that long; 0 if it did not
	advice string        // what the user can do; "" if nothing but wait
}

// classify sorts the error of an attempt. It looks at types and status codes, never at texts.
func classify(err error) verdict {
	var (
		failure  *failError
		unproven *unprovenError
		remote   *mast.Error
		out      *UnavailableError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errDrain):
		return verdict{class: classDrain}
	case errors.As(err, &failure):
		return verdict{class: classFail, reason: failure.reason, advice: failure.advice}
	case errors.As(err, &unproven):
		return verdict{class: classRetry, reason: unproven.reason}
	case errors.As(err, &out): // before what it wraps: the file it kept waiting is not to blame
		return verdict{class: classOutage, reason: queue.ReasonNetwork}
	case errors.Is(err, mast.ErrRedirect): // of one file its fault; of several an outage: a captive portal, an archive that moved
		return verdict{class: classRetry, reason: queue.ReasonNetwork,
			advice: "the archive redirects to a host that is not allowed; is there a log-in page in this network?"}
	case errors.As(err, &remote) && remote.Status >= 300: // before isStop: a refusal of the server is none of the disk
		return classifyStatus(remote)
	case isStop(err):
		return verdict{class: classStop}
	case isGate(err):
		return verdict{class: classGate}
	case errors.Is(err, errStalled), errors.Is(err, errRestart), errors.Is(err, errChanged), errors.Is(err, errShort),
		errors.Is(err, errNotAFile), errors.Is(err, errUnproven), errors.Is(err, mast.ErrHTML), errors.Is(err, mast.ErrProtocol),
		errors.Is(err, mast.ErrEncoding):
		return verdict{class: classRetry, reason: queue.ReasonTransient}
	case errors.Is(err, mast.ErrCertificate):
		return verdict{class: classOutage, reason: queue.ReasonNetwork,
			advice: "the server's certificate is not trusted here; set SSL_CERT_FILE to the site's CA bundle"}
	case isOutage(err):
		return verdict{class: classOutage, reason: queue.ReasonNetwork}
	}
	return verdict{class: classRetry, reason: queue.ReasonTransient}
}

// classifyStatus sorts an HTTP status that is not 200 or 206.
func classifyStatus(e *mast.Error) verdict {
	v := verdict{class: classRetry, reason: queue.ReasonTransient, pause: e.RetryAfter}
	switch s := e.Status; {
	case s == 401, s == 403:
		return verdict{class: classAuth, reason: queue.ReasonDenied}
	case s == 404, s == 410:
		return verdict{class: classLater, reason: queue.ReasonMissing,
			advice: "the archive lists it but does not serve it; after reprocessing this heals within a day or two, `jwstbulk retry` asks again"}
	case s == 407:
		return verdict{class: classOutage, reason: queue.ReasonNetwork,
			advice: "the proxy wants a password; put it into HTTPS_PROXY"}
	case s == 429:
		v.pause = max(v.pause, throttlePause)
		return v
	case s == 408, s == 425, s >= 500, s < 400:
		return v
	case s == 416:
		return v
	}
	return verdict{class: classFail, reason: queue.ReasonHTTP,
		advice: "the archive refuses the request for good; `jwstbulk retry` asks again"}
}

// throttled reports a host that is well, but asked too often.
func throttled(err error) bool {
	var remote *mast.Error
	return errors.As(err, &remote) && remote.Status == 429
}

// isGate reports errors of local resources that pass when somebody makes room.
func isGate(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isStop reports errors after which no file can be kept.
func isStop(err error) bool {
	var q *queueError
	if errors.As(err, &q) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EXDEV) {
		return true
	}
	var op *net.OpError // a firewall says EPERM or EACCES too
	return !errors.As(err, &op) && (errors.Is(err, syscall.EACCES) || errors.Is(err, fs.ErrPermission))
}

// isOutage reports that no conversation with the host came about, as when Wi-Fi is gone or a captive portal answers DNS.
func isOutage(err error) bool {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	if errors.As(err, &dns) {
		return true
	}
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect") {
		return true
	}
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ECONNREFUSED)
}

// Errors of an attempt that are not the network's.
var (
	errDrain    = errors.New("stopped on request")
	errStalled  = errors.New("no data for too long")
	errShort    = errors.New("the body ended early")
	errRestart  = errors.New("the part cannot be continued")
	errChanged  = errors.New("the file changed on the server")
	errNotAFile = errors.New("the server sent a page instead of the file")
	errUnproven = errors.New("the bytes are not proven")
)

// failError ends a file for a reason that a retry does not mend.
type failError struct {
	reason queue.Reason
	advice string
	err    error
}

func (e *failError) Error() string { return e.err.Error() }
func (e *failError) Unwrap() error { return e.err }

// queueError is a failed write to the queue: it always ends the run.
type queueError struct{ err error }

func (e *queueError) Error() string { return "recording progress: " + e.err.Error() }
func (e *queueError) Unwrap() error { return e.err }

// SizeError says that a body, a part or a statement of the archive has another length than expected. Bytes.
type SizeError struct {
	What      string // "reply", "body", …
	Got, Want int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, want %d", e.What, e.Got, e.Want)
}

// DigestError says that complete bytes are not those of the archive's checksum, or of the one that their source states.
// Hexadecimal digits.
type DigestError struct {
	Algorithm string
	Got, Want string
	By        string // the source that states it; "" for the archive's list
}

func (e *DigestError) Error() string {
	if e.By != "" {
		return fmt.Sprintf("%s is %s, %s states %s", e.Algorithm, e.Got, e.By, e.Want)
	}
	return fmt.Sprintf("%s is %s, the archive lists %s", e.Algorithm, e.Got, e.Want)
}

// describe is the sentence that `errors` shows for a failed attempt: what happened, then what to do.
func describe(err error, v verdict) string {
	text := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		text = strings.TrimSuffix(text, ": unexpected EOF") + ": the connection ended early"
	}
	if v.advice != "" {
		text += "; " + v.advice
	}
	return text
}

// outageError marks a failed request as part of an outage of the host, in which the file is not to blame.
type outageError struct{ err error }

func (e *outageError) Error() string { return e.err.Error() }
func (e *outageError) Unwrap() error { return e.err }

// asQueueError marks an error of the queue as one that ends the run, but for outcomes of older runs, which are dropped.
func asQueueError(err error) error {
	if err == nil || errors.Is(err, queue.ErrStale) || isGate(err) {
		return err
	}
	return &queueError{err}
}
