package fetcher_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jwstbulk/fetcher"
	"jwstbulk/internal/masttest"
	"jwstbulk/queue"
)

const big = 3 << 20 / 2880 * 2880 // some buffers long

// TestBody runs one misbehaviour of the server at a time against one file, with the archive's checksum known and not. The
// file must arrive whole, in the version the server has at the end.
func TestBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		faults   []masttest.Fault
		config   masttest.Config
		requests int           // at most
		once     bool          // no byte is received twice
		hurry    time.Duration // how long headers and bytes are waited for, so that a fault ends; patient if 0
	}{
		{name: "F1 reset mid-body", faults: []masttest.Fault{{Do: masttest.DoReset, After: 1 << 20, Count: 1}}, requests: 2, once: true},
		{name: "F2 FIN mid-body", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}}, requests: 2, once: true},
		{name: "F3 every reply cut", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20}}, requests: 4, once: true},
		{name: "F4 close-delimited body cut", faults: []masttest.Fault{{Do: masttest.DoNoLength, After: 1 << 20, Count: 1}}, requests: 2, once: true},
		{name: "F5 chunked body cut", faults: []masttest.Fault{{Do: masttest.DoChunkCut, After: 1 << 20, Count: 1}}, requests: 2, once: true},
		{name: "F7 200 instead of 206", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoIgnoreRange}}, requests: 2},
		{name: "F8 changed, strong ETag", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoReprocess, Skip: 1, Count: 1}}, requests: 4},
		{name: "F9 changed, weak ETag", config: masttest.Config{Validators: masttest.ValidatorsWeak},
			faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoReprocess, Skip: 1, Count: 1}}, requests: 4},
		{name: "F9 changed, no validators", config: masttest.Config{Validators: masttest.ValidatorsNone},
			faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoReprocess, Skip: 1, Count: 1}}, requests: 4},
		{name: "F10 changed, If-Range ignored", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1},
			{Do: masttest.DoReprocess, Skip: 1, Count: 1}, {Do: masttest.DoIgnoreIfRange}}, requests: 4},
		{name: "F11 206 before the asked byte", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoOverlap, Count: 1, Skip: 1}}, requests: 3},
		{name: "F12 no Content-Range", faults: contentRange("none"), requests: 3},
		{name: "F12 total unknown", faults: contentRange("star"), requests: 3},
		{name: "F12 wrong total", faults: contentRange("total"), requests: 3},
		{name: "F12 last before first", faults: contentRange("backwards"), requests: 3},
		{name: "F12 two Content-Range", faults: contentRange("two"), requests: 3},
		{name: "F12 multipart", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoMultipart, Skip: 1, Count: 1}}, requests: 3},
		{name: "F13 416 on a part", faults: []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoUnsatisfied, Count: 1, Skip: 1}}, requests: 3},
		{name: "F14 429 Retry-After seconds", faults: []masttest.Fault{{Do: masttest.DoStatus, Status: 429, RetryAfter: "1", Count: 1}}, requests: 2},
		{name: "F15 429 Retry-After date", faults: []masttest.Fault{{Do: masttest.DoStatus, Status: 429, RetryAfter: "date:1", Count: 1}}, requests: 2},
		{name: "F17 502 with a page", faults: []masttest.Fault{{Do: masttest.DoStatus, Status: 502, Count: 1}}, requests: 2},
		{name: "F22 redirect on the host", faults: []masttest.Fault{{Do: masttest.DoRedirect, Value: "same"}}, requests: 2},
		{name: "F23 stall", faults: []masttest.Fault{{Do: masttest.DoStall, After: 1 << 20, Count: 1}}, requests: 8, once: true, hurry: 2 * time.Second},
		{name: "F25 no headers", faults: []masttest.Fault{{Do: masttest.DoHang, Count: 1}}, requests: 8, once: true, hurry: 2 * time.Second},
		{name: "F30 page with 200", faults: []masttest.Fault{{Do: masttest.DoHTML, Count: 1}}, requests: 2},
		{name: "F31 gzip", faults: []masttest.Fault{{Do: masttest.DoGzip, Count: 1}}, requests: 2},
		{name: "F32 length and chunked", faults: []masttest.Fault{{Do: masttest.DoTwoLengths, Count: 1}}, requests: 2},
		{name: "F66 hostile disposition", faults: []masttest.Fault{{Do: masttest.DoDisposition, Value: `attachment; filename="../../x"`}}, requests: 1},
	}
	for _, tt := range tests {
		for _, sums := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, checksum %v", tt.name, sums), func(t *testing.T) {
				t.Parallel()
				faults := slices.Clone(tt.faults)
				for i := range faults {
					faults[i].URI = "*_cal.fits"
				}
				w := newWorld(t, tt.config, exposure(1, "cal", big))
				w.sums = sums
				if tt.hurry > 0 {
					w.cfg.Stall, w.headers = tt.hurry, tt.hurry
				}
				w.plan()
				w.server.SetFault(faults...)
				res, err := w.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.wantWhole()
				if tt.once && res.Bytes != big {
					t.Errorf("%d bytes received, want each of %d once", res.Bytes, big)
				}
				if n := len(w.server.BodyRequests("*_cal.fits")); n > tt.requests {
					t.Errorf("%d requests for the file, want at most %d", n, tt.requests)
				}
			})
		}
	}
}

func contentRange(value string) []masttest.Fault {
	return []masttest.Fault{{Do: masttest.DoCut, After: 1 << 20, Count: 1}, {Do: masttest.DoContentRange, Value: value, Skip: 1, Count: 1}}
}

// TestOutcomes is about files that cannot be had: each ends in the state and for the reason that says so, and takes nothing
// else with it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  masttest.Fault
		state  queue.State
		reason queue.Reason
		says   string
	}{
		{"F20 404", masttest.Fault{Do: masttest.DoMissing}, queue.Waiting, queue.ReasonReprocessing, "404"},
		{"F18 401 without token", masttest.Fault{Do: masttest.DoDenied}, queue.Parked, queue.ReasonNeedsToken, "10 days"},
		{"F19 403", masttest.Fault{Do: masttest.DoStatus, Status: 403}, queue.Parked, queue.ReasonNeedsToken, "token"},
		{"F6 always a wrong bit", masttest.Fault{Do: masttest.DoBitFlip, After: 1 << 20}, queue.Failed, queue.ReasonDigest, "MD5"},
		{"other 4xx", masttest.Fault{Do: masttest.DoStatus, Status: 400}, queue.Failed, queue.ReasonHTTP, "400"},
		{"F35 wrong size everywhere", masttest.Fault{Do: masttest.DoSize, Value: "+2880"}, queue.Failed, queue.ReasonSize, "--accept-server-size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := []masttest.File{exposure(0, "cal", big)}
			for n := 1; n <= 8; n++ {
				files = append(files, exposure(n, "rate", 28800))
			}
			w := newWorld(t, masttest.Config{}, files...)
			tt.fault.URI = "*_cal.fits"
			w.plan()
			w.server.SetFault(tt.fault)
			if tt.fault.Do == masttest.DoSize {
				w.lieAboutSize(2880)
			}
			w.cfg.Linger = time.Second
			if _, err := w.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, row := range w.rows() {
				if strings.Contains(name, "_rate") {
					if row.State != queue.Done {
						t.Errorf("%s is %s, want done", name, row.State)
					}
					continue
				}
				if row.State != tt.state || row.Reason != tt.reason || !strings.Contains(row.Detail, tt.says) {
					t.Errorf("%s is %s for %s (%s), want %s for %s with %q", name, row.State, row.Reason, row.Detail, tt.state, tt.reason, tt.says)
				}
			}
		})
	}
}

// lieAboutSize makes the queue believe in other lengths.
func (w *world) lieAboutSize(more int64) {
	q := w.open()
	defer w.close(q)
	for f, err := range q.Files(w.t.Context(), queue.Filter{URI: "*_cal.fits"}) {
		w.must(err)
		w.must(q.SetFacts(w.t.Context(), f.ID, queue.KeywordFact{URI: f.URI, Size: f.Size + more, Checksum: f.Checksum}))
	}
}

// TestDeniedByName: with a valid token a refusal speaks of the file, and nothing else stops.
func TestDeniedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{Tokens: []masttest.Token{{Value: "valid-token"}}}, exposure(0, "cal", big), exposure(1, "rate", 28800))
	w.token = "valid-token"
	w.plan()
	w.server.SetFault(masttest.Fault{URI: "*_cal.fits", Do: masttest.DoDenied})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := w.rows()["jw01234001001_02101_00000_nrca1_cal.fits"]; row.State != queue.Failed || row.Reason != queue.ReasonDenied {
		t.Errorf("the refused file is %s for %s, want failed for denied", row.State, row.Reason)
	}
}

// TestOtherAlgorithm: an archive whose checksums are no MD5 costs a few fetches more, one warning, and no file.
func TestOtherAlgorithm(t *testing.T) {
	t.Parallel()
	var files []masttest.File
	for n := range 100 {
		files = append(files, exposure(n, "cal", 57600))
	}
	w := newWorld(t, masttest.Config{}, files...)
	w.plan()
	w.server.SetFault(masttest.Fault{Do: masttest.DoChecksum, Value: "sha256"})
	w.lieAboutChecksums()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if n := len(w.server.BodyRequests("*")); n > 108 {
		t.Errorf("%d requests for 100 files, want at most 108", n)
	}
	if n := strings.Count(w.notes.text(), "not the MD5"); n != 1 {
		t.Errorf("the warning came %d times, want once:\n%s", n, w.notes.text())
	}
}

// lieAboutChecksums gives each row the first half of the SHA-256 instead of the MD5.
func (w *world) lieAboutChecksums() {
	q := w.open()
	defer w.close(q)
	for f, err := range q.Files(w.t.Context(), queue.Filter{}) {
		w.must(err)
		var sum [16]byte
		_, err = fmt.Sscanf(w.server.SHA256(f.URI)[:32], "%x", new([]byte))
		w.must(err)
		copy(sum[:], unhex(w.server.SHA256(f.URI)[:32]))
		w.must(q.SetFacts(w.t.Context(), f.ID, queue.KeywordFact{URI: f.URI, Size: f.Size, Checksum: sum[:]}))
	}
}

func unhex(s string) []byte {
	b := make([]byte, len(s)/2)
	for i := range b {
		_, _ = fmt.Sscanf(s[2*i:2*i+2], "%02x", &b[i])
	}
	return b
}

// TestRequireSums: with RequireSums the same archive fails every file.
func TestRequireSums(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 57600))
	w.plan()
	w.server.SetFault(masttest.Fault{Do: masttest.DoChecksum, Value: "sha256"})
	w.lieAboutChecksums()
	w.cfg.RequireSums = true
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range w.rows() {
		if row.State != queue.Failed || row.Reason != queue.ReasonDigest {
			t.Errorf("%s is %s for %s, want failed for digest", name, row.State, row.Reason)
		}
	}
}

// TestStopAndGoOn: a run that is stopped in the middle of two bodies keeps what it received, and the next fetches only the rest.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	const size = 8 << 20 / 2880 * 2880
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", size), exposure(2, "cal", size))
	w.plan()
	w.server.SetFault(masttest.Fault{Do: masttest.DoStall, After: 2<<20 + 1000, Count: 2})
	ctx, cancel := w.until(func() bool { return w.kept() >= 4<<20 })
	defer cancel()
	res, err := w.run(ctx)
	kept := w.kept()
	if err != nil || !res.Drained || res.Bytes != kept {
		t.Fatalf("run = %+v, %v, with %d bytes in parts; want it drained with all in parts", res, err, kept)
	}
	again, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if again.Bytes != 2*size-kept {
		t.Errorf("the second run received %d bytes, want the %d that were missing", again.Bytes, 2*size-kept)
	}
}

// kept returns how many bytes lie in parts. A part that goes to its final name meanwhile may count or not.
func (w *world) kept() (n int64) {
	for _, name := range parts(w.t, w.dir) {
		n += size(name)
	}
	return n
}

// TestNothingTwice: a second run over a finished campaign makes no request, and deleted files come back.
func TestNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 57600), exposure(2, "cal", 57600))
	w.plan()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := w.wantWhole()
	w.server.ForgetRequests()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.server.Requests()); n != 0 {
		t.Errorf("a second run made %d requests, want none", n)
	}
	victim := rows["jw01234001001_02101_00001_nrca1_cal.fits"]
	if err := os.Remove(filepath.Join(w.dir, victim.Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	if n := len(w.server.Requests()); n != 1 {
		t.Errorf("a deleted file cost %d requests, want 1", n)
	}
}

// TestUsersFile: a file of the user's at a final name is kept, whatever it is.
func TestUsersFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 57600), exposure(2, "cal", 57600))
	w.plan()
	rows := w.rows()
	theirs := filepath.Join(w.dir, rows["jw01234001001_02101_00001_nrca1_cal.fits"].Path)
	dir := filepath.Join(w.dir, rows["jw01234001001_02101_00002_nrca1_cal.fits"].Path)
	for _, err := range []error{os.MkdirAll(filepath.Dir(theirs), 0o755), os.WriteFile(theirs, []byte("mine"), 0o644), os.MkdirAll(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(w.dir, theirs)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(w.dir, ".jwstbulk/replaced", rel))
	if err != nil || string(kept) != "mine" {
		t.Errorf("the user's file is not in replaced: %q, %v", kept, err)
	}
	if row := w.rows()["jw01234001001_02101_00002_nrca1_cal.fits"]; row.Reason != queue.ReasonRefusedPath {
		t.Errorf("a file whose name is taken by a directory is %s for %s, want refused-path", row.State, row.Reason)
	}
}

// TestUnreachable: an archive that never answers is given up soon, with nothing lost.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 57600))
	w.plan()
	if err := w.server.Close(); err != nil {
		t.Fatal(err)
	}
	w.cfg.MaxOutage = 3 * time.Second
	_, err := w.run(t.Context())
	var out *fetcher.UnavailableError
	if !errors.As(err, &out) || out.Ever {
		t.Fatalf("run = %v, want *UnavailableError of an archive that never answered", err)
	}
	for name, row := range w.rows() {
		if row.State != queue.Pending {
			t.Errorf("%s is %s, want pending", name, row.State)
		}
	}
}

// pauses remembers the pause that the host asked for.
type pauses struct {
	mu          sync.Mutex // guards all below
	asked, ends time.Time
}

func (*pauses) Until() time.Time { return time.Time{} }

func (p *pauses) Pause(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.ends = time.Now(), until
}

// TestT17RetryAfterStopsAll (F14, H21): while the host asks to wait, nobody asks it for anything: at most the other transfers'
// requests, which were on their way when it said so, arrive in the pause.
func TestT17RetryAfterStopsAll(t *testing.T) {
	t.Parallel()
	const jobs = 8
	var files []masttest.File
	for n := range 80 {
		files = append(files, exposure(n, "cal", 28800))
	}
	w := newWorld(t, masttest.Config{}, files...)
	w.plan()
	var p pauses
	w.cfg.Jobs, w.cfg.Pauses = jobs, &p
	w.server.SetFault(masttest.Fault{Do: masttest.DoStatus, Status: 429, RetryAfter: "2", Skip: 8, Count: 1, Path: "/api/v0.1/Download/file"})
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantWhole()
	during, after := 0, 0
	for _, r := range w.server.BodyRequests("*") {
		switch {
		case r.Status == http.StatusTooManyRequests:
			if d := p.ends.Sub(r.Time); d < 2*time.Second {
				t.Errorf("the pause ends %v after the host had asked to wait 2 s", d)
			}
		case r.Time.After(p.asked) && r.Time.Before(p.ends):
			during++
		case !r.Time.Before(p.ends):
			after++
		}
	}
	if during >= jobs || after == 0 {
		t.Errorf("%d requests came while the host had asked to wait and %d after, want less than %d and the rest", during, after, jobs)
	}
}

// TestF16Storm: a host that is out costs no file an attempt.
func TestF16Storm(t *testing.T) {
	t.Parallel()
	var files []masttest.File
	for n := range 20 {
		files = append(files, exposure(n, "cal", 28800))
	}
	w := newWorld(t, masttest.Config{}, files...)
	w.plan()
	w.server.SetStorm(true)
	timer := time.AfterFunc(4*time.Second, func() { w.server.SetStorm(false) })
	defer timer.Stop()
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, row := range w.wantWhole() {
		if row.State == queue.Failed {
			t.Errorf("%s failed in an outage", name)
		}
	}
	if n := len(w.server.BodyRequests("*")); n > 20+16 {
		t.Errorf("%d requests in all, want few in the outage", n)
	}
}

// TestLostFile: a done file that is gone is fetched again; if the archive has another version of it by then, that is said.
func TestLostFile(t *testing.T) {
	t.Parallel()
	for _, reprocessed := range []bool{false, true} {
		w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800))
		w.plan()
		if _, err := w.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		row := w.wantWhole()[exposure(1, "cal", 0).Name]
		w.must(os.Remove(filepath.Join(w.dir, row.Path)))
		if reprocessed && len(w.server.Reprocess("*")) != 1 {
			t.Fatal("nothing was reprocessed")
		}
		res, err := w.run(t.Context())
		w.must(err)
		w.wantWhole()
		q := w.open()
		events, err := q.Events(t.Context(), row.ID)
		w.must(err)
		w.close(q)
		told := slices.ContainsFunc(events, func(e queue.Event) bool {
			return e.Kind == "version" && strings.Contains(e.Detail, fmt.Sprintf("%x", row.SHA256))
		})
		if told != reprocessed || (res.Changed == 1) != reprocessed || strings.Contains(w.notes.text(), "another version") != reprocessed {
			t.Errorf("reprocessed %v: told %v, %d changed, notes %q", reprocessed, told, res.Changed, w.notes.text())
		}
	}
}

// TestLostFileOfTask: that is said too of a file that a task fetched, of which this queue has seen no attempt.
func TestLostFileOfTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t, masttest.Config{}, exposure(1, "cal", 28800))
	w.plan()
	row := w.rows()[exposure(1, "cal", 0).Name]
	q := w.open()
	run, err := q.StartRun(t.Context(), queue.RunInfo{Command: "test"})
	w.must(err)
	rep, err := q.TakeBack(t.Context(), run, 1, 0, queue.Returned{Done: []queue.JournalLine{{URI: row.URI, Path: row.Path, Size: row.Size,
		SHA256: strings.Repeat("0", 64), MD5: strings.Repeat("0", 32), Proof: queue.ProofStructure, At: 1}}})
	w.must(err)
	w.close(q)
	if rep.Done != 1 {
		t.Fatalf("TakeBack = %+v, want one file done", rep)
	}
	res, err := w.run(t.Context())
	w.must(err)
	w.wantWhole()
	if res.Changed != 1 || !strings.Contains(w.notes.text(), "another version") {
		t.Errorf("%d changed, notes %q; want one that is told", res.Changed, w.notes.text())
	}
}
