package masttest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/masttest"
)

const (
	oneName = "jw02733002001_02103_00001_mirimage_cal.fits"
	oneURI  = "mast:JWST/product/" + oneName
	oneSize = 100 * 2880
)

// one starts an archive with one file, and returns the truth about it.
func one(t *testing.T, cfg masttest.Config) (*masttest.Server, []byte) {
	t.Helper()
	cat, err := masttest.Custom(masttest.File{Name: oneName, Size: oneSize})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Catalog = cat
	s := masttest.Start(t, cfg)
	r, ok := s.Content(oneURI)
	if !ok {
		t.Fatal("no content")
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

// reply is what a client saw: also the error that ended the body.
type reply struct {
	*http.Response
	body []byte
	err  error
}

// ask makes one request without following redirects or decoding anything.
func ask(t *testing.T, method, url string, header ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp, b, err}
}

// bodyCase is a fault and what a client must see of it.
type bodyCase struct {
	name  string
	fault masttest.Fault
	check func(*testing.T, reply, []byte)
}

func short(n int) func(*testing.T, reply, []byte) {
	return func(t *testing.T, r reply, want []byte) {
		t.Helper()
		if r.err == nil || len(r.body) != n || !bytes.Equal(r.body, want[:n]) {
			t.Errorf("%d bytes, error %v; want a cut after %d", len(r.body), r.err, n)
		}
	}
}

func whole(t *testing.T, r reply, want []byte) {
	t.Helper()
	if r.err != nil || !bytes.Equal(r.body, want) {
		t.Errorf("%d bytes, error %v; want the whole file", len(r.body), r.err)
	}
}

func framingCases() []bodyCase {
	return []bodyCase{
		{"reset", masttest.Fault{Do: masttest.DoReset, After: 5000}, short(5000)},
		{"cut", masttest.Fault{Do: masttest.DoCut, After: 5000}, short(5000)},
		{"chunkcut", masttest.Fault{Do: masttest.DoChunkCut, After: 5000}, short(5000)},
		{"chunked", masttest.Fault{Do: masttest.DoChunked}, func(t *testing.T, r reply, want []byte) {
			whole(t, r, want)
			if r.ContentLength != -1 {
				t.Errorf("ContentLength = %d, want none", r.ContentLength)
			}
		}},
		{"close-delimited", masttest.Fault{Do: masttest.DoNoLength}, whole},
		{"close-delimited and cut cleanly", masttest.Fault{Do: masttest.DoNoLength, After: 5000}, func(t *testing.T, r reply, want []byte) {
			if r.err != nil || !bytes.Equal(r.body, want[:5000]) {
				t.Errorf("%d bytes, error %v; want 5000 that look complete", len(r.body), r.err)
			}
		}},
		{"two lengths", masttest.Fault{Do: masttest.DoTwoLengths}, whole},
		{"bit flip", masttest.Fault{Do: masttest.DoBitFlip, After: 7000}, func(t *testing.T, r reply, want []byte) {
			if len(r.body) != len(want) || r.body[7000] == want[7000] || !bytes.Equal(r.body[:7000], want[:7000]) ||
				!bytes.Equal(r.body[7001:], want[7001:]) {
				t.Errorf("want exactly one byte wrong")
			}
		}},
		{"gzip", masttest.Fault{Do: masttest.DoGzip}, func(t *testing.T, r reply, want []byte) {
			z, err := gzip.NewReader(bytes.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, want) {
				t.Errorf("unpacked: %d bytes, error %v", len(b), err)
			}
		}},
	}
}

func headerCases() []bodyCase {
	return []bodyCase{
		{"html", masttest.Fault{Do: masttest.DoHTML}, func(t *testing.T, r reply, _ []byte) {
			if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || len(r.body) == 0 {
				t.Errorf("status %d, type %s", r.StatusCode, r.Header.Get("Content-Type"))
			}
		}},
		{"disposition", masttest.Fault{Do: masttest.DoDisposition, Value: "attachment; filename=../../x"}, func(t *testing.T, r reply, want []byte) {
			whole(t, r, want)
			if got := r.Header.Get("Content-Disposition"); got != "attachment; filename=../../x" {
				t.Errorf("Content-Disposition %q", got)
			}
		}},
		{"no validators", masttest.Fault{Do: masttest.DoNoValidators}, func(t *testing.T, r reply, want []byte) {
			whole(t, r, want)
			if r.Header.Get("ETag")+r.Header.Get("Last-Modified") != "" {
				t.Error("there are validators")
			}
		}},
		{"weak tag", masttest.Fault{Do: masttest.DoWeakETag}, func(t *testing.T, r reply, _ []byte) {
			if !strings.HasPrefix(r.Header.Get("ETag"), `W/"`) {
				t.Errorf("ETag %q", r.Header.Get("ETag"))
			}
		}},
		{"reset at start", masttest.Fault{Do: masttest.DoResetAtStart}, func(t *testing.T, r reply, _ []byte) {
			if r.err == nil {
				t.Error("no error")
			}
		}},
		{"two content lengths", masttest.Fault{Do: masttest.DoContentLength, Value: "two"}, refused},
		{"bad content length", masttest.Fault{Do: masttest.DoContentLength, Value: "12x"}, refused},
		{"huge header", masttest.Fault{Do: masttest.DoHugeHeader, After: 11 << 20}, refused},
		{"missing", masttest.Fault{Do: masttest.DoMissing}, status(404)},
		{"denied", masttest.Fault{Do: masttest.DoDenied}, status(401)},
	}
}

func TestFaultsOfBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range append(framingCases(), headerCases()...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, want := one(t, masttest.Config{})
			tt.fault.Count = 1
			s.SetFault(tt.fault)
			tt.check(t, ask(t, "GET", s.URL+fileURL+oneURI), want)
			if got := s.Requests()[0].Fault; got != tt.fault.Do {
				t.Errorf("recorded fault %q, want %q", got, tt.fault.Do)
			}
			whole(t, ask(t, "GET", s.URL+fileURL+oneURI), want) // one request only was to suffer
		})
	}
}

// refused checks that Go's client does not take the reply at all.
func refused(t *testing.T, r reply, _ []byte) {
	t.Helper()
	if r.err == nil || r.Response != nil {
		t.Errorf("the reply was taken: %v", r.Header)
	}
}

func status(want int) func(*testing.T, reply, []byte) {
	return func(t *testing.T, r reply, _ []byte) {
		t.Helper()
		if r.err != nil || r.StatusCode != want {
			t.Errorf("got %+v, error %v; want status %d", r.Response, r.err, want)
		}
	}
}

func TestFaultsOfRanges(t *testing.T) {
	t.Parallel()
	const from = 10_000
	tests := []struct {
		name   string
		fault  masttest.Fault
		status int
		ranges []string // Content-Range lines
		body   func(want []byte) []byte
	}{
		{"good", masttest.Fault{Do: masttest.DoHeader, Value: "X-A: b"}, 206, []string{"bytes 10000-287999/288000"}, tail(from)},
		{"ignored", masttest.Fault{Do: masttest.DoIgnoreRange}, 200, nil, tail(0)},
		{"overlap", masttest.Fault{Do: masttest.DoOverlap, After: 100}, 206, []string{"bytes 9900-287999/288000"}, tail(9900)},
		{"star", masttest.Fault{Do: masttest.DoContentRange, Value: "star"}, 206, []string{"bytes 10000-287999/*"}, tail(from)},
		{"total", masttest.Fault{Do: masttest.DoContentRange, Value: "total"}, 206, []string{"bytes 10000-287999/290880"}, tail(from)},
		{"backwards", masttest.Fault{Do: masttest.DoContentRange, Value: "backwards"}, 206, []string{"bytes 287999-10000/288000"}, tail(from)},
		{"two", masttest.Fault{Do: masttest.DoContentRange, Value: "two"}, 206, []string{"bytes 10000-287999/288000", "bytes 0-277999/288000"}, tail(from)},
		{"none", masttest.Fault{Do: masttest.DoContentRange, Value: "none"}, 206, nil, tail(from)},
		{"literal", masttest.Fault{Do: masttest.DoContentRange, Value: "octets 1-2/3"}, 206, []string{"octets 1-2/3"}, tail(from)},
		{"unsatisfied", masttest.Fault{Do: masttest.DoUnsatisfied}, 416, []string{"bytes */288000"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, want := one(t, masttest.Config{})
			s.SetFault(tt.fault)
			r := ask(t, "GET", s.URL+fileURL+oneURI, "Range", fmt.Sprintf("bytes=%d-", from))
			if r.err != nil || r.StatusCode != tt.status {
				t.Fatalf("status %d, error %v; want %d", r.StatusCode, r.err, tt.status)
			}
			if got := r.Header.Values("Content-Range"); strings.Join(got, "|") != strings.Join(tt.ranges, "|") {
				t.Errorf("Content-Range %q, want %q", got, tt.ranges)
			}
			if tt.body != nil && !bytes.Equal(r.body, tt.body(want)) {
				t.Errorf("wrong bytes: %d of them", len(r.body))
			}
		})
	}
}

func tail(from int) func([]byte) []byte { return func(b []byte) []byte { return b[from:] } }

func TestMultipart(t *testing.T) {
	t.Parallel()
	s, want := one(t, masttest.Config{Faults: []masttest.Fault{{Do: masttest.DoMultipart}}})
	r := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=100-199")
	if r.StatusCode != 206 || !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/byteranges; boundary=") ||
		!bytes.Contains(r.body, want[100:200]) || !bytes.Contains(r.body, []byte("Content-Range: bytes 100-199/288000")) {
		t.Errorf("status %d, header %v, %d bytes", r.StatusCode, r.Header, len(r.body))
	}
}

func TestStatusSequenceAndRetryAfter(t *testing.T) {
	t.Parallel()
	s, want := one(t, masttest.Config{})
	s.SetFault(masttest.Fault{Do: masttest.DoStatus, Statuses: []int{503, 0, 429}, RetryAfter: "7"},
		masttest.Fault{Do: masttest.DoStatus, Skip: 4, Count: 1, Status: 503, RetryAfter: "date:3600"})
	for i, st := range []int{503, 200, 429, 200, 503, 200} {
		if h := ask(t, "HEAD", s.URL+fileURL+oneURI); h.StatusCode != 200 {
			t.Errorf("HEAD %d: status %d: a HEAD must not use up a fault", i, h.StatusCode)
		}
		r := ask(t, "GET", s.URL+fileURL+oneURI)
		if r.StatusCode != st {
			t.Fatalf("request %d: status %d, want %d", i, r.StatusCode, st)
		}
		switch ra := r.Header.Get("Retry-After"); {
		case st == 200 && (ra != "" || !bytes.Equal(r.body, want)):
			t.Errorf("request %d: Retry-After %q, %d bytes", i, ra, len(r.body))
		case i < 3 && st != 200 && ra != "7":
			t.Errorf("request %d: Retry-After %q, want 7", i, ra)
		case i == 4:
			at, err := http.ParseTime(ra)
			if err != nil || time.Until(at) < 3500*time.Second || time.Until(at) > 3601*time.Second {
				t.Errorf("Retry-After %q, want an hour ahead (%v)", ra, err)
			}
		}
	}
}

func TestReprocessUnderIfRange(t *testing.T) {
	t.Parallel()
	s, old := one(t, masttest.Config{})
	r1 := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=0-9999")
	s.SetFault(masttest.Fault{Do: masttest.DoReprocess, Count: 1})
	r2 := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=10000-", "If-Range", r1.Header.Get("ETag"))
	if r2.StatusCode != 200 || len(r2.body) != oneSize || bytes.Equal(r2.body, old) {
		t.Fatalf("status %d, %d bytes: want the whole new version", r2.StatusCode, len(r2.body))
	}
	if r1.Header.Get("ETag") == r2.Header.Get("ETag") || r1.Header.Get("Last-Modified") == r2.Header.Get("Last-Modified") {
		t.Error("the validators did not change")
	}
	s.SetFault(masttest.Fault{Do: masttest.DoIgnoreIfRange})
	r3 := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=10000-", "If-Range", r1.Header.Get("ETag"))
	if r3.StatusCode != 206 || !bytes.Equal(r3.body, r2.body[10000:]) {
		t.Errorf("status %d, %d bytes: want 206 of the new version", r3.StatusCode, len(r3.body))
	}
	s.ClearFaults()
	r4 := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=10000-", "If-Range", r2.Header.Get("Last-Modified"))
	if r4.StatusCode != 206 {
		t.Errorf("If-Range with the right date: status %d", r4.StatusCode)
	}
	if r5 := ask(t, "GET", s.URL+fileURL+oneURI, "Range", "bytes=10000-", "If-Range", "W/"+r2.Header.Get("ETag")); r5.StatusCode != 200 {
		t.Errorf("If-Range with a weak tag: status %d", r5.StatusCode)
	}
}

func TestStallAndDripEndWithTheClient(t *testing.T) {
	t.Parallel()
	for _, do := range []masttest.Do{masttest.DoStall, masttest.DoDrip, masttest.DoHang, masttest.DoSlowHeaders} {
		t.Run(string(do), func(t *testing.T) {
			t.Parallel()
			s, want := one(t, masttest.Config{})
			s.SetFault(masttest.Fault{Do: do, After: 3000, Seconds: 3600})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", s.URL+fileURL+oneURI, nil)
			if err != nil {
				t.Fatal(err)
			}
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			resp, err := tr.RoundTrip(req)
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if !errors.Is(err, context.DeadlineExceeded) || !bytes.Equal(b, want[:3000]) {
				t.Errorf("%d bytes, error %v; want 3000 and a wait", len(b), err)
			}
		})
	}
}

func TestMaxTransfersAndStorm(t *testing.T) {
	t.Parallel()
	s, _ := one(t, masttest.Config{MaxTransfers: 1, RetryAfter: "3"})
	s.SetFault(masttest.Fault{Do: masttest.DoStall, After: 1, Count: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+fileURL+oneURI, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := ask(t, "GET", s.URL+fileURL+oneURI)
	if r.StatusCode != 429 || r.Header.Get("Retry-After") != "3" {
		t.Errorf("second transfer: status %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	s.SetStorm(true)
	if r := ask(t, "GET", s.URL+"/whoami"); r.StatusCode != 503 {
		t.Errorf("in the storm: status %d", r.StatusCode)
	}
	s.SetStorm(false)
	if r := ask(t, "GET", s.URL+"/whoami"); r.StatusCode != 200 {
		t.Errorf("after the storm: status %d", r.StatusCode)
	}
	if s.MaxConcurrent() != 1 {
		t.Errorf("MaxConcurrent = %d, want 1", s.MaxConcurrent())
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	s, want := one(t, masttest.Config{Rate: 1_000_000})
	began := time.Now()
	r := ask(t, "GET", s.URL+fileURL+oneURI)
	if !bytes.Equal(r.body, want) {
		t.Fatal("wrong bytes")
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("%d bytes at 1 MB/s took %v", len(want), took)
	}
	if n, _ := strconv.Atoi(r.Header.Get("Content-Length")); n != len(want) {
		t.Errorf("Content-Length %d", n)
	}
}
