//go:build e2e

package e2e_test

import (
	"path"
	"strings"
	"testing"
	"time"
)

// settle is how long after a kill the archive may still find requests of the dead process in its sockets.
const settle = 200 * time.Millisecond

// TestKill kills runs over 2,000 files at random moments. At each kill, what is under a final name must be right and what
// the queue calls done must be there; after the last one a run must end with everything right, no file fetched after it
// was done, nothing left lying about, and no byte fetched twice that was in a part.
func TestKill(t *testing.T) {
	rng := random(t)
	kills := count(20, 200)
	var refetched, wire, size int64
	for n := 1; kills > 0; n++ {
		k := newKillTest(t, 20<<20)
		for len(k.kills) < kills {
			delay := time.Duration(50+rng.IntN(1450)) * time.Millisecond
			if !k.runAndKill(t, delay, n%2 == 0) {
				break // it finished first; go on with a new campaign
			}
		}
		kills -= max(len(k.kills), 1)
		again := k.judge(t)
		refetched += again
		wire += k.wire
		size += k.size
		t.Logf("campaign %d: %d kills, %d of %d files done at the last, %d parts cut; re-fetched bytes (part length at the kill - first byte asked next): %d",
			n, len(k.kills), k.doneAtLast, len(k.truth), k.cut, again)
	}
	t.Logf("re-fetched bytes in all: %d; sent by the archive %d for %d bytes of files (the difference was in the sockets of killed processes)",
		refetched, wire, size)
	if refetched != 0 {
		t.Errorf("re-fetched %d bytes, want 0 on the same boot", refetched)
	}
}

// killed is what a kill left behind.
type killed struct {
	restart time.Time        // of the next run
	done    map[string]bool  // by URI
	parts   map[string]int64 // as campaign.parts
}

type killTest struct {
	sim        *sim
	c          *campaign
	truth      map[string]truth
	kills      []killed
	checked    map[string]bool // paths held against the truth already
	byPath     map[string]truth
	doneAtLast int
	cut        int   // parts of kills that were not empty
	wire, size int64 // body bytes sent by the archive; bytes of all files
}

// newKillTest plans the campaign and learns the truth from an archive of its own.
func newKillTest(t *testing.T, rate int) *killTest {
	t.Helper()
	catalog := synthetic(2000, 300)
	k := &killTest{sim: startSim(t, nil, append(catalog, rateFlag(rate)...)...), checked: map[string]bool{}}
	k.c = newCampaign(t, k.sim)
	k.c.run(t, "plan", "--program", program).want(t, 0)
	var uris []string
	for _, row := range k.c.query(t, `SELECT uri FROM v_files WHERE state = 'pending'`) {
		uris = append(uris, row[0].(string))
	}
	if len(uris) < 2000 {
		t.Fatalf("the plan has %d files, want 2,000", len(uris))
	}
	other := startSim(t, nil, catalog...)
	k.truth = fetchTruth(t, other.url, uris)
	k.byPath = map[string]truth{}
	for _, row := range k.c.query(t, `SELECT uri, path FROM v_files`) {
		if tr, ok := k.truth[row[0].(string)]; ok {
			k.byPath[row[1].(string)] = tr
			k.size += tr.size
		}
	}
	return k
}

// runAndKill starts a run, or the same get again, and kills it after the delay. It returns false if the run ended first.
func (k *killTest) runAndKill(t *testing.T, delay time.Duration, get bool) bool {
	t.Helper()
	args := []string{"run"}
	if get {
		args = []string{"get", "--program", program}
	}
	p := k.c.start(t, append(args, fast...)...)
	select {
	case <-p.done:
		p.wait(t, time.Second).want(t, 0)
		return false
	case <-time.After(delay):
		p.kill()
	}
	time.Sleep(settle)
	state := killed{done: map[string]bool{}, parts: k.c.parts(t)}
	for _, e := range k.c.journal(t) {
		state.done[e.URI] = true
	}
	for _, row := range k.c.query(t, `SELECT uri, path FROM v_files WHERE state = 'done'`) {
		state.done[row[0].(string)] = true
	}
	k.checkFinals(t)
	state.restart = time.Now()
	k.kills = append(k.kills, state)
	k.doneAtLast = len(state.done)
	return true
}

// checkFinals holds every file under a final name that has not been looked at yet against the truth.
func (k *killTest) checkFinals(t *testing.T) {
	t.Helper()
	for _, p := range k.c.files(t, "JWST") {
		if k.checked[p] {
			continue
		}
		k.checked[p] = true
		want, ok := k.byPath[p]
		if !ok {
			t.Errorf("after a kill %s is there, which nobody asked for", p)
		} else if got := k.c.digest(t, p); got != want {
			t.Errorf("after a kill %s is %s, %d bytes; want %s, %d bytes", path.Base(p), got.sha256, got.size, want.sha256, want.size)
		}
	}
	for _, row := range k.c.query(t, `SELECT path FROM v_files WHERE state = 'done'`) {
		if !k.checked[row[0].(string)] {
			t.Errorf("after a kill the queue calls %s done, but it is not there", row[0])
		}
	}
}

// judge finishes the campaign and holds all of it against the truth and the archive's log; it returns the bytes that were
// fetched again although they were in a part.
func (k *killTest) judge(t *testing.T) int64 {
	t.Helper()
	k.c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
	k.c.checkComplete(t, k.truth)
	bodies := k.sim.bodies(t, time.Time{})
	var again int64
	for i, kill := range k.kills {
		next := map[string]request{} // the first request for each file after this kill
		for _, r := range bodies {
			if r.Time.Before(kill.restart) {
				continue
			}
			if kill.done[r.URI] {
				t.Errorf("kill %d: %s was done, and was fetched again", i+1, r.URI)
			}
			if _, ok := next[partKey(r.URI)]; !ok {
				next[partKey(r.URI)] = r
			}
		}
		for key, length := range kill.parts {
			if length > 0 {
				k.cut++
			}
			if r, ok := next[key]; ok {
				from := r.from(t)
				if r.Status == 200 {
					from = 0
				}
				if again += max(0, length-from); from < length {
					t.Logf("kill %d: the part of %s had %d bytes, the next request asked from %d, status %d", i+1, path.Base(r.URI), length, from, r.Status)
				}
			}
		}
	}
	for _, r := range bodies {
		k.wire += r.Sent
	}
	return again
}

// TestF52TwoProcesses starts a second run while one holds the campaign: it must say who, and exit 12.
func TestF52TwoProcesses(t *testing.T) {
	s := startSim(t, nil, append(synthetic(200, 1000), rateFlag(1<<20)...)...)
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", program).want(t, 0)
	first := c.start(t, append([]string{"run"}, fast...)...)
	for len(s.bodies(t, time.Time{})) == 0 {
		time.Sleep(20 * time.Millisecond)
		select {
		case <-first.done:
			t.Fatalf("the first run ended: %s", first.stderr.String())
		default:
		}
	}
	second := c.run(t, "run").want(t, 12)
	if pid := itoa(first.cmd.Process.Pid); !strings.Contains(second.stderr, pid) {
		t.Errorf("the second run does not name process %s that holds the campaign:\n%s", pid, second.stderr)
	}
	first.kill()
	c.run(t, append([]string{"status"}, "--json")...).want(t, 0)
}
