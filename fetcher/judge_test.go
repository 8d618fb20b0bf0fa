package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jwstbulk/internal/fits"
	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	var (
		sha, other = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
		md5, wrong = bytes.Repeat([]byte{3}, 16), bytes.Repeat([]byte{4}, 16)
		whole      = body{size: 2880, sha256: sha, md5: md5, isFITS: true, sized: true}
		broken     = body{size: 2880, sha256: sha, md5: md5, isFITS: true, sized: true, complaint: errors.New("no END")}
		page       = body{size: 60, sha256: sha, md5: md5, sized: true, complaint: fits.ErrHTML}
		text       = body{size: 60, sha256: sha, md5: md5, sized: true}
		endless    = body{size: 60, sha256: sha, md5: md5}
	)
	tests := []struct {
		name  string
		job   queue.Job
		body  body
		trust queue.Trust
		asked bool
		want  judgement // err is not compared
	}{
		{"match while unproven", queue.Job{Checksum: md5}, whole, queue.TrustUnproven, false, judgement{ruling: accept, proof: queue.ProofArchive, trust: queue.TrustProven}},
		{"match once proven", queue.Job{Checksum: md5}, whole, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofArchive}},
		{"match outvotes a complaint", queue.Job{Checksum: md5}, broken, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofArchive, flagged: "no END"}},
		{"mismatch asks first", queue.Job{Checksum: wrong}, whole, queue.TrustProven, false, judgement{ruling: ask, reason: queue.ReasonDigest}},
		{"mismatch once proven", queue.Job{Checksum: wrong}, whole, queue.TrustProven, true, judgement{ruling: again, reason: queue.ReasonDigest}},
		{"second mismatch once proven", queue.Job{Checksum: wrong, LastSHA: sha}, whole, queue.TrustProven, true, judgement{ruling: refuse, reason: queue.ReasonDigest}},
		{"mismatch while unproven", queue.Job{Checksum: wrong}, whole, queue.TrustUnproven, true, judgement{ruling: trial, reason: queue.ReasonDigest}},
		{"twice the same while unproven", queue.Job{Checksum: wrong, LastSHA: sha}, whole, queue.TrustUnproven, true, judgement{ruling: accept, proof: queue.ProofDouble, flagged: "x"}},
		{"twice different while unproven", queue.Job{Checksum: wrong, LastSHA: other}, whole, queue.TrustUnproven, true, judgement{ruling: trial, reason: queue.ReasonDigest}},
		{"broken and mismatch while unproven", queue.Job{Checksum: wrong}, broken, queue.TrustUnproven, true, judgement{ruling: again, reason: queue.ReasonStructure}},
		{"checksums that are no MD5", queue.Job{Checksum: wrong}, whole, queue.TrustNotMD5, false, judgement{ruling: accept, proof: queue.ProofStructure}},
		{"no checksum, FITS", queue.Job{}, whole, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofStructure}},
		{"no checksum, other", queue.Job{}, text, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofSize}},
		{"no checksum, broken", queue.Job{}, broken, queue.TrustProven, false, judgement{ruling: again, reason: queue.ReasonStructure}},
		{"no checksum, broken twice the same way", queue.Job{LastSHA: sha}, broken, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofDouble, flagged: "no END"}},
		{"a page twice is still a page", queue.Job{LastSHA: sha}, page, queue.TrustProven, false, judgement{ruling: again, reason: queue.ReasonStructure}},
		{"no length anywhere", queue.Job{}, endless, queue.TrustProven, false, judgement{ruling: again, reason: queue.ReasonSize}},
		{"no length, twice the same", queue.Job{LastSHA: sha}, endless, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofDouble}},
		{"trusted manifest", queue.Job{Want: sha, Checksum: wrong}, whole, queue.TrustProven, false, judgement{ruling: accept, proof: queue.ProofManifest}},
		{"not the manifest's", queue.Job{Want: other}, whole, queue.TrustProven, false, judgement{ruling: again, reason: queue.ReasonDigest}},
		{"not the manifest's, twice", queue.Job{Want: other, LastSHA: sha}, whole, queue.TrustProven, false, judgement{ruling: refuse, reason: queue.ReasonDigest}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judge(&tt.job, tt.body, tt.trust, tt.asked, false)
			if got.ruling != tt.want.ruling || got.proof != tt.want.proof || got.trust != tt.want.trust || got.reason != tt.want.reason {
				t.Errorf("judge = %+v, want %+v", got, tt.want)
			}
			if (got.flagged == "") != (tt.want.flagged == "") {
				t.Errorf("judge flags %q, want %q", got.flagged, tt.want.flagged)
			}
			if (got.ruling == accept) != (got.err == nil) {
				t.Errorf("judge = %+v: an error must stand with every body that is not accepted, and only there", got)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	status := func(s int) error { return fmt.Errorf("asking: %w", &mast.Error{Status: s}) }
	tests := []struct {
		err  error
		want class
	}{
		{context.Canceled, classDrain}, {errDrain, classDrain},
		{status(401), classAuth}, {status(403), classAuth}, {status(404), classLater}, {status(410), classLater},
		{status(408), classRetry}, {status(425), classRetry}, {status(429), classRetry}, {status(500), classRetry}, {status(503), classRetry},
		{status(400), classFail}, {status(451), classFail}, {status(407), classOutage},
		{fmt.Errorf("x: %w", syscall.ENOSPC), classGate}, {fmt.Errorf("x: %w", syscall.EDQUOT), classGate}, {&fs.PathError{Err: syscall.EIO}, classGate}, {syscall.EMFILE, classGate},
		{&fs.PathError{Err: syscall.EROFS}, classStop}, {&fs.PathError{Err: syscall.EACCES}, classStop}, {&queueError{errors.New("x")}, classStop},
		{&net.DNSError{IsNotFound: true}, classOutage}, {&net.OpError{Op: "dial", Err: errors.New("x")}, classOutage}, {syscall.ENETUNREACH, classOutage},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, classRetry}, {errShort, classRetry}, {errStalled, classRetry}, {mast.ErrHTML, classRetry},
		{&mast.Error{Status: 302, Err: mast.ErrRedirect}, classRetry}, {mast.ErrCertificate, classOutage}, {&UnavailableError{Err: &mast.Error{Status: 503}}, classOutage},
		{&failError{reason: queue.ReasonRefusedPath, err: errors.New("x")}, classFail},
		{errors.New("something new"), classRetry},
	}
	for _, tt := range tests {
		if got := classify(tt.err).class; got != tt.want {
			t.Errorf("classify(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

// TestOutageGate (F16, F28): in an outage one probe a minute passes; the rest wait, and go on when one comes through.
func TestOutageGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newHostGate(12*time.Hour, func(string) {})
		g.good()
		up := time.Now().Add(30 * time.Minute)
		probes := 0
		done := make(chan error)
		for i := range 32 {
			go func() {
				for {
					if _, err := g.enter(t.Context()); err != nil {
						done <- err
						return
					}
					if time.Now().After(up) {
						g.good()
						done <- nil
						return
					}
					probes++
					g.bad(fmt.Sprint(i), false, errors.New("no route"))
				}
			}()
		}
		for range 32 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if late := time.Since(up); late > time.Minute {
			t.Errorf("transfers went on %v after the archive came back, want within a minute", late)
		}
		if probes > 32+31 {
			t.Errorf("%d requests in half an hour of outage, want one a minute after the first ones", probes)
		}
	})
}

// TestOutageGivesUp: an archive that never answered is given up after 20 s, one that did after the longest outage allowed.
func TestOutageGivesUp(t *testing.T) {
	t.Parallel()
	for _, ever := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := newHostGate(time.Hour, func(string) {})
			if ever {
				g.good()
			}
			begin := time.Now()
			for {
				_, err := g.enter(t.Context())
				if err == nil {
					g.bad("x", false, errors.New("refused"))
					continue
				}
				var out *UnavailableError
				if !errors.As(err, &out) || out.Ever != ever {
					t.Fatalf("enter = %v, want *UnavailableError with Ever %v", err, ever)
				}
				break
			}
			want := startGrace
			if ever {
				want = time.Hour
			}
			if took := time.Since(begin); took < want || took > want+time.Minute {
				t.Errorf("given up after %v, want %v", took, want)
			}
		})
	}
}

// TestOneBadFileIsNoOutage: server errors of one or two files are theirs.
func TestOneBadFileIsNoOutage(t *testing.T) {
	t.Parallel()
	g := newHostGate(time.Hour, func(string) {})
	for range 20 {
		if g.bad("a", true, errors.New("500")) || g.bad("b", true, errors.New("500")) {
			t.Fatal("two files with server errors were called an outage")
		}
	}
	if !g.bad("c", true, errors.New("500")) {
		t.Error("the third file in a row was not called an outage")
	}
}

// TestWatchdog (F23, F24): a dead and a dripping body are cut, a slow reader of ours is not.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		every time.Duration // between two reads that give something
		n     int           // bytes a read
		cut   bool
	}{{"F23 dead", time.Hour, 1, true}, {"F24 dripping", time.Second, 1, true}, {"F24 slow but alive", 2 * time.Second, 4096, false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				w := newWatchdog(&drip{ctx: ctx, every: tt.every, n: tt.n}, cancel, time.Minute, 1024)
				begin := time.Now()
				for time.Since(begin) < 10*time.Minute {
					if _, err := w.Read(make([]byte, 4096)); err != nil {
						if !tt.cut || !errors.Is(err, errStalled) {
							t.Fatalf("Read = %v after %v", err, time.Since(begin))
						}
						return
					}
					if !tt.cut {
						time.Sleep(10 * time.Second) // our own work between two reads
					}
				}
				if tt.cut {
					t.Error("still reading after ten minutes")
				}
			})
		})
	}
}

// drip gives n bytes every so often.
type drip struct {
	ctx   context.Context
	every time.Duration
	n     int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.every):
		return d.n, nil
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	}
}

func TestDelayGrows(t *testing.T) {
	t.Parallel()
	for n := range 30 {
		limit := time.Second << min(n, 9)
		for range 50 {
			if d := delay(n); d < 0 || d > min(limit, 5*time.Minute) {
				t.Fatalf("delay(%d) = %v, want at most %v", n, d, min(limit, 5*time.Minute))
			}
		}
	}
}
