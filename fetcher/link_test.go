package fetcher_test

import (
	"flag"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"jwstbulk/internal/masttest"
)

// Run with -fetcher.scale=1 for the figures of docs/benchmarks.md.
var linkScale = flag.Int("fetcher.scale", 10, "BenchmarkT1Link fetches one in so many of its 600 files")

// link is a network between us and the archive: what is sent arrives half a round trip later, and all connections share one
// rate. It models no loss and no slow start.
type link struct {
	net.Listener
	archive string
	oneWay  time.Duration
	down    *rate.Limiter // bytes from the archive
	wg      sync.WaitGroup
}

const linkPiece = 16 << 10

// newLink puts a link in front of an archive, which w then asks through it.
func newLink(b *testing.B, w *world, roundTrip time.Duration, bytesPerSecond int) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ln := &link{Listener: l, archive: w.server.URL[len("http://"):], oneWay: roundTrip / 2,
		down: rate.NewLimiter(rate.Limit(bytesPerSecond), 4*linkPiece)}
	w.server.URL = "http://" + l.Addr().String()
	ln.wg.Go(func() { ln.serve(b) })
	b.Cleanup(func() {
		_ = l.Close() // ends serve
		ln.wg.Wait()
	})
}

func (l *link) serve(b *testing.B) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.archive)
		if err != nil {
			b.Error(err)
			return
		}
		l.wg.Go(func() { l.carry(b, near, far, nil) })
		l.wg.Go(func() { l.carry(b, far, near, l.down) })
	}
}

// carry moves bytes from one end to the other until one of them closes.
func (l *link) carry(b *testing.B, from, to net.Conn, limit *rate.Limiter) {
	type piece struct {
		due   time.Time
		bytes []byte
	}
	way := make(chan piece, 256) // under way: more than the link holds
	l.wg.Go(func() {
		defer to.Close() // the other direction ends too
		for p := range way {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				_ = from.Close() // so that the reading ends
			}
		}
	})
	defer close(way)
	for {
		buf := make([]byte, linkPiece)
		n, err := from.Read(buf)
		if n > 0 && limit != nil {
			if e := limit.WaitN(b.Context(), n); e != nil {
				return
			}
		}
		if n > 0 {
			way <- piece{time.Now().Add(l.oneWay), buf[:n]}
		}
		if err != nil {
			return
		}
	}
}

// BenchmarkT1Link fetches a mix of sizes (80 % of 28.8 kB, 15 % of 0.5 MB, 5 % of 8 MB: 299 MB in 600 files) over a link of 30 MB/s
// and 40 ms round trip with eight transfers, hashing, checking and flushing all, and reports what share of the link that takes.
func BenchmarkT1Link(b *testing.B) {
	const bytesPerSecond, roundTrip = 30e6, 40 * time.Millisecond
	var files []masttest.File
	var total int64
	for n := range 600 / *linkScale {
		size := int64(28800)
		switch {
		case n%20 == 7:
			size = 8e6 / 2880 * 2880
		case n%20%6 == 1:
			size = 5e5 / 2880 * 2880
		}
		files = append(files, exposure(n, "cal", size))
		total += size
	}
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, masttest.Config{}, files...)
		w.plan() // the archive computes its checksums now
		newLink(b, w, roundTrip, bytesPerSecond)
		w.cfg.Jobs = 8
		b.StartTimer()
		res, err := w.run(b.Context())
		if err != nil || res.Bytes != total {
			b.Fatalf("%d of %d bytes, %v", res.Bytes, total, err)
		}
		share := float64(total) / bytesPerSecond / res.Elapsed.Seconds()
		b.ReportMetric(share, "of-link")
		b.ReportMetric(res.Elapsed.Seconds(), "s")
		if share > 1.02 {
			b.Errorf("%.3f of the link: it lets too much pass", share)
		}
	}
	b.SetBytes(total)
	b.Logf("%d files, %d bytes", len(files), total)
}
