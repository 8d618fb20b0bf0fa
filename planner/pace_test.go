package planner_test

import (
	"testing"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
)

// After any number of replies for observations without products the requests are as large as they may be.
func TestPaceOfEmptyReplies(t *testing.T) {
	t.Parallel()
	for _, replies := range []int{20, 60, 100, 2000} {
		if n := planner.ObservationsAfterEmpty(replies); n != 64 {
			t.Errorf("after %d replies without rows a request asks for %d observations, want 64", replies, n)
		}
	}
}

// An archive that cannot join many rows and answers EXECUTING now and then is asked little more often than its limit makes
// needful, and the plan is that of an archive without limits. The whole size, with resets, is an end-to-end test.
func TestPlanLearnsLimit(t *testing.T) {
	t.Parallel()
	const limit, most = 2000, 2500
	cat := masttest.Synthetic(masttest.SyntheticConfig{Observations: 200, PerProgram: 200, Rows: 134})
	ask := query.Query{Programs: []string{firstProgram}}
	whole := newRig(t, masttest.Config{Catalog: cat, MetadataOnly: true})
	whole.plan(ask)
	want := whole.dump()
	for _, how := range []masttest.JoinFailure{masttest.JoinGatewayTimeout, masttest.JoinError, masttest.JoinReset} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, masttest.Config{Catalog: cat, MetadataOnly: true, Joins: masttest.JoinLimit{Rows: limit, How: how},
				Faults: []masttest.Fault{{Service: "Mast.Caom.Products", Do: masttest.DoExecuting, OneIn: 4}}})
			r.cfg.MaxProductRows = most
			r.plan(ask)
			asked, polls, rows := 0, 0, 0
			for _, q := range r.srv.Requests() {
				if q.Fault == masttest.DoExecuting {
					polls++
					continue
				}
				asked++
				if q.Service == "Mast.Caom.Products" {
					rows += q.Rows
				}
			}
			t.Logf("%d rows in %d requests and %d polls", rows, asked, polls)
			if bound := (rows+limit-1)/limit*3/2 + 12; asked > bound || polls == 0 || rows < 20_000 {
				t.Errorf("%d rows took %d requests and %d polls, want at most %d and some polls", rows, asked, polls, bound)
			}
			if got := r.dump(); got != want {
				t.Error("the plan differs from that of an archive without limits")
			}
		})
	}
}
