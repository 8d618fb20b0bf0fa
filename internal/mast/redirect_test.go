package mast_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jwstbulk/internal/mast"
)

func TestRedirects(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			leaked.Add(1)
		}
		serveFile(w, r)
	})
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token s3cr3t" {
			t.Errorf("request to the archive has Authorization %q", r.Header.Get("Authorization"))
		}
		hop := r.URL.Query().Get("hop")
		w.Header().Set("Set-Cookie", "session=1")
		switch uri := r.URL.Query().Get("uri"); {
		case strings.HasSuffix(uri, "other.fits"):
			w.Header().Set("Location", other.URL+"/x?signature=abc")
		case strings.HasSuffix(uri, "loop.fits"):
			w.Header().Set("Location", r.URL.RequestURI())
		case len(hop) < 9:
			w.Header().Set("Location", "?uri=x&hop=x"+hop)
		}
		w.WriteHeader(http.StatusFound)
	})
	c := a.client(t, func(cfg *mast.Config) { cfg.Token = mast.NewToken("s3cr3t") })
	b, err := c.Open(context.Background(), "mast:JWST/product/other.fits", 500, mast.Validator{ETag: tag})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if b.From != 500 || leaked.Load() != 0 {
		t.Errorf("From = %d, want 500; %d requests elsewhere with secrets, want none", b.From, leaked.Load())
	}
	for uri, requests := range map[string]int{"mast:JWST/product/loop.fits": 1, "mast:JWST/product/far.fits": 6} {
		before := len(a.requests())
		_, err := c.Open(context.Background(), uri, 0, mast.Validator{})
		if n := len(a.requests()) - before; !errors.Is(err, mast.ErrRedirect) || n != requests {
			t.Errorf("%s: %v after %d requests, want ErrRedirect after %d", uri, err, n, requests)
		}
	}
}

func TestRedirectAllowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"https://mast.stsci.edu/a", "/b", true},
		{"https://mast.stsci.edu/a", "https://archive.stsci.edu/b", true},
		{"https://mast.stsci.edu/a", "http://mast.stsci.edu/b", false},
		{"https://mast.stsci.edu/a", "https://stpubdata.s3.amazonaws.com/jwst/public/x", true},
		{"https://mast.stsci.edu/a", "https://s3.amazonaws.com/stpubdata/jwst/public/x", true},
		{"https://mast.stsci.edu/a", "https://s3.amazonaws.com/evil/x", false},
		{"https://mast.stsci.edu/a", "https://evilstsci.edu/b", false},
		{"https://mast.stsci.edu/a", "https://mast.stsci.edu.evil.org/b", false},
		{"https://mast.stsci.edu/a", "https://169.254.169.254/latest", false},
		{"https://mast.stsci.edu/a", "file:///etc/passwd", false},
		{"https://mast.stsci.edu/a", "https://mast.stsci.edu/" + strings.Repeat("x", 9000), false},
		{"https://mast.stsci.edu/a", "https://[", false},
	} {
		err := mast.RedirectAllowed("https://mast.stsci.edu", tt.from, tt.to)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, mast.ErrRedirect) {
			t.Errorf("redirect to %.60q: %v, want allowed = %v", tt.to, err, tt.ok)
		}
	}
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"130.167.1.1:443": true, "[2600:1f18::1]:443": true, "127.0.0.1:80": false, "10.1.2.3:443": false,
		"192.168.1.1:443": false, "172.16.0.1:1": false, "169.254.169.254:80": false, "100.64.0.1:443": false,
		"[::1]:443": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:127.0.0.1]:443": false, "0.0.0.0:1": false,
		"nonsense": false,
	} {
		if err := mast.PublicAddress(address); (err == nil) != ok {
			t.Errorf("PublicAddress(%s) = %v, want ok = %v", address, err, ok)
		}
	}
}

func TestF29Certificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(serveFile))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it would tell of the handshake
	s.StartTLS()
	t.Cleanup(s.Close)
	c, err := mast.New(mast.Config{BaseURL: s.URL, Spool: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Open(context.Background(), fileURI, 0, mast.Validator{})
	var e *mast.Error
	if !errors.Is(err, mast.ErrCertificate) || !errors.As(err, &e) || e.Temporary() || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("Open() = %v, want ErrCertificate", err)
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	tr := mast.FileTransport(8, time.Second)
	if tr.MaxConnsPerHost != 8 || tr.MaxIdleConnsPerHost != 8 || tr.MaxIdleConns < 16 || !tr.DisableCompression ||
		tr.Proxy == nil || tr.Protocols.HTTP2() || !tr.Protocols.HTTP1() || tr.ResponseHeaderTimeout != time.Second ||
		tr.TLSClientConfig.InsecureSkipVerify || tr.TLSClientConfig.KeyLogWriter != nil || tr.MaxResponseHeaderBytes != 1<<20 {
		t.Errorf("transport %+v", tr)
	}
}
