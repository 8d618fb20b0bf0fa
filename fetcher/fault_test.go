package fetcher_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// TestUnreachableKinds is about hosts with which no conversation comes about: the run gives up with a word about the archive,
// and no file has lost an attempt.
func TestUnreachableKinds(t *testing.T) {
	t.Parallel()
	failing := func(err error) http.RoundTripper {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	tests := []struct {
		name      string
		fault     masttest.Fault
		transport http.RoundTripper
	}{
		{name: "F22 redirect to another host", fault: masttest.Fault{Do: masttest.DoRedirect, Value: "http://files.invalid/x"}},
		{name: "F27 no such host", transport: failing(&net.DNSError{Err: "no such host", IsNotFound: true})},
		{name: "F27 name server does not answer", transport: failing(&net.DNSError{Err: "i/o timeout", IsTimeout: true})},
		{name: "F28 no route", transport: failing(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)})},
		{name: "F28 refused by a firewall", transport: failing(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EPERM)})},
		{name: "F37 proxy wants a password", fault: masttest.Fault{Do: masttest.DoStatus, Status: 407}},
		{name: "F38 captive portal", fault: masttest.Fault{Do: masttest.DoRedirect, Value: "http://login.invalid/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800), exposure(2, "cal", 28800), exposure(3, "cal", 28800),
				exposure(4, "cal", 28800))
			w.plan()
			if tt.fault.Do != "" {
				w.server.SetFault(tt.fault)
			}
			w.transport, w.cfg.MaxOutage = tt.transport, time.Second
			_, err := w.run(t.Context())
			var out *fetcher.UnavailableError
			if !errors.As(err, &out) {
				t.Errorf("run = %v, want *UnavailableError", err)
			}
			for name, row := range w.rows() {
				// The first ones may wait: until several fail, each could be to blame itself.
				if row.State != queue.Pending && row.State != queue.Waiting {
					t.Errorf("%s is %s for %s, want pending or waiting", name, row.State, row.Reason)
				}
			}
			if n := len(w.server.Requests()); n > 12 {
				t.Errorf("%d requests, want few", n)
			}
		})
	}
}

// TestProxyIgnoresRange (F37): behind a proxy that sends whole files whatever is asked for, nothing is mixed.
func TestProxyIgnoresRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI = ""
		out.Header.Del("Range")
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			rw.Header()[k] = v
		}
		rw.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(rw, resp.Body); err != nil {
			panic(http.ErrAbortHandler) // pass the cut on
		}
	}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	w.must(err)
	w.transport = &http.Transport{Proxy: http.ProxyURL(at)}
	w.plan()
	w.server.SetFault(masttest.Fault{Do: masttest.DoCut, After: 1 << 20, Count: 1})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
}

// TestF26SilentTLS: a host that accepts and never answers the handshake is not waited for without end.
func TestF26SilentTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800))
	w.plan()
	w.server.URL = "https://" + l.Addr().String()
	w.transport = &http.Transport{TLSHandshakeTimeout: 200 * time.Millisecond}
	w.cfg.Tries = 2
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range w.rows() {
		if row.State != queue.Failed || row.Reason != queue.ReasonHTTP {
			t.Errorf("%s is %s for %s, want failed for http", name, row.State, row.Reason)
		}
	}
}

// TestF36EmptyFile: a file without bytes arrives with one request that asks for no range.
func TestF36EmptyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800))
	srv := httptest.NewServer(emptySource{})
	t.Cleanup(srv.Close)
	w.sums = false
	w.plan()
	q := w.open()
	for f, err := range q.Files(t.Context(), queue.Filter{}) {
		w.must(err)
		w.must(q.SetFacts(t.Context(), f.ID, queue.KeywordFact{URI: f.URI, Size: 0}))
	}
	w.close(q)
	w.server.URL = srv.URL
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range w.rows() { // a FITS file of no bytes is damaged, but the archive has no other
		if row.State != queue.Done || row.Size != 0 || row.Proof != queue.ProofDouble {
			t.Errorf("%s is %s, %d bytes, proof %s (%s); want done, empty, fetched twice", name, row.State, row.Size, row.Proof, row.Detail)
		}
	}
}

// emptySource serves nothing, with a length of 0.
type emptySource struct{}

func (emptySource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Range") != "" {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	w.Header().Set("Content-Length", "0")
}

// TestDrip (F24): a server that sends a byte now and then is left, and the rest asked for again.
func TestDrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	w.plan()
	w.cfg.Stall = time.Second
	w.server.SetFault(masttest.Fault{Do: masttest.DoDrip, After: 1 << 20, Seconds: 3, Count: 1})
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if n := len(w.server.BodyRequests("*")); n < 2 || res.Bytes != big {
		t.Errorf("%d requests, %d bytes received, want at least 2 for the %d of the file", n, res.Bytes, big)
	}
}

// TestFinalTaken (F58): whatever stands at a final name that is no regular file stays, and the file fails by name.
func TestFinalTaken(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(string) error{
		"directory": func(p string) error { return os.Mkdir(p, 0o755) },
		"fifo":      func(p string) error { return syscall.Mkfifo(p, 0o644) },
		"link":      func(p string) error { return os.Symlink("/etc/hostname", p) },
		"parent is a file": func(p string) error {
			return errors.Join(os.Remove(filepath.Dir(p)), os.WriteFile(filepath.Dir(p), nil, 0o644))
		},
		"parent is a link out": func(p string) error {
			return errors.Join(os.Remove(filepath.Dir(p)), os.Symlink("/tmp", filepath.Dir(p)))
		},
	} {
		t.Run("F58 "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800))
			w.plan()
			row := w.rows()["jw01234001001_02101_00001_nrca1_cal.fits"]
			final := filepath.Join(w.dir, row.Path)
			w.must(errors.Join(os.MkdirAll(filepath.Dir(final), 0o755), put(final)))
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			w.unchecked = true // the thing in the way is a stray file
			if _, err := w.run(ctx); err != nil {
				t.Fatal(err)
			}
			if row := w.rows()["jw01234001001_02101_00001_nrca1_cal.fits"]; row.State != queue.Failed || row.Reason != queue.ReasonRefusedPath {
				t.Errorf("the file is %s for %s (%s), want failed for refused-path", row.State, row.Reason, row.Detail)
			}
			if n := len(w.server.BodyRequests("*")); n != 0 {
				t.Errorf("%d requests for a file that cannot be placed", n)
			}
		})
	}
}
