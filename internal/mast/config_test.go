package mast_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"jwstbulk/internal/mast"
)

func TestTokenIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	token := mast.NewToken(" " + secret + "\n")
	cfg := mast.Config{Token: token}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "token", token, "config", cfg)
	text, err := json.Marshal(struct{ T mast.Token }{token})
	if err != nil {
		t.Fatal(err)
	}
	shown := logged.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		shown += fmt.Sprintf(verb, token) + fmt.Sprintf(verb, cfg) + fmt.Sprintf(verb, &cfg)
	}
	if strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) {
		t.Errorf("token is shown: %s", shown)
	}
	if !strings.Contains(string(text), "[redacted]") || token.IsZero() || !(mast.Token{}).IsZero() || (mast.Token{}).String() != "" {
		t.Errorf("token as JSON: %s", text)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	token := mast.NewToken("s3cr3t")
	for _, tt := range []struct {
		name string
		cfg  mast.Config
		ok   bool
	}{
		{"nothing set", mast.Config{}, true},
		{"token for the archive", mast.Config{Token: token}, true},
		{"token for another host of the archive", mast.Config{Token: token, BaseURL: "https://test.stsci.edu/mast/"}, true},
		{"token unencrypted", mast.Config{Token: token, BaseURL: "http://mast.stsci.edu"}, false},
		{"token for loopback", mast.Config{Token: token, BaseURL: "http://127.0.0.1:1"}, true},
		{"token for localhost", mast.Config{Token: token, BaseURL: "http://localhost:1"}, true},
		{"token for loopback, IPv6", mast.Config{Token: token, BaseURL: "http://[::1]:1"}, true},
		{"token for a stranger", mast.Config{Token: token, BaseURL: "https://mirror.example.org"}, false},
		{"token for a look-alike", mast.Config{Token: token, BaseURL: "https://mast.stsci.edu.example.org"}, false},
		{"token for a look-alike's end", mast.Config{Token: token, BaseURL: "https://evilstsci.edu"}, false},
		{"token named for it", mast.Config{Token: token, BaseURL: "https://mirror.example.org", TokenFor: "https://mirror.example.org:443"}, true},
		{"token named for another port", mast.Config{Token: token, BaseURL: "https://mirror.example.org:8443", TokenFor: "https://mirror.example.org"}, false},
		{"token named, unencrypted", mast.Config{Token: token, BaseURL: "http://mirror.example.org", TokenFor: "http://mirror.example.org"}, false},
		{"token named badly", mast.Config{Token: token, BaseURL: "https://mirror.example.org", TokenFor: "mirror.example.org"}, false},
		{"no token for a stranger", mast.Config{BaseURL: "http://mirror.example.org"}, true},
		{"token with a line break inside", mast.Config{Token: mast.NewToken("a\r\nb: c")}, false},
		{"other scheme", mast.Config{BaseURL: "ftp://mast.stsci.edu"}, false},
		{"no host", mast.Config{BaseURL: "https://"}, false},
		{"password", mast.Config{BaseURL: "https://me:hunter2@mast.stsci.edu"}, false},
		{"query", mast.Config{BaseURL: "https://mast.stsci.edu/?x=1"}, false},
		{"garbage", mast.Config{BaseURL: "https://a b:hunter2@x/%zz"}, false},
		{"negative time", mast.Config{Timeout: -1}, false},
		{"negative page", mast.Config{PageSize: -1}, false},
		{"agent with a line break", mast.Config{UserAgent: "a\nb"}, false},
	} {
		_, err := mast.New(tt.cfg)
		if (err == nil) != tt.ok {
			t.Errorf("%s: New() = %v, want ok = %v", tt.name, err, tt.ok)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "s3cr3t")) {
			t.Errorf("%s: error tells a secret: %v", tt.name, err)
		}
	}
}

func TestSecretsInErrors(t *testing.T) {
	t.Parallel()
	a := serve(t, raw(500, "your token s3cr3t is bad"))
	var mu sync.Mutex
	var logged bytes.Buffer
	c := a.client(t, func(cfg *mast.Config) {
		cfg.Token = mast.NewToken("s3cr3t")
		cfg.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.OnRequest = func(info mast.RequestInfo) { mu.Lock(); fmt.Fprintf(&logged, "%+v", info); mu.Unlock() }
	})
	_, errOpen := c.Open(context.Background(), fileURI, 0, mast.Validator{})
	_, errMeta := c.WhoAmI(context.Background())
	mu.Lock()
	defer mu.Unlock()
	for _, text := range []string{fmt.Sprintf("%v %+v", errOpen, errOpen), fmt.Sprintf("%v %+v", errMeta, errMeta), logged.String()} {
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("token is told: %s", text)
		}
	}
	if len(a.requests()) != 5 || a.requests()[4].header.Get("Authorization") != "token s3cr3t" {
		t.Errorf("%d requests, want 1 for the file and 4 for whoami", len(a.requests()))
	}
}

func TestObservers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var infos []mast.RequestInfo
	limiter := &countingLimiter{}
	a := serve(t, scripted(raw(429, "", "Retry-After", "0"), raw(503, ""), always(`{"anon":true,"ezid":"anonymous"}`), serveFile))
	c := a.client(t, func(cfg *mast.Config) {
		cfg.Limiter = limiter
		cfg.OnRequest = func(info mast.RequestInfo) { mu.Lock(); infos = append(infos, info); mu.Unlock() }
	})
	if _, err := c.WhoAmI(context.Background()); err != nil {
		t.Fatal(err)
	}
	if b, err := c.Open(context.Background(), fileURI, 0, mast.Validator{}); err != nil {
		t.Fatal(err)
	} else {
		_ = b.Close()
	}
	var got []string
	for _, info := range infos {
		got = append(got, fmt.Sprintf("%s %s %d", info.Op, info.Method, info.Status))
	}
	if want := "[whoami GET 429 whoami GET 503 whoami GET 200 download GET 200]"; fmt.Sprint(got) != want || limiter.n != 4 {
		t.Errorf("OnRequest saw %v, limiter %d requests; want %s, 4", got, limiter.n, want)
	}
	limiter.err = errors.New("enough")
	if _, err := c.Open(context.Background(), fileURI, 0, mast.Validator{}); !errors.Is(err, limiter.err) {
		t.Errorf("Open() = %v, want the limiter's error", err)
	}
}

type countingLimiter struct {
	n   int
	err error
}

func (l *countingLimiter) Wait(context.Context) error { l.n++; return l.err }

// A Retry-After longer than the client will wait comes back at once, and keeps later requests back without sending them.
func TestLongRetryAfter(t *testing.T) {
	t.Parallel()
	a := serve(t, raw(503, "maintenance", "Retry-After", "3600"))
	c := a.client(t, nil)
	for range 2 {
		_, err := c.WhoAmI(context.Background())
		var e *mast.Error
		if !errors.As(err, &e) || !e.Temporary() || e.RetryAfter < 59*time.Minute {
			t.Errorf("WhoAmI() = %v, want a temporary error with RetryAfter 1 h", err)
		}
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// A cancelled retry tells what went wrong before.
func TestCancelKeepsTheLastError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	a := serve(t, raw(503, "maintenance"))
	c := a.client(t, func(cfg *mast.Config) {
		cfg.OnRequest = func(mast.RequestInfo) { time.AfterFunc(20*time.Millisecond, cancel) }
	})
	mast.SetFirstRetry(c, time.Minute)
	_, err := c.WhoAmI(ctx)
	var e *mast.Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Status != 503 || e.Message != "maintenance" || e.Temporary() {
		t.Errorf("WhoAmI() = %v, want a cancelled 503", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	a := serve(t, serveFile)
	c := a.client(t, func(cfg *mast.Config) { cfg.RetryFor = 50 * time.Millisecond })
	a.Close()
	_, err := c.WhoAmI(context.Background())
	var e *mast.Error
	if !errors.As(err, &e) || !e.Temporary() || e.Status != 0 || errors.Is(err, mast.ErrTimeout) {
		t.Errorf("WhoAmI() = %v, want a temporary network error", err)
	}
}

func ExampleNew() {
	_, err := mast.New(mast.Config{BaseURL: "https://mirror.example.org", Token: mast.NewToken("secret")})
	fmt.Println(err)
	// Output: configuring the archive client: token would go to https://mirror.example.org:443, which is not below stsci.edu: name that origin for the token, or give none
}

// TestPageInError: of a page that comes with an error only its words are shown.
func TestPageInError(t *testing.T) {
	t.Parallel()
	a := serve(t, raw(500, "<!DOCTYPE html><html><head><style>b { color: red }</style><title>Oops</title></head>\n<body><h1>The archive is <b>down</b></h1></body></html>"))
	c := a.client(t, func(c *mast.Config) { c.RetryFor = time.Millisecond })
	_, err := c.Count(t.Context(), mast.Query{Filters: []mast.Filter{{Column: "x", Values: []string{"1"}}}})
	var e *mast.Error
	if !errors.As(err, &e) || e.Message != "Oops The archive is down" {
		t.Errorf("Count = %v, want the words of the page", err)
	}
}
