package mast_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
)

const (
	fileURI = "mast:JWST/product/jw01039_i2d.fits"
	tag     = `"v1"`
	stamp   = "Tue, 03 Nov 2026 08:00:00 GMT"
)

var content = strings.Repeat("SIMPLE  = T ", 100)

// serveFile answers as http.ServeContent does: ranges, If-Range, 416.
func serveFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "application/fits")
	at, _ := http.ParseTime(stamp)
	http.ServeContent(w, r, "x.fits", at, strings.NewReader(content))
}

func raw(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestOpenWhole(t *testing.T) {
	t.Parallel()
	a := serve(t, serveFile)
	b, err := a.client(t, nil).Open(context.Background(), fileURI, 0, mast.Validator{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(b)
	if err != nil || string(got) != content {
		t.Errorf("body of %d bytes, %v; want %d", len(got), err, len(content))
	}
	if b.From != 0 || b.Total != 1200 || b.Length != 1200 || b.Changed || b.Chunked || b.CloseDelimited ||
		b.Validator.ETag != tag || b.Validator.LastModified != stamp || b.Validator.Date == "" || b.ContentType != "application/fits" {
		t.Errorf("body %+v", b)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	s := a.requests()[0]
	if s.method != "GET" || s.path != "/api/v0.1/Download/file" || s.query != "uri=mast%3AJWST%2Fproduct%2Fjw01039_i2d.fits" {
		t.Errorf("asked %s %s?%s", s.method, s.path, s.query)
	}
	if s.header.Get("Accept-Encoding") != "identity" || s.header.Get("Range") != "" || s.header.Get("User-Agent") != "jwstbulk" {
		t.Errorf("headers %v", s.header)
	}
}

func TestOpenContinues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		held    mast.Validator
		ifRange string
		changed bool
	}{
		{"strong tag", mast.Validator{ETag: tag, LastModified: stamp}, tag, false},
		{"other tag", mast.Validator{ETag: `"v0"`}, `"v0"`, true},
		{"weak tag and date", mast.Validator{ETag: `W/"v1"`, LastModified: "Tue, 03 Nov 2026 08:00:00 GMT", Date: "Tue, 03 Nov 2026 09:00:00 GMT"}, "", false},
		{"date", mast.Validator{LastModified: stamp, Date: "Tue, 03 Nov 2026 08:00:01 GMT"}, stamp, false},
		{"other date", mast.Validator{LastModified: "Tue, 03 Nov 2026 07:00:00 GMT", Date: stamp}, "Tue, 03 Nov 2026 07:00:00 GMT", true},
		{"nothing", mast.Validator{}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, serveFile)
			b, err := a.client(t, nil).Open(context.Background(), fileURI, 500, tt.held)
			if tt.name == "weak tag and date" {
				// The reply carries the tag without its W/ mark: not the one held.
				if !errors.Is(err, mast.ErrProtocol) {
					t.Errorf("Open() = %v, want ErrProtocol", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.Close() }()
			got, _ := io.ReadAll(b)
			want := content[500:]
			if tt.changed {
				want = content
			}
			if string(got) != want || b.Changed != tt.changed || b.Total != 1200 || int(b.Length) != len(want) || int(b.From) != 1200-len(want) {
				t.Errorf("%d bytes, body %+v", len(got), b)
			}
			h := a.requests()[0].header
			if h.Get("Range") != "bytes=500-" || h.Get("If-Range") != tt.ifRange {
				t.Errorf("Range %q, If-Range %q; want If-Range %q", h.Get("Range"), h.Get("If-Range"), tt.ifRange)
			}
		})
	}
}

func TestOpenGates(t *testing.T) {
	t.Parallel()
	rest := strings.Repeat("x", 700)
	held := mast.Validator{ETag: tag, LastModified: stamp}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		from    int64
		want    error
	}{
		{"206 unasked", raw(206, rest, "Content-Range", "bytes 500-1199/1200"), 0, mast.ErrProtocol},
		{"206 without range", raw(206, rest), 500, mast.ErrProtocol},
		{"206 from elsewhere", raw(206, rest, "Content-Range", "bytes 499-1198/1200"), 500, mast.ErrProtocol},
		{"206 of unknown total", raw(206, rest, "Content-Range", "bytes 500-1199/*"), 500, mast.ErrProtocol},
		{"206 with two ranges", raw(206, rest, "Content-Range", "bytes 500-1199/1200", "Content-Range", "bytes 500-1199/1200"), 500, mast.ErrProtocol},
		{"206 backwards", raw(206, rest, "Content-Range", "bytes 500-499/1200"), 500, mast.ErrProtocol},
		{"206 past the end", raw(206, rest, "Content-Range", "bytes 500-1200/1200"), 500, mast.ErrProtocol},
		{"206 multipart", raw(206, rest, "Content-Range", "bytes 500-1199/1200", "Content-Type", "multipart/byteranges; boundary=x"), 500, mast.ErrProtocol},
		{"206 of other length", raw(206, rest[:600], "Content-Range", "bytes 500-1199/1200", "Content-Length", "600"), 500, mast.ErrProtocol},
		{"206 of another tag", raw(206, rest, "Content-Range", "bytes 500-1199/1200", "ETag", `"v2"`), 500, mast.ErrProtocol},
		{"206 of another date", raw(206, rest, "Content-Range", "bytes 500-1199/1200", "Last-Modified", "Wed, 04 Nov 2026 08:00:00 GMT"), 500, mast.ErrProtocol},
		{"206 short but honest", raw(206, rest[:100], "Content-Range", "bytes 500-599/1200"), 500, nil},
		{"gzip", raw(200, rest, "Content-Encoding", "gzip"), 0, mast.ErrEncoding},
		{"identity", raw(200, rest, "Content-Encoding", "identity"), 0, nil},
		{"web page", raw(200, "<html>", "Content-Type", "Text/HTML; charset=x"), 0, mast.ErrHTML},
		{"web page in 206", raw(206, rest, "Content-Range", "bytes 500-1199/1200", "Content-Type", "text/html"), 500, mast.ErrHTML},
		{"204", raw(204, ""), 0, mast.ErrProtocol},
		{"302 without Location", raw(302, ""), 0, mast.ErrProtocol},
		{"304", raw(304, ""), 0, mast.ErrProtocol},
		{"404", raw(404, "gone"), 0, fs.ErrNotExist},
		{"410", raw(410, "gone"), 0, fs.ErrNotExist},
		{"401", raw(401, "who?"), 0, fs.ErrPermission},
		{"403", raw(403, "no"), 0, fs.ErrPermission},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := serve(t, tt.handler).client(t, nil).Open(context.Background(), fileURI, tt.from, held)
			if err == nil {
				_ = b.Close()
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("Open() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestOpenStatus(t *testing.T) {
	t.Parallel()
	for code, temporary := range map[int]bool{
		400: false, 401: false, 403: false, 404: false, 408: true, 412: false, 425: true, 429: true, 451: false,
		500: true, 502: true, 503: true, 504: true, 521: true,
	} {
		_, err := serve(t, raw(code, "a\x1b]0;b\u202e\nc", "Retry-After", "7")).client(t, nil).Open(context.Background(), fileURI, 0, mast.Validator{})
		var e *mast.Error
		if !errors.As(err, &e) || e.Status != code || e.Temporary() != temporary || e.RetryAfter != 7*time.Second {
			t.Errorf("%d: %v", code, err)
		}
		if want := `a\x1b]0;b\u202e c`; e.Message != want {
			t.Errorf("%d: Message = %q, want %q", code, e.Message, want)
		}
	}
}

func TestOpenPastTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		total   int64
	}{
		{"ServeContent", serveFile, 1200},
		{"silent", raw(416, ""), -1},
		{"a range", raw(416, "", "Content-Range", "bytes 0-9/1200"), -1},
	} {
		_, err := serve(t, tt.handler).client(t, nil).Open(context.Background(), fileURI, 1200, mast.Validator{})
		var re *mast.RangeError
		var e *mast.Error
		if !errors.As(err, &re) || re.Total != tt.total || !errors.As(err, &e) || e.Status != 416 {
			t.Errorf("%s: Open() = %v, want *RangeError with Total %d", tt.name, err, tt.total)
		}
	}
}

func TestOpenFraming(t *testing.T) {
	t.Parallel()
	chunked := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "SIMPLE")
		_ = http.NewResponseController(w).Flush()
	}
	cut := func(w http.ResponseWriter, r *http.Request) { chunked(w, r); panic(http.ErrAbortHandler) }
	closing := func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nSIMPLE")
		_ = buf.Flush()
		_ = conn.Close()
	}
	for _, tt := range []struct {
		name             string
		handler          http.HandlerFunc
		chunked, closing bool
		readErr          error
	}{
		{"chunked", chunked, true, false, nil},
		{"chunked and cut", cut, true, false, io.ErrUnexpectedEOF},
		{"until close", closing, false, true, nil},
		{"cut short of its length", reset("SIMPLE"), false, false, io.ErrUnexpectedEOF},
	} {
		b, err := serve(t, tt.handler).client(t, nil).Open(context.Background(), fileURI, 0, mast.Validator{})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		_, err = io.ReadAll(b)
		_ = b.Close()
		if !errors.Is(err, tt.readErr) || b.Chunked != tt.chunked || b.CloseDelimited != tt.closing {
			t.Errorf("%s: read error %v, body %+v", tt.name, err, b)
		}
		if (b.Total < 0) != (tt.chunked || tt.closing) {
			t.Errorf("%s: Total = %d", tt.name, b.Total)
		}
	}
}

func TestOpenDigest(t *testing.T) {
	t.Parallel()
	sum := []byte(strings.Repeat("s", 32))
	coded := base64.StdEncoding.EncodeToString(sum)
	part := []string{"Content-Range", "bytes 500-1199/1200"}
	for _, tt := range []struct {
		name    string
		code    int
		headers []string
		want    []byte
	}{
		{"whole", 200, []string{"Repr-Digest", "sha-512=:AAAA:, sha-256=:" + coded + ":"}, sum},
		{"content of the whole", 200, []string{"Content-Digest", "sha-256=:" + coded + ":"}, sum},
		{"whole with a part", 206, append(part, "Repr-Digest", "sha-256=:"+coded+":"), sum},
		{"content of a part", 206, append(part, "Content-Digest", "sha-256=:"+coded+":"), nil},
		{"malformed", 200, []string{"Repr-Digest", "sha-256=" + coded}, nil},
		{"short", 200, []string{"Repr-Digest", "sha-256=:AAAA:"}, nil},
	} {
		from := int64(0)
		if tt.code == 206 {
			from = 500
		}
		b, err := serve(t, raw(tt.code, strings.Repeat("x", 700), tt.headers...)).client(t, nil).Open(context.Background(), fileURI, from, mast.Validator{})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		_ = b.Close()
		if d := cmp.Diff(tt.want, b.SHA256); d != "" {
			t.Errorf("%s: SHA256 (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestOpenInput(t *testing.T) {
	t.Parallel()
	a := serve(t, serveFile)
	c := a.client(t, nil)
	for _, from := range []int64{-1, 0} {
		uri := fileURI
		if from == 0 {
			uri = ""
		}
		if _, err := c.Open(context.Background(), uri, from, mast.Validator{}); !errors.Is(err, mast.ErrInput) {
			t.Errorf("Open(%q, %d) = %v, want ErrInput", uri, from, err)
		}
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestOpenHeadersInTime(t *testing.T) {
	t.Parallel()
	a := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := a.client(t, func(cfg *mast.Config) { cfg.HeaderTimeout = 20 * time.Millisecond })
	_, err := c.Open(context.Background(), fileURI, 0, mast.Validator{})
	var e *mast.Error
	if !errors.Is(err, mast.ErrTimeout) || !errors.As(err, &e) || !e.Temporary() {
		t.Errorf("Open() = %v, want a temporary ErrTimeout", err)
	}
	stalled := errors.New("stalled")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(stalled)
	_, err = c.Open(ctx, fileURI, 0, mast.Validator{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, stalled) || !errors.As(err, &e) || e.Temporary() {
		t.Errorf("Open() = %v, want context.Canceled with its cause", err)
	}
}

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

func TestCertificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(serveFile))
	s.Config.ErrorLog = nil
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

func ExampleClient_Open() {
	s := httptest.NewServer(http.HandlerFunc(serveFile))
	defer s.Close()
	c, err := mast.New(mast.Config{BaseURL: s.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	body, err := c.Open(context.Background(), "mast:JWST/product/jw01039_i2d.fits", 1190, mast.Validator{ETag: `"v1"`})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = body.Close() }()
	rest, err := io.ReadAll(body)
	fmt.Printf("%q from byte %d of %d, error %v\n", rest, body.From, body.Total, err)
	// Output: "MPLE  = T " from byte 1190 of 1200, error <nil>
}
