package queue_test

import (
	"testing"

	"jwstbulk/queue"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, newClock().now)
	plan(t, q, 30)
	if got, want := states(t, q), "pending 30"; got != want {
		t.Fatalf("states = %q, want %q", got, want)
	}
	run := startRun(t, q)
	jobs := claim(t, q, run, 10)
	if len(jobs) != 10 || jobs[0].URI != file(0).URI || jobs[9].URI != file(9).URI {
		t.Fatalf("Claim(10) = %d jobs, first %+v", len(jobs), jobs[0])
	}
	if got, want := jobs[3].Path, "JWST/"+file(3).ObsID+"/"+file(3).Name; got != want {
		t.Errorf("Path = %q, want %q", got, want)
	}
	for _, j := range jobs {
		if err := fetch(t.Context(), q, j); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := states(t, q), "pending 20 done 10"; got != want {
		t.Errorf("states = %q, want %q", got, want)
	}
	done := files(t, q.Done(t.Context()))
	if len(done) != 10 || len(done[0].Observations) != 1 || done[0].Header["CAL_VER"] != "1.18.0" || done[0].Validator.LastModified != placement(jobs[0]).Validator.LastModified {
		t.Errorf("Done = %d files, first %+v", len(done), done[0])
	}
	before := dump(t, q.Reader)
	if err := q.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	q = openAt(t, dir, nil)
	if after := dump(t, q.Reader); after != before {
		t.Errorf("after reopening:\n%s\nwant:\n%s", after, before)
	}
	if s, err := queue.ReadStatus(dir); err != nil || !s.Ended || s.Counts.State[queue.Done].Files != 10 {
		t.Errorf("ReadStatus = %+v, %v", s, err)
	}
}
