package fetcher_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/crc64nvme"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// bucket is an S3 server with copies of a world's files, which behaves as a test says.
type bucket struct {
	*httptest.Server
	w *world
	// behave may answer a request for the file of a name itself, or change the bytes that are served and set headers.
	behave func(rw http.ResponseWriter, r *http.Request, name string, content []byte) (changed []byte, answered bool)

	mu   sync.Mutex // guards seen
	seen []*http.Request
}

// startBucket gives the world a bucket.
func startBucket(w *world, behave func(http.ResponseWriter, *http.Request, string, []byte) ([]byte, bool)) *bucket {
	w.t.Helper()
	b := &bucket{w: w, behave: behave}
	b.Server = httptest.NewServer(b)
	w.t.Cleanup(b.Close)
	w.bucket = b.URL + "/stpubdata"
	return b
}

func (b *bucket) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.seen = append(b.seen, r.Clone(context.Background()))
	b.mu.Unlock()
	name := path.Base(r.URL.Path)
	content, ok := b.w.server.Content("mast:JWST/product/" + name)
	if !ok || !strings.HasPrefix(r.URL.Path, "/stpubdata/jwst/public/") {
		s3Refusal(rw, http.StatusNotFound, "NoSuchKey")
		return
	}
	body, err := io.ReadAll(content)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	sum := sha256.Sum256(body)
	rw.Header().Set("ETag", fmt.Sprintf(`"%x-2"`, sum[:16]))
	if b.behave != nil {
		var answered bool
		if body, answered = b.behave(rw, r, name, body); answered {
			return
		}
	}
	http.ServeContent(rw, r, name, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(body))
}

func s3Refusal(rw http.ResponseWriter, status int, code string) {
	rw.Header().Del("ETag")
	rw.WriteHeader(status)
	_, _ = fmt.Fprintf(rw, "<Error><Code>%s</Code><Message>words</Message></Error>", code)
}

// requests returns what the bucket was asked for.
func (b *bucket) requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*http.Request(nil), b.seen...)
}

// downloads counts the archive's own file requests, without those of its simulated bucket.
func (w *world) downloads() int { return w.server.Count("/api/v0.1/Download/file") }

// small makes n files.
func small(n int) []masttest.File {
	var files []masttest.File
	for i := range n {
		files = append(files, exposure(i, "cal", 28800))
	}
	return files
}

// TestMirror: public files come from the bucket, their names are asked for forty at a time, and no secret goes there.
func TestMirror(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{Tokens: []masttest.Token{{Value: "s3cr3t"}}}, small(100)...)
	w.token = "s3cr3t"
	b := startBucket(w, nil)
	w.plan()
	w.server.ForgetRequests()
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range w.wantWhole() {
		if row.Source != "s3" || row.Proof != queue.ProofArchive {
			t.Errorf("%s came from %s with proof %s, want s3 and archive", name, row.Source, row.Proof)
		}
	}
	if n := w.downloads(); n != 0 {
		t.Errorf("%d requests to the archive's own download service", n)
	}
	if n := w.server.Count("/api/v0.1/path_lookup/"); n < 3 || n > 5 {
		t.Errorf("%d look-ups for 100 files, want 3 to 5", n)
	}
	if s := res.Sources["s3"]; s.Files != 100 || s.Requests != 100 || s.Bytes != 100*28800 || s.Failures != 0 || res.Requests != 100 {
		t.Errorf("result %+v", res)
	}
	for _, r := range b.requests() {
		if text := fmt.Sprint(r.Header, r.URL); strings.Contains(text, "s3cr3t") || r.Header.Get("Authorization") != "" || r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
			t.Fatalf("a request to the bucket has %s", text)
		}
	}
}

// TestMirrorFails: whatever is wrong with a copy, the file comes from the archive, and no attempt is spent.
func TestMirrorFails(t *testing.T) {
	t.Parallel()
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[20000] ^= 4
		return b
	}
	stated := func(header, value func([]byte) string) func(http.ResponseWriter, []byte) {
		return func(rw http.ResponseWriter, right []byte) {
			rw.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
			rw.Header().Set(header(right), value(right))
		}
	}
	named := func(s string) func([]byte) string { return func([]byte) string { return s } }
	tests := []struct {
		name   string
		nosums bool // the archive lists no checksum
		refuse int  // with this status
		change func([]byte) []byte
		state  func(rw http.ResponseWriter, right []byte)
		blamed int64 // failures of the mirror
	}{
		{name: "missing", refuse: 404},
		{name: "refused", refuse: 403, blamed: 1},
		{name: "gone", refuse: 410, blamed: 1},
		{name: "broken", refuse: 500, blamed: 1},
		{name: "asks to wait", refuse: 503, blamed: 1},
		{name: "redirected away", refuse: 302, blamed: 1},
		{name: "too short", change: func(b []byte) []byte { return b[:len(b)-2880] }, blamed: 1},
		{name: "too long", change: func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 2880)...) }, blamed: 1},
		{name: "a page", change: func(b []byte) []byte { return append([]byte("<html>"), b[6:]...) }, blamed: 1},
		{name: "wrong bit", change: flip, blamed: 1},
		{name: "wrong bit, SHA-256 stated", nosums: true, change: flip, blamed: 1, state: stated(named("X-Amz-Checksum-Sha256"), func(b []byte) string {
			sum := sha256.Sum256(b)
			return base64.StdEncoding.EncodeToString(sum[:])
		})},
		{name: "wrong bit, CRC64NVME stated", nosums: true, change: flip, blamed: 1, state: stated(named("X-Amz-Checksum-Crc64nvme"), func(b []byte) string {
			h := crc64nvme.New()
			_, _ = h.Write(b)
			return base64.StdEncoding.EncodeToString(h.Sum(nil))
		})},
		{name: "wrong bit, CRC32C stated", nosums: true, change: flip, blamed: 1, state: stated(named("X-Amz-Checksum-Crc32c"), func(b []byte) string {
			return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))))
		})},
		{name: "wrong bit, MD5 in the tag", nosums: true, change: flip, blamed: 1, state: func(rw http.ResponseWriter, b []byte) {
			rw.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(b)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files, victim := small(10), "jw01234001001_02101_00003_nrca1_cal.fits"
			if tt.nosums { // and no structure that a wrong bit could break
				victim = "jw01234001001_02101_00003_nrca1_x.txt"
				files[3].Name = victim
			}
			w := newWorld(t, masttest.Config{}, files...)
			w.sums = !tt.nosums
			startBucket(w, func(rw http.ResponseWriter, r *http.Request, name string, b []byte) ([]byte, bool) {
				if name != victim {
					return b, false
				}
				if tt.state != nil {
					tt.state(rw, b)
				}
				switch {
				case tt.refuse == 302:
					rw.Header().Set("Location", "http://files.invalid/x")
					rw.WriteHeader(302)
				case tt.refuse == 404:
					s3Refusal(rw, 404, "NoSuchKey")
				case tt.refuse == 503:
					rw.Header().Set("Retry-After", "60")
					s3Refusal(rw, 503, "SlowDown")
				case tt.refuse != 0:
					s3Refusal(rw, tt.refuse, "AccessDenied")
				case tt.change != nil:
					b = tt.change(b)
				}
				return b, tt.refuse != 0
			})
			w.plan()
			res, err := w.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			row := w.wantWhole()[victim]
			if row.Source != "mast" || row.Attempt != 1 || res.Sources["s3"].Failures != tt.blamed {
				t.Errorf("%s came from %s at attempt %d; the mirror has %d failures, want mast at the first attempt and %d", victim, row.Source, row.Attempt,
					res.Sources["s3"].Failures, tt.blamed)
			}
			if n := len(w.server.BodyRequests(victim)); n != 1 {
				t.Errorf("%d requests to the archive for %s, want 1", n, victim)
			}
		})
	}
}

// TestMirrorStale: a copy of an older version, of the same length, is not taken for the present one, and its bytes are never
// mixed with it.
func TestMirrorStale(t *testing.T) {
	t.Parallel()
	const name = "jw01234001001_02101_00001_nrca1_cal.fits"
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	content, _ := w.server.Content("mast:JWST/product/" + name)
	old, err := io.ReadAll(content)
	w.must(err)
	w.server.Reprocess(name)
	startBucket(w, func(_ http.ResponseWriter, _ *http.Request, _ string, _ []byte) ([]byte, bool) { return old, false })
	w.plan()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := w.wantWhole()[name]; row.Source != "mast" || row.Proof != queue.ProofArchive {
		t.Errorf("it came from %s with proof %s", row.Source, row.Proof)
	}
}

// TestMirrorOutvoted: what a bucket states of its objects counts for nothing against the archive's proven checksum.
func TestMirrorOutvoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, small(30)...)
	startBucket(w, func(rw http.ResponseWriter, _ *http.Request, _ string, b []byte) ([]byte, bool) {
		rw.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`) // no MD5, though it looks like one
		return b, false
	})
	w.plan()
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if s := res.Sources["s3"]; s.Files != 30 || s.Failures != 0 || w.downloads() != 0 {
		t.Errorf("sources %+v, want all 30 from s3", res.Sources)
	}
}

// TestMirrorBreaksOff: a body that breaks off goes on where it was, at the same source.
func TestMirrorBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	w.sums = false
	var once sync.Once
	b := startBucket(w, func(rw http.ResponseWriter, _ *http.Request, _ string, content []byte) (_ []byte, answered bool) {
		once.Do(func() {
			answered = true
			rw.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = rw.Write(content[:2<<20])
			_ = http.NewResponseController(rw).Flush()
		})
		return content, answered
	})
	w.plan()
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	seen := b.requests()
	if len(seen) != 2 || seen[1].Header.Get("Range") != "bytes=2097152-" || seen[1].Header.Get("If-Range") == "" || res.Bytes != big {
		t.Errorf("%d requests, the last with %v; %d bytes received, want %d", len(seen), seen[len(seen)-1].Header, res.Bytes, big)
	}
}

// TestMirrorRests: a bucket that fails is left alone, at the price of a few requests, and the run does not notice.
func TestMirrorRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, small(100)...)
	w.cfg.MirrorJobs = 2
	b := startBucket(w, func(rw http.ResponseWriter, _ *http.Request, _ string, _ []byte) ([]byte, bool) {
		s3Refusal(rw, http.StatusInternalServerError, "InternalError")
		return nil, true
	})
	w.plan()
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if s := res.Sources["s3"]; len(b.requests()) > 20 || s.Rests == 0 || res.Sources["mast"].Files != 100 {
		t.Errorf("%d requests to a bucket that always fails; sources %+v", len(b.requests()), res.Sources)
	}
	if n := strings.Count(w.notes.text(), "fails too often"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, w.notes.text())
	}
}

// TestNoLookUps: a look-up service that fails, or never answers, keeps no file from coming from the archive.
func TestNoLookUps(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]masttest.Fault{
		"fails":  {Path: "/api/v0.1/path_lookup/", Do: masttest.DoStatus, Status: 500},
		"hangs":  {Path: "/api/v0.1/path_lookup/", Do: masttest.DoHang},
		"a page": {Path: "/api/v0.1/path_lookup/", Do: masttest.DoHTML},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, masttest.Config{}, small(60)...)
			b := startBucket(w, nil)
			w.plan()
			w.hurried = true
			w.server.SetFault(fault)
			res, err := w.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.wantWhole()
			if n := w.server.Count("/api/v0.1/path_lookup/"); n == 0 || n > 8 { // what it costs files is TestLocator's
				t.Errorf("%d look-ups, want one with its repetitions", n)
			}
			if len(b.requests()) != 0 || res.Sources["mast"].Files != 60 {
				t.Errorf("sources %+v, want all from mast", res.Sources)
			}
		})
	}
}

// TestExclusive: files that are not public are never asked of the bucket, nor looked up.
func TestExclusive(t *testing.T) {
	t.Parallel()
	for _, exclusive := range []int{3, 6} {
		testExclusive(t, exclusive)
	}
}

func testExclusive(t *testing.T, exclusive int) {
	files := small(6)
	for i := range files[:exclusive] {
		files[i].ReleaseAt = time.Now().Add(1000 * time.Hour)
	}
	w := newWorld(t, masttest.Config{Tokens: []masttest.Token{{Value: "valid"}}}, files...)
	w.token = "valid"
	b := startBucket(w, nil)
	w.plan()
	q := w.open()
	_, err := q.Unpark(t.Context(), queue.ReasonNotPublic)
	w.must(err)
	w.close(q)
	res, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	public := 6 - exclusive
	if res.Sources["mast"].Files != int64(exclusive) || res.Sources["s3"].Files != int64(public) || len(b.requests()) != public {
		t.Errorf("sources %+v and %d requests to the bucket, want %d files from it", res.Sources, len(b.requests()), public)
	}
	if n := w.server.Count("/api/v0.1/path_lookup/"); public == 0 && n != 0 {
		t.Errorf("%d look-ups of files that are not public", n)
	}
}

// TestMirrorOnly: without the archive as a source, files without a copy fail by name, and a service that does not say where
// the copies are is an outage.
func TestMirrorOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, small(8)...)
	startBucket(w, func(rw http.ResponseWriter, _ *http.Request, name string, b []byte) ([]byte, bool) {
		if strings.Contains(name, "_00002_") {
			s3Refusal(rw, http.StatusForbidden, "AccessDenied")
			return nil, true
		}
		return b, false
	})
	w.cfg.MirrorOnly = true
	w.plan()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range w.rows() {
		want, reason := queue.Done, queue.Reason("")
		if strings.Contains(name, "_00002_") {
			want, reason = queue.Failed, queue.ReasonMissing
		}
		if row.State != want || row.Reason != reason || want == queue.Failed && !strings.Contains(row.Detail, "--source auto") {
			t.Errorf("%s is %s for %s (%s), want %s", name, row.State, row.Reason, row.Detail, want)
		}
	}
	if n := w.downloads(); n != 0 {
		t.Errorf("%d requests to the archive", n)
	}

	w = newWorld(t, masttest.Config{}, small(8)...)
	startBucket(w, nil)
	w.cfg.MirrorOnly, w.cfg.MaxOutage = true, time.Second
	w.plan()
	w.server.SetFault(masttest.Fault{Path: "/api/v0.1/path_lookup/", Do: masttest.DoStatus, Status: 500})
	_, err := w.run(t.Context())
	var out *fetcher.UnavailableError
	if !errors.As(err, &out) || !strings.Contains(err.Error(), "public copies are") {
		t.Errorf("run = %v, want *UnavailableError", err)
	}
	for name, row := range w.rows() {
		if row.State != queue.Pending && row.State != queue.Waiting {
			t.Errorf("%s is %s", name, row.State)
		}
	}
}

// TestSourceChange: a part belongs to its source. Another one begins anew, unless the archive's proven checksum proves the
// whole; then not a byte is fetched twice.
func TestSourceChange(t *testing.T) {
	t.Parallel()
	const size = 8 << 20 / 2880 * 2880
	for _, proven := range []bool{true, false} {
		for _, back := range []bool{true, false} {
			t.Run(fmt.Sprintf("proven %v, back %v", proven, back), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, masttest.Config{}, exposure(1, "cal", size), exposure(2, "rate", 28800))
				w.sums = proven
				gate := make(chan struct{})
				startBucket(w, func(rw http.ResponseWriter, r *http.Request, name string, content []byte) (_ []byte, answered bool) {
					if strings.Contains(name, "_cal") && r.Header.Get("Range") == "" {
						rw.Header().Set("Content-Length", fmt.Sprint(len(content)))
						_, _ = rw.Write(content[:4<<20])
						_ = http.NewResponseController(rw).Flush()
						<-gate
						return nil, true
					}
					return content, false
				})
				t.Cleanup(func() { close(gate) })
				w.plan()
				// The other file must be in place: it proves the archive's checksums.
				ctx, cancel := w.until(func() bool {
					rate, err := filepath.Glob(filepath.Join(w.dir, "JWST/*/*_rate.fits"))
					return err == nil && len(rate) == 1 && w.kept() >= 4<<20
				})
				defer cancel()
				first, err := w.run(ctx)
				if err != nil || !first.Drained {
					t.Fatalf("run = %+v, %v; want a stop", first, err)
				}
				address := w.bucket
				w.bucket = ""
				if back {
					w.bucket = address
				}
				second, err := w.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.wantWhole()
				var kept int64
				if proven || back {
					kept = 4 << 20
				}
				if want := size - kept; second.Bytes != want {
					t.Errorf("the second run received %d bytes, want %d", second.Bytes, want)
				}
				for _, r := range w.server.BodyRequests("*_cal.fits") {
					if r.IfRange != "" {
						t.Errorf("the archive was asked with the bucket's validator %s", r.IfRange)
					}
				}
				if from := w.rows()["jw01234001001_02101_00001_nrca1_cal.fits"].Source; back && from != "s3" || !back && from != "mast" {
					t.Errorf("it is recorded as from %s", from)
				}
			})
		}
	}
}

// TestBothBusy: while every transfer from the bucket is under way, the archive's own go on.
func TestBothBusy(t *testing.T) {
	t.Parallel()
	files := small(12)
	for i := 8; i < 12; i++ {
		files[i].ReleaseAt = time.Now().Add(1000 * time.Hour) // no copy of these
	}
	w := newWorld(t, masttest.Config{Tokens: []masttest.Token{{Value: "valid"}}}, files...)
	w.token, w.cfg.Jobs = "valid", 4
	startBucket(w, func(_ http.ResponseWriter, _ *http.Request, _ string, b []byte) ([]byte, bool) {
		for begin := time.Now(); w.downloads() < 4; time.Sleep(5 * time.Millisecond) {
			if time.Since(begin) > patient {
				t.Error("the archive was left idle while the bucket was busy")
				break
			}
		}
		return b, false
	})
	w.plan()
	q := w.open()
	_, err := q.Unpark(t.Context(), queue.ReasonNotPublic)
	w.must(err)
	w.close(q)
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
}

// TestStatedByArchive (V5): a digest that the archive's own reply states is held against the bytes.
func TestStatedByArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, masttest.File{Name: "jw01234001001_02101_00001_nrca1_x.txt", Size: 28800})
	w.sums = false
	w.plan()
	sum, err := hex.DecodeString(w.server.SHA256("mast:JWST/product/jw01234001001_02101_00001_nrca1_x.txt"))
	w.must(err)
	w.server.SetFault(masttest.Fault{URI: "*_x.txt", Do: masttest.DoHeader, Value: "Repr-Digest: sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"},
		masttest.Fault{URI: "*_x.txt", Do: masttest.DoBitFlip, After: 20000, Count: 1})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if n := len(w.server.BodyRequests("*")); n != 2 {
		t.Errorf("%d requests, want a second one after a wrong bit", n)
	}
}

// TestMirrorBlamesNobody: wrong bytes of the mirror do not use up the second fetch that the archive has.
func TestMirrorBlamesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, small(4)...)
	startBucket(w, func(_ http.ResponseWriter, _ *http.Request, name string, b []byte) ([]byte, bool) {
		if strings.Contains(name, "_00003_") {
			b = bytes.Clone(b)
			b[20000] ^= 4
		}
		return b, false
	})
	w.plan()
	w.cfg.Jobs, w.cfg.MirrorJobs, w.cfg.RequireSums = 1, 1, true
	w.server.SetFault(masttest.Fault{URI: "*_00003_*", Path: "/api/v0.1/Download/file", Do: masttest.DoBitFlip, After: 21000, Count: 1})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := w.wantWhole()["jw01234001001_02101_00003_nrca1_cal.fits"]; row.Attempt != 1 {
		t.Errorf("it took %d attempts, want one", row.Attempt)
	}
}

// TestMirrorBlamesNobodyLater: nor do they in the next attempt.
func TestMirrorBlamesNobodyLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, small(4)...)
	startBucket(w, func(_ http.ResponseWriter, _ *http.Request, name string, b []byte) ([]byte, bool) {
		if strings.Contains(name, "_00003_") {
			b = bytes.Clone(b)
			b[20000] ^= 4
		}
		return b, false
	})
	w.plan()
	w.cfg.Jobs, w.cfg.MirrorJobs, w.cfg.RequireSums = 1, 1, true
	const download = "/api/v0.1/Download/file"
	w.server.SetFault(masttest.Fault{URI: "*_00003_*", Path: download, Do: masttest.DoStatus, Status: 500, Count: 1},
		masttest.Fault{URI: "*_00003_*", Path: download, Do: masttest.DoBitFlip, After: 21000, Count: 2})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := w.wantWhole()["jw01234001001_02101_00003_nrca1_cal.fits"]; row.Attempt != 2 {
		t.Errorf("it took %d attempts, want two", row.Attempt)
	}
}
