//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBigPlan plans 250,000 product rows, killed twice on the way, and compares the plan with an undisturbed one.
func TestBigPlan(t *testing.T) {
	const rows, most = 250_000, 128 << 20
	rng := random(t)
	s := startSim(t, nil, productRows(rows)...)
	whole := newCampaign(t, s)
	r := whole.run(t, "plan", "--program", program, "--guide-stars").want(t, 0)
	t.Logf("undisturbed: %v, memory %d MB", r.took.Round(time.Millisecond), r.memory>>20)
	memory := r.memory
	served, asked := 0, len(s.requests(t))
	for _, q := range s.requests(t) {
		served += q.Rows
	}
	if served < rows {
		t.Errorf("the archive served %d rows, want %d", served, rows)
	}

	broken := newCampaign(t, s)
	for kill := 1; kill <= 2; kill++ {
		p := broken.start(t, "plan", "--program", program, "--guide-stars")
		// By requests, not by time: a busy machine must not move the kill past the end.
		after := 1 + rng.IntN(asked/3)
		for before := len(s.requests(t)); len(s.requests(t)) < before+after; time.Sleep(10 * time.Millisecond) {
			select {
			case <-p.done:
				t.Fatalf("the plan ended before kill %d, after %d requests", kill, after)
			default:
			}
		}
		p.kill()
		memory = max(memory, p.memory())
		t.Logf("kill %d after %d of %d requests: %v files in the queue", kill, after, asked, broken.count(t))
	}
	last := broken.run(t, "plan", "--program", program, "--guide-stars").want(t, 0)
	memory = max(memory, last.memory)
	t.Logf("the rest: %v, memory at most %d MB", last.took.Round(time.Millisecond), memory>>20)
	if memory == 0 || memory >= most {
		t.Errorf("planning took %d MB of memory, want less than %d MB", memory>>20, most>>20)
	}
	samePlan(t, whole, broken)
}

func (c *campaign) count(t *testing.T) any {
	t.Helper()
	return c.query(t, `SELECT count(*) FROM v_files`)[0][0]
}

// samePlan compares all that a plan says of files; row ids and times are of the run and may differ.
func samePlan(t *testing.T, want, got *campaign) {
	t.Helper()
	const query = `SELECT uri, path, state, reason, size_bytes, archive_checksum, level, product_type, program, rights FROM v_files ORDER BY uri`
	a, b := want.lines(t, query), got.lines(t, query)
	t.Logf("%d files planned", len(a))
	if len(a) == 0 || !slices.Equal(a, b) {
		n := 0
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		t.Errorf("the plans have %d and %d files; from file %d on (-undisturbed +killed):\n%s", len(a), len(b), n,
			cmp.Diff(a[n:min(n+3, len(a))], b[n:min(n+3, len(b))]))
	}
}

func (c *campaign) lines(t *testing.T, query string) []string {
	t.Helper()
	var all []string
	for _, row := range c.query(t, query) {
		all = append(all, fmt.Sprintf("%q", row))
	}
	return all
}
