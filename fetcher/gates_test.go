package fetcher

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// TestGateAfterLimiter (F14): a request that passed the host's gate and then waited for the limiter is not sent when the host
// has asked everybody to wait meanwhile.
func TestGateAfterLimiter(t *testing.T) {
	t.Parallel()
	g := newHostGate(time.Hour, func(string) {})
	probe, err := g.enter(t.Context())
	if err != nil || !g.open(time.Now(), probe) {
		t.Fatalf("enter = %v, %v; want an open gate", probe, err)
	}
	g.pause(time.Minute)
	if g.open(time.Now(), probe) {
		t.Error("the gate is open in a pause that the host asked for")
	}
	if !g.open(time.Now().Add(time.Minute), probe) {
		t.Error("the gate is closed after the pause")
	}
}

// TestT17OneProbe (F16): in an outage one probe passes; nobody else can end its turn, and those who wait for it sleep.
func TestT17OneProbe(t *testing.T) {
	t.Parallel()
	g := newHostGate(time.Hour, func(string) {})
	g.good()
	g.bad("a", false, errors.New("no route"))
	now := time.Now().Add(outageProbe)
	probe, wait, _, err := g.try(now)
	if !probe || wait != 0 || err != nil {
		t.Fatalf("try = %v, %v, %v; want the probe", probe, wait, err)
	}
	if g.open(now, false) || !g.open(now, true) {
		t.Error("in an outage the probe alone may be sent")
	}
	g.cancel(false)
	probe, wait, _, err = g.try(now)
	if probe || wait < time.Minute || err != nil {
		t.Errorf("try beside a probe = %v, %v, %v; want to sleep until the probe ends", probe, wait, err)
	}
	g.cancel(true)
	if probe, _, _, _ := g.try(now); !probe {
		t.Error("a probe that was not sent leaves no turn for the next")
	}
}

// TestNoEvidence: files that failed before, while others came, do not make an outage, however many they are.
func TestNoEvidence(t *testing.T) {
	t.Parallel()
	g := newHostGate(time.Hour, func(string) {})
	for range 2 * outageFiles {
		if g.bad("", true, errors.New("500")) {
			t.Fatal("files that always fail are called an outage")
		}
	}
	out := false
	for i := range outageFiles {
		out = g.bad(fmt.Sprint(i), true, errors.New("500"))
	}
	if !out {
		t.Error("several fresh files with server errors are no outage")
	}
}

// TestDiskRelapse (F40): a disk that has room for a probe and no more is out for as long as it lasts.
func TestDiskRelapse(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	synctest.Test(t, func(t *testing.T) {
		notes := 0
		g := &diskGate{root: root, dir: ".", maxOutage: time.Hour, notify: func(string) { notes++ }}
		g.close(syscall.ENOSPC)
		begin := time.Now()
		var out *StorageError
		for err == nil {
			if err = g.enter(t.Context()); err == nil {
				g.close(syscall.ENOSPC)
			}
		}
		if !errors.As(err, &out) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("enter = %v, want *StorageError of ENOSPC", err)
		}
		if d := time.Since(begin); d < time.Hour || d > time.Hour+diskRelap {
			t.Errorf("given up after %v, want an hour", d)
		}
		if notes > 3 {
			t.Errorf("said %d times, want once", notes)
		}
	})
}

// TestFailedSync (F43): after a failed fsync the part is lost; asking again must not make it durable.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p, err := createPart(root, "mast:JWST/product/x.fits")
	if err == nil {
		err = p.write([]byte("bytes"))
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := p.f
	if p.f, err = os.Open(filepath.Join(root.Name(), p.name)); err != nil {
		t.Fatal(err)
	}
	if err := p.f.Close(); err != nil { // now fsync fails
		t.Fatal(err)
	}
	first := p.sync()
	p.f = whole // now it would not
	if second := p.sync(); first == nil || second == nil {
		t.Errorf("sync = %v, then %v; want an error, and the same again", first, second)
	}
	if s := p.state("boot"); s.Durable != 0 {
		t.Errorf("%d bytes count as durable after a failed fsync", s.Durable)
	}
	if err := p.discard(); err != nil {
		t.Error(err)
	}
}

// TestFinalNameUnknown: while nobody can tell what stands at the final name, a candidate is not opened: it may be that very
// file, and a move would then remove the only one.
func TestFinalNameUnknown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.fits"), []byte("bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	here, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	campaign, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := Candidate{File: queue.File{Path: "x.fits"}, Root: here, Name: "x.fits"}
	found, err := openFound(campaign, c)
	if err != nil || !found.inPlace {
		t.Fatalf("openFound = %v, want the file in place", err)
	}
	if err := errors.Join(found.Close(), campaign.Close()); err != nil { // now nothing in it can be looked at
		t.Fatal(err)
	}
	if _, err := openFound(campaign, c); err == nil {
		t.Error("openFound takes a file for another than the one at the final name, which it could not look at")
	}
}

// TestClassifyLocal: what a firewall refuses is none of the disk, and what no wait can mend ends the run.
func TestClassifyLocal(t *testing.T) {
	t.Parallel()
	dial := func(e error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", e)} }
	tests := []struct {
		err  error
		want class
	}{
		{dial(syscall.EACCES), classOutage}, {dial(syscall.EPERM), classOutage}, {dial(syscall.EMFILE), classGate},
		{&fs.PathError{Op: "rename", Err: syscall.EXDEV}, classStop},
		{&mast.Error{Status: 429}, classRetry},
		{fmt.Errorf("%w: %w", errUnreadable, syscall.EIO), classGate},
	}
	for _, tt := range tests {
		if got := classify(tt.err); got.class != tt.want {
			t.Errorf("classify(%v) = %v, want %v", tt.err, got.class, tt.want)
		}
	}
	if v := classify(&mast.Error{Status: 429}); v.pause == 0 {
		t.Error("a 429 that names no time pauses nobody")
	}
}

// TestAdvanced: bytes that will be fetched again are no progress.
func TestAdvanced(t *testing.T) {
	t.Parallel()
	strong := queue.Part{Validator: queue.Validator{ETag: `"a"`}}
	weak := queue.Part{Validator: queue.Validator{ETag: `W/"a"`}, Checksum: []byte("sum")}
	tests := []struct {
		name   string
		meta   queue.Part
		sum    []byte
		trust  queue.Trust
		size   int64
		beyond int64
		want   bool
	}{
		{"strong validator", strong, nil, queue.TrustUnproven, 2 << 20, 0, true},
		{"too little", strong, nil, queue.TrustUnproven, 2<<20 + 1, 2 << 20, false},
		{"weak validator", weak, nil, queue.TrustUnproven, 2 << 20, 0, false},
		{"weak validator, checksum not proven", weak, []byte("sum"), queue.TrustUnproven, 2 << 20, 0, false},
		{"weak validator, checksum proven", weak, []byte("sum"), queue.TrustProven, 2 << 20, 0, true},
		{"weak validator, checksum of another version", weak, []byte("new"), queue.TrustProven, 2 << 20, 0, false},
	}
	for _, tt := range tests {
		a := &attempt{Fetcher: &Fetcher{trust: newTrustee(tt.trust)}, job: &queue.Job{Size: 1 << 30, Checksum: tt.sum},
			part: &part{meta: tt.meta, size: tt.size}}
		if got := a.advanced(tt.beyond); got != tt.want {
			t.Errorf("%s: advanced(%d) = %v, want %v", tt.name, tt.beyond, got, tt.want)
		}
	}
}

// TestBudget: a file is started only if the bytes and, at the pace so far, the time suffice.
func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := &budget{deadline: now.Add(time.Minute)}
	if !b.start(now, 1<<40) {
		t.Error("while no pace is known a file is not started")
	}
	b.end(1<<40, 1000, 10*time.Second)
	if !b.start(now, 5000) {
		t.Error("a file of 50 s does not fit a minute")
	}
	if b.start(now, 7000) || b.limit() != LimitTime {
		t.Error("a file of 70 s fits a minute")
	}
	b = &budget{maxBytes: 100}
	if !b.start(now, 60) || b.start(now, 60) || b.limit() != LimitTransfer {
		t.Error("two files of 60 bytes fit 100")
	}
	b = &budget{maxBytes: 100}
	b.start(now, 60)
	b.end(60, 10, time.Second) // it was stopped
	if !b.start(now, 60) {
		t.Error("bytes that did not come count")
	}
}
