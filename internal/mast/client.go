package mast

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Client speaks to one archive. It is safe for concurrent use; metadata requests queue behind each other.
type Client struct {
	cfg   Config
	base  *url.URL
	meta  *http.Client
	files *opener
	turn  chan struct{} // holds one token: metadata requests are made one at a time
	idle  []func()

	firstRetry time.Duration
	answered   atomic.Bool // some reply came

	mu       sync.Mutex // guards resumeAt
	resumeAt time.Time  // no metadata request before
}

// New returns a Client for the archive of cfg. It makes no request. It refuses a token that may not be sent to the
// archive's origin: one that is neither https below stsci.edu nor on the loopback interface nor named by TokenFor.
func New(cfg Config) (*Client, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("configuring the archive client: %w", err)
	}
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("configuring the archive client: %w", err)
	}
	if !cfg.Token.IsZero() {
		if err := errors.Join(cfg.Token.validate(), checkTokenOrigin(base, cfg.TokenFor)); err != nil {
			return nil, fmt.Errorf("configuring the archive client: %w", err)
		}
	}
	c := &Client{cfg: cfg, base: base, turn: make(chan struct{}, 1), firstRetry: firstRetry}
	metaNet, fileNet := cfg.Transport, cfg.Transport
	if cfg.Transport == nil {
		meta, files := newTransport(1, 0), newTransport(cfg.Connections, cfg.HeaderTimeout)
		metaNet, fileNet = meta, files
		c.idle = []func(){meta.CloseIdleConnections, files.CloseIdleConnections}
	}
	c.meta = &http.Client{
		Transport:     &tokenTransport{next: metaNet, token: cfg.Token, to: originOf(base)},
		CheckRedirect: noRedirect,
	}
	c.files = newOpener(cfg, &tokenTransport{next: fileNet, token: cfg.Token, to: originOf(base)}, archiveHosts(cfg, base))
	return c, nil
}

// Close drops idle connections. Replies and bodies handed out stay valid.
func (c *Client) Close() {
	for _, drop := range c.idle {
		drop()
	}
}

// noRedirect leaves redirects to this package: net/http would take headers along to other ports and to plain http.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// fill checks cfg and replaces zero values by the defaults.
func (cfg *Config) fill() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
		other time.Duration
	}{
		{"Timeout", &cfg.Timeout, defaultTimeout},
		{"HeaderTimeout", &cfg.HeaderTimeout, defaultHeaderTimeout},
		{"RetryFor", &cfg.RetryFor, defaultRetryFor},
		{"PollEvery", &cfg.PollEvery, defaultPollEvery},
	} {
		if *d.value < 0 {
			return fmt.Errorf("%s is negative", d.name)
		}
		if *d.value == 0 {
			*d.value = d.other
		}
	}
	if cfg.PageSize < 0 || cfg.MaxReply < 0 || cfg.Connections < 0 {
		return errors.New("PageSize, MaxReply or Connections is negative")
	}
	if cfg.PageSize == 0 {
		cfg.PageSize = defaultPageSize
	}
	if cfg.MaxReply == 0 {
		cfg.MaxReply = defaultMaxReply
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = defaultUserAgent
	}
	if strings.ContainsAny(cfg.UserAgent, "\r\n") {
		return errors.New("UserAgent contains a line break")
	}
	if cfg.Spool == "" {
		cfg.Spool = os.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return nil
}

// do makes one request, after the limiter, and tells the observers.
func (cfg *Config) do(hc *http.Client, req *http.Request, op string) (*http.Response, error) {
	ctx := req.Context()
	if cfg.Limiter != nil {
		if err := cfg.Limiter.Wait(ctx); err != nil {
			return nil, networkError(ctx, err)
		}
	}
	req.Header.Set("User-Agent", cfg.UserAgent)
	info := RequestInfo{Op: op, Method: req.Method, URL: redactURL(req.URL)}
	start := time.Now()
	resp, err := hc.Do(req)
	info.Elapsed = time.Since(start)
	if err != nil {
		info.Err = networkError(ctx, err)
	} else {
		info.Status = resp.StatusCode
		info.RetryAfter = parseRetryAfter(resp.Header, cfg.Now())
	}
	if cfg.OnRequest != nil {
		cfg.OnRequest(info)
	}
	cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("op", op), slog.String("url", info.URL),
		slog.Int("status", info.Status), slog.Duration("elapsed", info.Elapsed), slog.Any("error", info.Err))
	return resp, info.Err
}
