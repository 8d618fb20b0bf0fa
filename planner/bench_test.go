package planner_test

import (
	"context"
	"testing"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// BenchmarkPlan plans 100 observations of the real mix (70 % guide-star rows, files listed several times) from a simulated
// archive in the same process; the time of a row includes the archive's.
func BenchmarkPlan(b *testing.B) {
	srv := masttest.Start(b, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 100}), ForgetRequests: true})
	archive, err := mast.New(mast.Config{BaseURL: srv.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer archive.Close()
	var rows int64
	for b.Loop() {
		q, err := queue.Open(context.Background(), queue.Config{Dir: b.TempDir(), Create: true})
		if err != nil {
			b.Fatal(err)
		}
		p, err := planner.New(planner.Config{Queue: q, Archive: archive})
		if err != nil {
			b.Fatal(err)
		}
		s, err := p.Plan(context.Background(), query.Query{Programs: []string{firstProgram}})
		if err != nil {
			b.Fatal(err)
		}
		rows += s.Rows
		if err := q.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(rows), "us/row")
}

// BenchmarkRow translates one product row and applies the rules.
func BenchmarkRow(b *testing.B) {
	row := planner.RowFunc(query.Query{Programs: []string{"2733"}, Levels: []string{"2b"}, Exclude: []string{"*_thumb.jpg"}})
	p := mast.Product{ObsID: 1, ParentObsID: 1, ObsName: "jw02733002002_02103_00008_mirimage", ProposalID: "2733", Rights: "PUBLIC", Level: 2,
		URI: "mast:JWST/product/jw02733002002_02103_00008_mirimage_cal.fits", ProductType: "SCIENCE", Size: 29_721_600}
	b.ReportAllocs()
	for b.Loop() {
		if r := row(&p); r.Rule != "" {
			b.Fatal(r.Rule)
		}
	}
}
