package mast

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// DefaultBaseURL is the archive that is asked when Config.BaseURL is empty.
const DefaultBaseURL = "https://mast.stsci.edu"

const (
	defaultTimeout       = 600 * time.Second
	defaultHeaderTimeout = 60 * time.Second
	defaultRetryFor      = 2 * time.Minute
	defaultPollEvery     = time.Second
	defaultPageSize      = 400_000
	defaultMaxReply      = 1 << 30
	defaultConnections   = 4
	defaultUserAgent     = "jwstbulk"
)

// Config configures a Client. The zero value asks the real archive anonymously.
type Config struct {
	// BaseURL is the archive's address, with or without a path prefix; "" means DefaultBaseURL.
	BaseURL string
	// Token is the user's token; the zero Token means anonymous.
	Token Token
	// TokenFor names the one origin ("https://host[:port]") the token may be sent to although it is neither below
	// stsci.edu nor on the loopback interface. It must be the origin of BaseURL to have an effect.
	TokenFor string
	// UserAgent identifies the tool to the archive; "" means "jwstbulk".
	UserAgent string
	// Spool is the directory for replies under way; "" means os.TempDir(). Files in it have mode 0600 and lose their
	// names at once, so that a killed process leaves nothing behind.
	Spool string
	// Timeout bounds one page of a metadata query with all its polls and retries; 0 means 600 s.
	Timeout time.Duration
	// HeaderTimeout bounds the wait for the headers of a file; 0 means 60 s.
	HeaderTimeout time.Duration
	// RetryFor bounds the time spent retrying one metadata request after temporary errors; 0 means 2 min. Until the
	// archive has answered once it is 20 s at most.
	RetryFor time.Duration
	// PollEvery is the least time between two polls of a running query; 0 means 1 s. The archive itself holds a poll
	// for some 20 s.
	PollEvery time.Duration
	// PageSize is the number of rows asked for in one page; 0 means 400,000. Pages beyond about 500,000 rows are cut by
	// the archive with a connection reset.
	PageSize int
	// MaxReply is the largest page that is accepted, in bytes; 0 means 1 GiB. A larger one is ErrTooLarge.
	MaxReply int64
	// Connections is the number of file downloads at a time; it sizes the connection pool. 0 means 4.
	Connections int
	// AllowHosts are further host names that redirects of downloads may lead to, beside the archive's own host, hosts
	// below stsci.edu and the public bucket.
	AllowHosts []string
	// Limiter, if not nil, is waited on before every request, of metadata and of files.
	Limiter Limiter
	// OnRequest, if not nil, is told of every request after its headers came or it failed. It is called from the
	// goroutine that made the request and must be quick and safe for concurrent use.
	OnRequest func(RequestInfo)
	// Transport replaces the network, for tests; nil means HTTP/1.1 with proxies from the environment.
	Transport http.RoundTripper
	// Logger gets one Debug line a request and one Warn line a retry; nil means none.
	Logger *slog.Logger
	// Now is the clock for dates; nil means time.Now.
	Now func() time.Time
}

// Limiter delays requests; *rate.Limiter of golang.org/x/time/rate is one.
type Limiter interface {
	// Wait blocks until a request may be made, or returns an error when ctx ends first.
	Wait(ctx context.Context) error
}

// RequestInfo describes one HTTP request that was made.
type RequestInfo struct {
	Op         string // what it was for: "Mast.Caom.Products", "download", …
	Method     string
	URL        string // redacted
	Status     int    // 0 if no reply came
	Elapsed    time.Duration
	RetryAfter time.Duration // what the server asked for; 0 if nothing
	Err        error         // why no reply came
}
