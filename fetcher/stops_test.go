package fetcher_test

import (
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

// TestMaxBytes: no file is started that would exceed the bytes of a run, and the next runs bring the rest.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	const size = 57600
	var files []masttest.File
	for n := range 10 {
		files = append(files, exposure(n, "cal", size))
	}
	w := newWorld(t, masttest.Config{}, files...)
	w.plan()
	w.cfg.MaxBytes = 4*size + size/2
	for want := 4; want <= 8; want += 4 {
		res, err := w.run(t.Context())
		if err != nil || res.Limit != fetcher.LimitTransfer || res.Files != 4 || res.Bytes > w.cfg.MaxBytes {
			t.Fatalf("run = %+v, %v; want 4 files and the limit of bytes", res, err)
		}
		n := map[queue.State]int{}
		for _, row := range w.rows() {
			n[row.State]++
		}
		if n[queue.Done] != want || n[queue.Pending] != 10-want {
			t.Errorf("files by state: %v, want %d done and the rest pending", n, want)
		}
	}
	res, err := w.run(t.Context())
	if err != nil || res.Limit != "" {
		t.Errorf("the last run = %+v, %v; want no limit", res, err)
	}
	w.wantWhole()
	if n := w.server.Sent("*"); n != 10*size {
		t.Errorf("the archive sent %d bytes, want %d", n, 10*size)
	}
}

// TestDeadline: a run ends in time, keeps what it has, and starts nothing that could not finish. A file takes 32 s at the
// archive's rate.
func TestDeadline(t *testing.T) {
	t.Parallel()
	const size = 8 << 20 / 2880 * 2880
	w := newWorld(t, masttest.Config{Rate: 256 << 10}, exposure(1, "cal", size), exposure(2, "cal", size), exposure(3, "cal", size))
	w.plan()
	w.cfg.Jobs = 1
	w.cfg.Deadline = time.Now().Add(1500 * time.Millisecond)
	res, err := w.run(t.Context())
	if err != nil || res.Limit != fetcher.LimitTime || res.Drained {
		t.Fatalf("run = %+v, %v; want the limit of time", res, err)
	}
	if res.Bytes >= size {
		t.Errorf("the run received %d bytes, which takes longer than it had", res.Bytes)
	}
	w.server.ForgetRequests()
	again, err := w.run(t.Context()) // the time is over: nothing may be started
	if err != nil || again.Requests != 0 || again.Limit != fetcher.LimitTime {
		t.Errorf("a run after its time = %+v, %v; want no request", again, err)
	}
	w.cfg.Deadline = time.Time{}
	w.server.SetRate(0)
	last, err := w.run(t.Context())
	if err != nil || last.Bytes != 3*size-res.Bytes {
		t.Errorf("the last run = %+v, %v; want the %d bytes that were missing", last, err, 3*size-res.Bytes)
	}
	w.wantWhole()
}
