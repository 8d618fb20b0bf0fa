//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBigPlan plans 250,000 product rows, killed at random moments on the way, and compares the plan with an undisturbed one.
func TestBigPlan(t *testing.T) {
	const rows, most = 250_000, 128 << 20
	rng := random(t)
	s := startSim(t, nil, append(productRows(rows), "--metadata-only")...)
	whole := newCampaign(t, s)
	r := whole.run(t, "plan", "--program", program).want(t, 0)
	served, asked := 0, len(s.requests(t))
	for _, q := range s.requests(t) {
		served += q.Rows
	}
	t.Logf("undisturbed: %d rows in %d requests, %v, memory %d MB", served, asked, r.took.Round(time.Millisecond), r.memory>>20)
	if served < rows {
		t.Errorf("the archive served %d rows, want %d", served, rows)
	}

	memory, kills := r.memory, count(10, 100)
	for n := 1; kills > 0; n++ {
		broken, here := newCampaign(t, s), 0
		for kills > 0 && !broken.finished(t) {
			p := broken.start(t, "plan", "--program", program)
			// By requests, not by time: a busy machine must not move the kill past the end.
			if killDuring(t, s, p, 1+rng.IntN(asked/6), time.Duration(rng.IntN(60))*time.Millisecond) {
				kills, here = kills-1, here+1
			}
			memory = max(memory, p.memory())
		}
		if !broken.finished(t) { // else planning again would be a second query
			memory = max(memory, broken.run(t, "plan", "--program", program).want(t, 0).memory)
		}
		t.Logf("campaign %d: %d kills, memory at most %d MB", n, here, memory>>20)
		samePlan(t, whole, broken)
		if here == 0 {
			t.Fatal("the plan ended before it could be killed")
		}
	}
	if memory == 0 || memory >= most {
		t.Errorf("planning took %d MB of memory, want less than %d MB", memory>>20, most>>20)
	}
}

// finished tells whether the campaign's query is planned to the end.
func (c *campaign) finished(t *testing.T) bool {
	t.Helper()
	if _, err := os.Stat(filepath.Join(c.dir, ".jwstbulk", "queue.db")); err != nil {
		return false
	}
	return len(c.query(t, `SELECT 1 FROM query WHERE finished_at IS NOT NULL`)) > 0
}

// killDuring kills a program some time after it has made so many requests; false if it ended before.
func killDuring(t *testing.T, s *sim, p *proc, requests int, delay time.Duration) bool {
	t.Helper()
	for before := len(s.requests(t)); len(s.requests(t)) < before+requests; {
		select {
		case <-p.done:
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	select {
	case <-p.done:
		return false
	case <-time.After(delay):
		p.kill()
		return p.waitErr != nil // it may have ended by itself just now
	}
}

// TestPlanDisturbed plans from an archive that times out above 20,000 joined rows, resets one connection in ten and answers
// EXECUTING now and then: the plan is the undisturbed one, and polls apart it asks little more than the limit makes needful.
func TestPlanDisturbed(t *testing.T) {
	const limit = 20_000
	catalog := []string{"--catalog", "synthetic", "--observations", "300", "--per-program", "4995", "--rows", "1000",
		"--scale", "1000", "--metadata-only"}
	calm := newCampaign(t, startSim(t, nil, catalog...))
	calm.run(t, "plan", "--program", program).want(t, 0)

	s := startSim(t, []fault{
		{"path": "/api/v0/invoke", "do": "resetatstart", "one_in": 10},
		{"path": "/api/v0/invoke", "do": "executing", "one_in": 5},
	}, append(catalog, "--join-rows", itoa(limit))...)
	c := newCampaign(t, s)
	r := c.run(t, "plan", "--program", program).want(t, 0)
	samePlan(t, calm, c)

	rows, asked, polls, resets, late := 0, 0, 0, 0, 0
	for _, q := range s.requests(t) {
		switch {
		case q.Fault == "executing":
			polls++
			continue
		case q.Fault == "resetatstart":
			resets++
		case q.Status == http.StatusGatewayTimeout:
			late++
		case q.Service == "Mast.Caom.Products":
			rows += q.Rows
		}
		asked++
	}
	bound := (rows+limit-1)/limit*3/2 + 12
	t.Logf("%d rows in %d requests (at most %d), of which %d were reset and %d timed out, and %d polls, in %v", rows, asked, bound,
		resets, late, polls, r.took.Round(time.Millisecond))
	if asked > bound || rows < 10*limit || resets == 0 || late == 0 || polls == 0 {
		t.Error("want requests within the bound, and some of each disturbance")
	}
}

// samePlan compares all that plans say; row ids, times and how the plan was cut into requests are of the run and may differ.
func samePlan(t *testing.T, want, got *campaign) {
	t.Helper()
	for _, query := range []string{
		`SELECT uri, path, state, reason, size_bytes, exact, archive_checksum, program, instrument, level, product_type, rights, cal_ver,
			crds_ctx, release_at, ingested_at, due_at FROM v_files ORDER BY uri`,
		`SELECT f.name, count(*), min(p.obsid), max(p.obsid), sum(p.obsid) FROM file_observation p JOIN file f ON f.id = p.file_id
			GROUP BY f.id ORDER BY f.name`,
		`SELECT obsid, obs_id, program, instrument, level, rights FROM observation ORDER BY obsid`,
		`SELECT name, row_count, files, bytes FROM rule ORDER BY name`,
		`SELECT count(*), sum(uri_hash >> 32) FROM omitted`,
		`SELECT state, reason, files, bytes FROM tally WHERE files > 0 ORDER BY state, reason`,
		`SELECT spec, row_count, duplicates, known, finished_at IS NOT NULL FROM query`,
	} {
		a, b := want.lines(t, query), got.lines(t, query)
		if len(a) > 0 && slices.Equal(a, b) {
			continue
		}
		n := 0
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		t.Errorf("%s\nThe plans have %d and %d rows; from row %d on (-undisturbed +disturbed):\n%s", query, len(a), len(b), n,
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
