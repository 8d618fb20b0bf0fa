package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/queue"
)

func TestWaitingFallsDue(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := openAt(t, t.TempDir(), c.now)
	plan(t, q, 3)
	run := startRun(t, q)
	jobs := claim(t, q, run, 3)
	sha := placement(jobs[0]).SHA256
	part := queue.Part{Token: "0badc0de", Source: "mast", Boot: "b", Durable: 512, Size: 1000, Checksum: []byte("0123456789abcdef"),
		Validator: queue.Validator{ETag: `"x"`, LastModified: "yesterday", Date: "today"}}
	o := queue.Outcome{Reason: queue.ReasonRetryAfter, Detail: "503\nplease\x1b[31m wait", DueAt: c.now().Add(time.Hour), Spent: true, Recheck: true, LastSHA: sha, Part: part}
	if err := q.Wait(t.Context(), jobs[0], o); err != nil {
		t.Fatal(err)
	}
	o.DueAt = c.now().Add(2 * time.Hour)
	if err := q.Park(t.Context(), jobs[1], o); err != nil {
		t.Fatal(err)
	}
	o.DueAt = time.Time{}
	o.Reason = queue.ReasonNeedsToken
	if err := q.Park(t.Context(), jobs[2], o); err != nil {
		t.Fatal(err)
	}
	if next, err := q.Next(t.Context()); err != nil || !next.Equal(c.now().Add(time.Hour)) {
		t.Errorf("Next = %v, %v, want in an hour", next, err)
	}
	if got := claim(t, q, run, 3); len(got) != 0 {
		t.Fatalf("claimed %d files before anything was due", len(got))
	}
	c.add(time.Hour)
	got := claim(t, q, run, 3)
	if len(got) != 1 || got[0].ID != jobs[0].ID {
		t.Fatalf("claimed %+v, want the waiting file", got)
	}
	want := jobs[0]
	want.Attempt, want.Tries, want.Checks, want.LastSHA, want.Part = 2, 1, 1, sha, part
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("claimed again (-want +got):\n%s", d)
	}
	if err := q.Wait(t.Context(), got[0], queue.Outcome{Reason: queue.ReasonTransient, DueAt: c.now()}); err != nil {
		t.Fatal(err)
	}
	c.add(999 * time.Millisecond)
	if again := claim(t, q, run, 1); len(again) != 0 {
		t.Error("due rows were moved twice in a second")
	}
	c.add(time.Millisecond)
	if again := claim(t, q, run, 1); len(again) != 1 || again[0].Tries != 0 {
		t.Errorf("after progress: %+v, want one job without tries", again)
	}
	c.add(time.Hour)
	if n, err := q.Unpark(t.Context(), queue.ReasonNeedsToken); err != nil || n != 1 {
		t.Errorf("Unpark = %d, %v, want 1", n, err)
	}
	if again := claim(t, q, run, 3); len(again) != 2 {
		t.Errorf("claimed %d, want the parked files, due and unparked", len(again))
	}
	events, err := q.Events(t.Context(), jobs[0].ID)
	if err != nil || len(events) != 2 || events[0].Kind != "waiting" || events[0].Detail != "retry-after: 503 please [31m wait" {
		t.Errorf("Events = %+v, %v", events, err)
	}
}

func TestManyDueAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := openAt(t, t.TempDir(), c.now)
	chunk := take(t, q)
	const n = 4500
	if err := q.FinishChunk(t.Context(), chunk, queue.ChunkResult{State: queue.ChunkDone, Files: seq(n, file)}); err != nil {
		t.Fatal(err)
	}
	due := c.now().Add(time.Minute)
	rep, err := q.Offer(t.Context(), 0, queue.OfferConfig{Decide: func(queue.File) queue.Decision {
		return queue.Decision{State: queue.Parked, Reason: queue.ReasonNotPublic, DueAt: due}
	}})
	if err != nil || rep.Parked != n || len(rep.ParkedUntil) != 1 || rep.ParkedUntil[0].Files != n {
		t.Fatalf("Offer = %+v, %v", rep, err)
	}
	c.add(time.Hour)
	run := startRun(t, q)
	for got := 0; got < n; {
		jobs := claim(t, q, run, 1000)
		if len(jobs) == 0 {
			t.Fatalf("claims ran dry at %d of %d although all are due", got, n)
		}
		got += len(jobs)
	}
}

func TestF51ClockSetBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := openAt(t, t.TempDir(), c.now)
	plan(t, q, 1)
	run := startRun(t, q)
	j := claim(t, q, run, 1)[0]
	c.add(-24 * time.Hour)
	if err := q.Wait(t.Context(), j, queue.Outcome{Reason: queue.ReasonTransient, DueAt: c.now()}); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, q, run, 1); len(got) != 1 {
		t.Error("after the clock was set back nothing falls due")
	}
}

func TestFailRetryRequeue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	plan(t, q, 4)
	run := startRun(t, q)
	jobs := claim(t, q, run, 4)
	for i, reason := range []queue.Reason{queue.ReasonMissing, queue.ReasonDenied, queue.ReasonDigest} {
		if err := q.Fail(t.Context(), jobs[i], queue.Outcome{Reason: reason, Spent: true, Detail: string(reason)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := fetch(t.Context(), q, jobs[3]); err != nil {
		t.Fatal(err)
	}
	failed := files(t, q.Failures(t.Context()))
	if len(failed) != 3 || failed[0].URI != jobs[0].URI || failed[0].Reason != queue.ReasonMissing {
		t.Errorf("Failures = %+v", failed)
	}
	n, err := q.Counts(t.Context())
	if err != nil || n.Reason[queue.Failed][queue.ReasonDenied].Files != 1 || n.Total().Files != 4 {
		t.Errorf("Counts = %+v, %v", n, err)
	}
	for _, step := range []struct {
		f    queue.RetryFilter
		want int64
	}{
		{queue.RetryFilter{URI: "no such*"}, 0},
		{queue.RetryFilter{URI: "*" + file(0).Name}, 1},
		{queue.RetryFilter{Reasons: []queue.Reason{queue.ReasonDigest, queue.ReasonHTTP}}, 1},
		{queue.RetryFilter{}, 1},
	} {
		if n, err := q.Retry(t.Context(), step.f); err != nil || n != step.want {
			t.Errorf("Retry(%+v) = %d, %v, want %d", step.f, n, err, step.want)
		}
	}
	if err := q.Requeue(t.Context(), jobs[3].ID, "final file is gone"); err != nil {
		t.Fatal(err)
	}
	if err := q.Requeue(t.Context(), jobs[3].ID, "again"); !errors.Is(err, queue.ErrStale) {
		t.Errorf("Requeue of a pending file = %v, want ErrStale", err)
	}
	if got, want := states(t, q), "pending 4"; got != want {
		t.Errorf("states = %q, want %q", got, want)
	}
	if lines := readJournal(t, dir); len(lines) != 2 || lines[0].Undone || !lines[1].Undone {
		t.Errorf("journal = %+v, want done and undone", lines)
	}
}

func TestFailureAfterPlacing(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 1)
	run := startRun(t, q)
	j := claim(t, q, run, 1)[0]
	if err := q.Place(t.Context(), j, placement(j)); err != nil {
		t.Fatal(err)
	}
	if err := q.Fail(t.Context(), j, queue.Outcome{Reason: queue.ReasonRefusedPath}); err != nil {
		t.Fatal(err)
	}
	f := files(t, q.Failures(t.Context()))[0]
	if f.SHA256 != nil || f.Proof != "" || f.Header != nil || f.RunID != 0 {
		t.Errorf("a file that could not be placed keeps %+v", f)
	}
}

func TestPlacings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	plan(t, q, 3)
	run := startRun(t, q)
	part := queue.Part{Token: "0badc0de", Source: "s3", Size: 1000, Durable: 1000}
	for _, j := range claim(t, q, run, 2) {
		if err := errors.Join(q.Progress(t.Context(), j, part), q.Place(t.Context(), j, placement(j))); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openAt(t, dir, nil)
	left, err := q.Placings(t.Context())
	if err != nil || len(left) != 2 {
		t.Fatalf("Placings = %d, %v, want 2", len(left), err)
	}
	if d := cmp.Diff(part, left[0].Part); d != "" || left[0].RunID != run || left[0].SHA256 == nil {
		t.Errorf("placing file %+v, part (-want +got):\n%s", left[0], d)
	}
	if err := q.SettlePlaced(t.Context(), left[0].ID, queue.Done, queue.Part{}); err != nil {
		t.Fatal(err)
	}
	if err := q.SettlePlaced(t.Context(), left[1].ID, queue.Pending, part); err != nil {
		t.Fatal(err)
	}
	if err := q.SettlePlaced(t.Context(), left[1].ID, queue.Done, queue.Part{}); !errors.Is(err, queue.ErrStale) {
		t.Errorf("settling twice = %v, want ErrStale", err)
	}
	if err := q.SettlePlaced(t.Context(), left[1].ID, queue.Failed, queue.Part{}); err == nil {
		t.Error("settling as failed was taken")
	}
	if got, want := states(t, q), "pending 2 done 1"; got != want {
		t.Errorf("states = %q, want %q", got, want)
	}
	if jobs := claim(t, q, startRun(t, q), 3); jobs[0].Part.Token != part.Token || jobs[1].Part.Token != "" {
		t.Errorf("parts after settling: %+v", jobs)
	}
	if lines := readJournal(t, dir); len(lines) != 1 || lines[0].Run != run {
		t.Errorf("journal = %+v, want the settled file under its run", lines)
	}
}

func TestMetaTrustWant(t *testing.T) {
	t.Parallel()
	q := openAt(t, t.TempDir(), nil)
	plan(t, q, 1)
	ctx := t.Context()
	if tr, err := q.Trust(ctx); err != nil || tr != queue.TrustUnproven {
		t.Errorf("Trust at first = %q, %v", tr, err)
	}
	if err := q.SetTrust(ctx, "blind"); err == nil {
		t.Error("SetTrust took an unknown word")
	}
	run := startRun(t, q)
	j := claim(t, q, run, 1)[0]
	p := placement(j)
	p.Trust = queue.TrustProven
	if err := q.Place(ctx, j, p); err != nil {
		t.Fatal(err)
	}
	if tr, err := q.Trust(ctx); err != nil || tr != queue.TrustProven {
		t.Errorf("Trust = %q, %v, want proven", tr, err)
	}
	if err := errors.Join(q.SetMeta(ctx, "clean", "mine"), q.Release(ctx, j, queue.Part{})); err != nil {
		t.Fatal(err)
	}
	if v, err := q.Meta(ctx, "clean"); err != nil || v != "mine" {
		t.Errorf("Meta = %q, %v", v, err)
	}
	if err := q.SetMeta(ctx, "clean", ""); err != nil {
		t.Fatal(err)
	}
	if v, err := q.Meta(ctx, "clean"); err != nil || v != "" {
		t.Errorf("Meta after removal = %q, %v", v, err)
	}
	if err := q.SetWant(ctx, j.URI, p.SHA256); err != nil {
		t.Fatal(err)
	}
	if err := q.SetFacts(ctx, j.ID, queue.KeywordFact{URI: j.URI, Size: 77, Checksum: p.MD5, Facts: queue.Facts{Level: -2, CalVer: "1.2"}}); err != nil {
		t.Fatal(err)
	}
	j = claim(t, q, run, 1)[0]
	if string(j.Want) != string(p.SHA256) || j.Size != 77 || !j.Exact || string(j.Checksum) != string(p.MD5) {
		t.Errorf("job after SetWant and SetFacts = %+v", j)
	}
	if err := q.ClearWants(ctx); err != nil {
		t.Fatal(err)
	}
	if err := q.Release(ctx, j, queue.Part{}); err != nil {
		t.Fatal(err)
	}
	if j = claim(t, q, run, 1)[0]; j.Want != nil {
		t.Errorf("after ClearWants: %+v", j)
	}
	if err := q.SetWant(ctx, "mast:JWST/none", nil); err == nil {
		t.Error("SetWant of an unknown file was taken")
	}
	if err := errors.Join(q.Event(ctx, 0, "note", "hello"), q.FinishRun(ctx, run, 3, []byte(`{}`))); err != nil {
		t.Fatal(err)
	}
	if err := q.FinishRun(ctx, run, 3, nil); !errors.Is(err, queue.ErrStale) {
		t.Errorf("FinishRun twice = %v, want ErrStale", err)
	}
	if ev, err := q.Events(ctx, 0); err != nil || len(ev) != 1 {
		t.Errorf("campaign events = %+v, %v", ev, err)
	}
	if runs, err := q.Runs(ctx); err != nil || len(runs) != 1 || runs[0].Exit != 3 || string(runs[0].Summary) != "{}" {
		t.Errorf("Runs = %+v, %v", runs, err)
	}
}
