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
		if d := cmp.Diff(tt.want, b.Digests.SHA256); d != "" {
			t.Errorf("%s: SHA256 (-want +got):\n%s", tt.name, d)
		}
	}
}

// Of text files the media type says nothing: the archive sends JSON as text/html.
func TestOpenTextAsPage(t *testing.T) {
	t.Parallel()
	c := serve(t, raw(200, "{}", "Content-Type", "text/html")).client(t, nil)
	for uri, want := range map[string]error{
		"mast:JWST/product/a_asn.json": nil, "mast:JWST/product/a_cat.ecsv": nil,
		"mast:JWST/product/a_i2d.jpg": mast.ErrHTML, "mast:JWST/product/a.FITS.gz": mast.ErrHTML,
	} {
		b, err := c.Open(context.Background(), uri, 0, mast.Validator{})
		if err == nil {
			_ = b.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("Open(%s) = %v, want %v", uri, err, want)
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
