package fetcher_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// TestEndless is about servers that always give something and never the file: each must end soon, as a failure that says
// why, at the price of few requests.
func TestEndless(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		faults   []masttest.Fault
		config   masttest.Config
		lie      int64 // bytes that the archive lists beside the truth
		reason   queue.Reason
		requests int
	}{
		{name: "F3 every reply cut, nothing to continue by", config: masttest.Config{Validators: masttest.ValidatorsNone},
			faults: []masttest.Fault{{Do: masttest.DoCut, After: 2 << 20}}, reason: queue.ReasonHTTP, requests: 4},
		{name: "F7 every reply cut, ranges ignored",
			faults: []masttest.Fault{{Do: masttest.DoCut, After: 2 << 20}, {Do: masttest.DoIgnoreRange}}, reason: queue.ReasonHTTP, requests: 8},
		{name: "F35 longer than listed, length not announced",
			faults: []masttest.Fault{{Do: masttest.DoChunked}, {Do: masttest.DoIgnoreRange}}, lie: -2880, reason: queue.ReasonHTTP, requests: 8},
		{name: "F35 shorter than listed, length not announced",
			faults: []masttest.Fault{{Do: masttest.DoChunked}}, lie: +2880, reason: queue.ReasonHTTP, requests: 16},
		{name: "F13 416 to everything", faults: []masttest.Fault{{Do: masttest.DoStatus, Status: 416}}, reason: queue.ReasonHTTP, requests: 2},
		{name: "F21 redirect loop", faults: []masttest.Fault{{Do: masttest.DoRedirect, Value: "loop"}}, reason: queue.ReasonNetwork, requests: 12},
		{name: "F22 redirect to another host", faults: []masttest.Fault{{Do: masttest.DoRedirect, Value: "http://files.invalid/x"}},
			reason: queue.ReasonNetwork, requests: 2},
		{name: "F17 always 500", faults: []masttest.Fault{{Do: masttest.DoStatus, Status: 500}}, reason: queue.ReasonHTTP, requests: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.config, exposure(1, "cal", big), exposure(2, "rate", 28800))
			w.sums = false
			w.plan()
			for _, f := range tt.faults {
				f.URI = "*_cal.fits"
				w.server.SetFault(f)
			}
			if tt.lie != 0 {
				w.lieAboutSize(tt.lie)
				w.server.SetFault(masttest.Fault{URI: "*_cal.fits", Do: masttest.DoSize, Value: fmt.Sprintf("%+d", tt.lie)})
			}
			w.cfg.Tries = 2
			if _, err := w.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			row := w.rows()["jw01234001001_02101_00001_nrca1_cal.fits"]
			if row.State != queue.Failed || row.Reason != tt.reason {
				t.Errorf("the file is %s for %s (%s), want failed for %s", row.State, row.Reason, row.Detail, tt.reason)
			}
			if n := len(w.server.BodyRequests("*_cal.fits")); n > tt.requests {
				t.Errorf("%d requests for the file, want at most %d", n, tt.requests)
			}
			if row := w.rows()["jw01234001001_02101_00002_nrca1_rate.fits"]; row.State != queue.Done {
				t.Errorf("the other file is %s, want done", row.State)
			}
		})
	}
}

// TestContinueByChecksum (F9): once the archive's checksums are proven, a part without a validator is continued also by the
// attempt that began it.
func TestContinueByChecksum(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{Validators: masttest.ValidatorsNone}, exposure(1, "cal", big), exposure(2, "rate", 28800))
	w.plan()
	w.server.SetFault(masttest.Fault{URI: "*_cal.fits", Do: masttest.DoMissing, Count: 1})
	if _, err := w.run(t.Context()); err != nil { // proves the checksums with the other file
		t.Fatal(err)
	}
	w.server.ForgetRequests()
	w.server.SetFault(masttest.Fault{URI: "*_cal.fits", Do: masttest.DoCut, After: 1 << 20, Count: 1})
	w.skipAhead = 2 * time.Hour
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if sent := w.server.Sent("*_cal.fits"); sent > big+64<<10 {
		t.Errorf("the archive sent %d bytes of a file of %d", sent, big)
	}
}

// TestLostPart (F55): what another hand did to a part never reaches a final name.
func TestLostPart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(path string) error
	}{
		{"edited", func(p string) error { return edit(p, 100_000, "wrong") }},
		{"truncated", func(p string) error { return os.Truncate(p, 5000) }},
		{"emptied", func(p string) error { return os.Truncate(p, 0) }},
		{"longer than the file", func(p string) error { return os.Truncate(p, 2*big) }},
		{"removed", os.Remove},
		{"a directory", func(p string) error { return swap(p, func() error { return os.Mkdir(p, 0o755) }) }},
		{"a link to another file", func(p string) error { return swap(p, func() error { return os.Symlink("/etc/hostname", p) }) }},
	}
	for _, tt := range tests {
		t.Run("F55 "+tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
			w.plan()
			w.server.SetFault(masttest.Fault{Do: masttest.DoCut, After: 1 << 20, Count: 1}, masttest.Fault{Do: masttest.DoHang, Skip: 1})
			ctx, cancel := w.until(func() bool { return len(w.server.BodyRequests("*")) == 2 })
			defer cancel()
			if _, err := w.run(ctx); err != nil {
				t.Fatal(err)
			}
			names, err := filepath.Glob(filepath.Join(w.dir, ".jwstbulk/part/*/*.part"))
			if err != nil || len(names) != 1 {
				t.Fatalf("parts %v, %v; want one", names, err)
			}
			w.must(tt.edit(names[0]))
			w.server.ClearFaults()
			if _, err := w.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wantWhole()
		})
	}
}

// TestWholePartOfAnotherBoot (F47): a part that was whole and flushed when a node of the cluster died needs no request, and the
// copy that is placed leaves nothing behind.
func TestWholePartOfAnotherBoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", big))
	w.plan()
	w.cfg.SyncEvery, w.cfg.NetworkFS = 1, true
	killed := false
	w.unchecked, w.tune = true, func(f *fetcher.Fetcher) {
		fetcher.SetBoot(f, "theirs")
		fetcher.SetKill(f, func(step string) bool {
			killed = killed || step == "sealed"
			return killed
		})
	}
	if _, err := w.run(t.Context()); !errors.Is(err, fetcher.ErrKilled) {
		t.Fatalf("run = %v, want it killed", err)
	}
	w.server.ForgetRequests()
	w.unchecked, w.tune = false, func(f *fetcher.Fetcher) { fetcher.SetBoot(f, "ours") }
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if n := len(w.server.BodyRequests("*")); n != 0 {
		t.Errorf("%d requests for a part that was whole", n)
	}
}

func edit(path string, at int64, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		return err
	}
	return f.Close()
}

// swap removes a file and puts something else in its place.
func swap(path string, put func() error) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return put()
}
