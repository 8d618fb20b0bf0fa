package fetcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// TestHealth: two failures in twenty attempts rest a source for ten minutes, and after that it starts anew.
func TestHealth(t *testing.T) {
	t.Parallel()
	var h health
	now := time.Now()
	fail := func(oks int) bool {
		for range oks {
			if h.record(true, now) {
				t.Fatal("a success rests a source")
			}
		}
		return h.record(false, now)
	}
	if fail(0) || fail(healthSpan-1) || fail(healthSpan-1) {
		t.Error("one failure in twenty rests a source")
	}
	if !fail(healthSpan - 2) {
		t.Error("two failures in twenty do not rest a source")
	}
	if h.record(false, now) {
		t.Error("it is told twice that a source rests")
	}
	if !h.resting(now.Add(restTime-time.Second)) || h.resting(now.Add(restTime)) {
		t.Error("it does not rest for ten minutes")
	}
	now = now.Add(restTime)
	if fail(0) {
		t.Error("after its rest one failure is enough")
	}
}

// TestSooner: a file leaves the queue for the mirror only when it would be done sooner, and never for an archive of which
// nothing is known.
func TestSooner(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		archive, mirror int64 // bytes in a second; 0: nothing is known
		waiting         int64 // for 8 turns
		want            bool
	}{
		{"nothing known", 0, 0, 100, false},
		{"archive not known", 0, 1, 100, false},
		{"archive as fast", 100, 100, 1, true},
		{"archive faster", 200, 100, 0, true},
		{"archive slower", 10, 100, 8, false},
		{"slower, but many wait", 10, 100, 80, true},
	}
	for _, tt := range tests {
		f := &Fetcher{archive: newSupply(MAST{}, 4, -1, nil), mirror: newSupply(S3{}, 8, -1, nil)}
		for s, n := range map[*supply]int64{f.archive: tt.archive, f.mirror: tt.mirror} {
			if n > 0 {
				s.transferred(n, time.Second)
			}
		}
		f.mirror.waiting.Store(tt.waiting)
		if got := (&attempt{Fetcher: f}).sooner(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestNoCopyIsNoAnswer: that there is no copy of a file is no sign of life of the mirror, which was not asked.
func TestNoCopyIsNoAnswer(t *testing.T) {
	t.Parallel()
	g := newHostGate(time.Hour, func(s string) { t.Logf("note: %s", s) })
	f := &Fetcher{cfg: Config{MirrorOnly: true}, mirror: newSupply(S3{}, 1, -1, g)}
	a := &attempt{Fetcher: f, job: &queue.Job{URI: "none"}, src: f.mirror}
	g.bad("other", false, errors.New("no route"))
	if err := a.hostSays(t.Context(), a.noCopy(errNoCopy), true); !errors.Is(err, errNoCopy) {
		t.Errorf("hostSays = %v, want errNoCopy", err)
	}
	if g.ever || g.outage.IsZero() {
		t.Error("the outage is over, though the mirror has not answered")
	}
}

// atlas is a Mirror that knows where files are and remembers how it was asked.
type atlas struct {
	Source
	asked [][]string
	err   error
	takes time.Duration
}

func (a *atlas) Locate(ctx context.Context, uris []string) (map[string]string, error) {
	a.asked = append(a.asked, slices.Clone(uris))
	select {
	case <-time.After(a.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m := map[string]string{}
	for _, u := range uris {
		if u != "none" {
			m[u] = "key of " + u
		}
	}
	return m, a.err
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// TestLocator: answers come forty at a time and ahead of those who ask; what failed is not asked for a while, and nobody waits
// for it meanwhile.
func TestLocator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a := &atlas{takes: 100 * time.Millisecond}
		var next atomic.Int64
		said := 0
		l := newLocator(a, false, func(context.Context) ([]string, error) {
			from := int(next.Load())
			return numbered(from, min(from+locateAhead, 400)), nil
		}, func(string) { said++ })
		go l.run(ctx)
		for ; next.Load() < 400; next.Add(1) {
			uri := fmt.Sprint(next.Load())
			name, known, err := l.find(ctx, uri)
			if name != "key of "+uri || !known || err != nil {
				t.Fatalf("find(%s) = %q, %v, %v", uri, name, known, err)
			}
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		if len(a.asked) != 10 {
			t.Errorf("%d look-ups for 400 files, want 10", len(a.asked))
		}
		for _, uris := range a.asked {
			if len(uris) != mast.MaxCloudPaths {
				t.Errorf("a look-up for %d files, want %d", len(uris), mast.MaxCloudPaths)
			}
		}
		next.Store(1000)
		if name, known, err := l.find(ctx, "none"); name != "" || !known || err != nil {
			t.Errorf("find of a file without a copy = %q, %v, %v", name, known, err)
		}
		l.forget("7")
		if name, known, _ := l.find(ctx, "7"); name != "" || !known {
			t.Errorf("a forgotten file is %q, %v", name, known)
		}

		synctest.Wait()
		a.err = errors.New("503")
		for i := range 3 {
			begin := time.Now()
			_, known, err := l.find(ctx, "new")
			if known || err != nil || i > 0 && time.Since(begin) != 0 {
				t.Errorf("find of a service that fails = %v, %v after %v", known, err, time.Since(begin))
			}
		}
		if said != 1 {
			t.Errorf("told %d times, want once", said)
		}
		time.Sleep(locateRest)
		synctest.Wait()
		a.err = nil
		if _, known, err := l.find(ctx, "new"); !known || err != nil {
			t.Errorf("find after the rest = %v, %v", known, err)
		}

		synctest.Wait()
		a.takes = time.Hour
		begin := time.Now()
		for range 10 { // as attempts of one worker
			if _, known, err := l.find(ctx, "late"); known || err != nil {
				t.Errorf("find of a service that hangs = %v, %v", known, err)
			}
		}
		if took := time.Since(begin); took > locateWait {
			t.Errorf("a service that hangs costs %v, want %v in all", took, locateWait)
		}
	})
}

// TestLocatorMust: where there is no other source, whoever asks waits for the answer, or gets the error.
func TestLocatorMust(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a := &atlas{takes: 10 * time.Second}
		l := newLocator(a, true, func(context.Context) ([]string, error) { return nil, errors.New("no queue") }, func(string) {})
		go l.run(ctx)
		if name, known, err := l.find(ctx, "1"); name == "" || !known || err != nil {
			t.Errorf("find = %q, %v, %v", name, known, err)
		}
		synctest.Wait()
		a.err = errors.New("503")
		if _, _, err := l.find(ctx, "2"); !errors.Is(err, a.err) {
			t.Errorf("find = %v, want the error", err)
		}
		synctest.Wait()
		a.err = nil
		if _, known, err := l.find(ctx, "2"); !known || err != nil {
			t.Errorf("find = %v, %v after a failure", known, err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, _, err := l.find(ctx, "3"); !errors.Is(err, errDrain) {
			t.Errorf("find = %v, want errDrain", err)
		}
	})
}

// TestLocatorForgets: a million files need no more memory than some thousands.
func TestLocatorForgets(t *testing.T) {
	t.Parallel()
	l := newLocator(&atlas{}, false, nil, nil)
	for i := range 3 * locateKeep {
		l.forget(fmt.Sprint(i))
	}
	if len(l.names) != locateKeep || len(l.kept) != locateKeep || l.names[fmt.Sprint(3*locateKeep-1)] != "" {
		t.Errorf("%d names kept in %d, want %d", len(l.names), len(l.kept), locateKeep)
	}
}
