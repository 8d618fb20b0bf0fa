package planner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// TestPlanKilled stops a plan before and after every request, opens the campaign again, and compares the end with that of a
// plan that was never stopped. MaxRows is small, so that the list of observations is split by time as well.
func TestPlanKilled(t *testing.T) {
	t.Parallel()
	srv := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 15, PerProgram: 5, Planned: 4, Exclusive: 2})})
	q := query.Query{Instruments: []string{"NIRCAM", "MIRI"}, Dates: []string{"2020-01-01.."}}
	run := func(stopAt int, after bool) (string, int) {
		r := newRigOn(t, srv)
		r.cfg.MaxRows = 4
		_, n := r.planStopped(q, stopAt, after)
		return r.dump(), n
	}
	want, requests := run(0, false)
	if requests < 15 || !strings.Contains(want, "state=parked") || !strings.Contains(want, "state=pending") {
		t.Fatalf("the whole plan took %d requests and ended with %d bytes", requests, len(want))
	}
	step := max(1, requests/12) // each stop costs two plans; make soak tries them all
	if os.Getenv("JWSTBULK_SOAK") == "1" {
		step = 1
	}
	for k, after := 1, false; k <= requests; k, after = k+step, !after {
		if got, _ := run(k, after); got != want {
			t.Fatalf("a plan stopped at request %d of %d ends differently", k, requests)
		}
	}
}

// TestPlanBisects splits a list of observations that is too long for one request, null times included.
func TestPlanBisects(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 100, PerProgram: 100, Planned: 7})})
	r.cfg.MaxRows = 9
	s := r.plan(query.Query{Targets: []string{"SIM-*"}})
	if !s.Complete() || s.Observations != 107 || int(s.Files) != len(truth(r.srv, wanted)) {
		t.Errorf("plan in parts: %d observations, %d files, failed %+v, want 107 observations", s.Observations, s.Files, s.FailedChunks)
	}
	for _, q := range r.srv.Requests() {
		if q.Service == "Mast.Caom.Filtered" && q.Rows > 9 {
			t.Errorf("a request brought %d rows", q.Rows)
		}
	}
}

// TestPlanShort fails the chunk whose rows are fewer than counted, by the difference, and keeps what came.
func TestPlanShort(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 8} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20, Planned: 2})})
			r.cfg.MaxRows = limit
			r.cfg.Archive = lying{client(t, r.srv.URL)}
			s := r.plan(query.Query{Targets: []string{"SIM-*"}})
			if s.Complete() || !strings.Contains(s.FailedChunks[0].Error, "counts 25 observations but returned 3 fewer") {
				t.Errorf("failed chunks = %+v, want 3 of 25 missing", s.FailedChunks)
			}
			if s.Observations != 22 || s.Pending == 0 {
				t.Errorf("%d observations, %d pending, want the plan of 22", s.Observations, s.Pending)
			}
		})
	}
}

// lying counts three observations too many when asked for all.
type lying struct{ planner.Archive }

func (l lying) Count(ctx context.Context, q mast.Query) (int64, error) {
	n, err := l.Archive.Count(ctx, q)
	for _, f := range q.Filters {
		if f.Min != nil {
			return n, err
		}
	}
	return n + 3, err
}

// TestPlanManyAtOnce cannot split observations that share their time, and keeps the others.
func TestPlanManyAtOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC)
	var files []masttest.File
	for i := range 12 {
		when := at
		if i >= 8 {
			when = at.AddDate(0, 0, i)
		}
		files = append(files, masttest.File{Name: fmt.Sprintf("jw01345001001_02101_%05d_nrcb1_cal.fits", i+1), ObservedAt: when})
	}
	cat, err := masttest.Custom(files...)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, masttest.Config{Catalog: cat})
	r.cfg.MaxRows = 5
	s := r.plan(query.Query{Programs: []string{"1345"}})
	if len(s.FailedChunks) != 1 || !strings.Contains(s.FailedChunks[0].Error, "8 observations share one second") || s.Pending != 4 {
		t.Errorf("failed chunks = %+v, pending %d, want 8 that share a second and 4 planned", s.FailedChunks, s.Pending)
	}
}

func TestPlanList(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "internal", "filelist", "testdata", "mastDownload_20230125125957.sh"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := filelist.Parse(bytes.NewReader(b), "script.sh")
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	var files []masttest.File
	for _, it := range l.Items {
		files = append(files, masttest.File{URI: it.URI})
		folders[it.URI] = it.Folder
	}
	const more = "mast:JWST/product/jw02733001001_02101_00002_mirimage_cal.fits"
	const other = "mast:JWST/product/jw02733_20220702t204540_pool.csv"
	files = append(files, masttest.File{URI: more}, masttest.File{URI: other})
	cat, err := masttest.Custom(files...)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, masttest.Config{Catalog: cat})
	l.Items = append(l.Items, filelist.Item{URI: more, Line: 1}, filelist.Item{URI: other, Line: 2}, filelist.Item{URI: more, Line: 3})
	s, err := r.planner().PlanList(t.Context(), l, query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Files != 82 || s.Pending != 82 || s.Duplicates != 1 || s.UnknownSize != 1 {
		t.Errorf("summary = %+v, want 82 files, one of them twice, one without a size", s)
	}
	folders[more], folders[other] = "jw02733001001_02101_00002_mirimage", "_other"
	for uri, f := range r.files() {
		name := uri[strings.LastIndexByte(uri, '/')+1:]
		if f.Path != "JWST/"+folders[uri]+"/"+name || f.Program != "2733" || uri != other && (!f.Exact || f.Checksum == nil) {
			t.Errorf("%s: path %s program %s exact %v, want folder %s", uri, f.Path, f.Program, f.Exact, folders[uri])
		}
	}
	if again, err := r.planner().PlanList(t.Context(), l, query.Query{}); err != nil || again.Files != 0 || again.Known == 0 {
		t.Errorf("the same list again = %+v, %v, want nothing new", again, err)
	}
	var usage *query.UsageError
	if _, err := r.planner().PlanList(t.Context(), l, query.Query{Programs: []string{"2733"}}); !errors.As(err, &usage) || usage.Flag != "--from" {
		t.Errorf("a list with --program = %v, want a UsageError", err)
	}
}

func TestPlanListKilled(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Custom(masttest.File{Name: "jw02733001001_02101_00002_mirimage_cal.fits"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, masttest.Config{Catalog: cat})
	l := &filelist.List{Name: "l", Items: []filelist.Item{{URI: "mast:JWST/product/jw02733001001_02101_00002_mirimage_cal.fits", Line: 1}}}
	ctx, cancel := context.WithCancel(t.Context())
	good := r.cfg.Archive
	r.cfg.Archive = hooked{good, func(string, []int64) error { cancel(); return ctx.Err() }}
	if _, err := r.planner().PlanList(ctx, l, query.Query{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("PlanList = %v, want a cancelled context", err)
	}
	r.open()
	r.cfg.Archive = good
	s, err := r.planner().PlanList(t.Context(), l, query.Query{})
	if err != nil || !s.Resumed || s.Pending != 1 {
		t.Fatalf("PlanList after a stop = %+v, %v", s, err)
	}
	for uri, f := range r.files() {
		if !f.Exact || f.State != queue.Pending {
			t.Errorf("%s: %s, exact %v", uri, f.State, f.Exact)
		}
	}
}

type reporter struct{ stages map[string]int }

func (r reporter) Planning(p planner.Progress) { r.stages[p.Stage]++ }

func TestReporter(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 5})})
	rep := reporter{map[string]int{}}
	r.cfg.Reporter = rep
	r.plan(query.Query{Programs: []string{firstProgram}})
	for _, s := range []string{"observations", "products", "keywords", "offer"} {
		if rep.stages[s] == 0 {
			t.Errorf("nothing was reported of %s: %v", s, rep.stages)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := planner.New(planner.Config{}); err == nil {
		t.Error("New without a queue and an archive = nil, want an error")
	}
}

func ExamplePlanner_Plan() {
	srv, err := masttest.New(masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 5})})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "plan")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	q, err := queue.Open(ctx, queue.Config{Dir: dir, Create: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	archive, err := mast.New(mast.Config{BaseURL: srv.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer archive.Close()
	p, err := planner.New(planner.Config{Queue: q, Archive: archive})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := p.Plan(ctx, query.Query{Programs: []string{"10001"}, Suffixes: []string{"cal.fits"}})
	fmt.Println(s.Files, "files of", s.Observations, "observations", err)
	// Output: 4 files of 5 observations <nil>
}

func ExampleNew() {
	_, err := planner.New(planner.Config{})
	fmt.Println(err)
	// Output: planner needs a queue and an archive
}

func ExamplePlanner_PlanList() {
	l, err := filelist.Parse(strings.NewReader("mast:JWST/product/jw01895001001_02101_00001_nrca1_rate.fits"), "files.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := func(p *planner.Planner) (planner.Summary, error) {
		return p.PlanList(context.Background(), l, query.Query{})
	}
	_ = plan // with a Planner from New
	fmt.Println(l.ID().Items, "file")
	// Output: 1 file
}

func ExampleCheckSpace() {
	counts := queue.Counts{State: map[queue.State]queue.Count{queue.Pending: {Files: 2, Bytes: 1000}}}
	err := planner.CheckSpace(counts, 1, func() (bytes, inodes uint64, err error) { return 500, 1 << 20, nil })
	fmt.Println(err)
	// Output: not enough space: 1020 B needed, 500 B free
}

// A table of observations is planned as the query that names them; the criteria of files apply.
func TestPlanListOfObservations(t *testing.T) {
	t.Parallel()
	r := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 6})})
	all := r.plan(query.Query{Programs: []string{"10001"}, Levels: []string{"3"}})
	names := map[string]bool{}
	for _, f := range r.files() {
		names[f.URI] = true
	}
	o := newRig(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 6})})
	ids := "obsid,target\n"
	for ob := range o.srv.Observations() {
		ids += fmt.Sprintf("%d,x\n", ob.Obsid)
	}
	l, err := filelist.Parse(strings.NewReader(ids), "obs.csv")
	if err != nil {
		t.Fatal(err)
	}
	q := query.Query{Levels: []string{"3"}}
	s, err := o.planner().PlanList(t.Context(), l, q)
	if err != nil || s.Files != all.Files || s.Files == 0 {
		t.Errorf("PlanList = %d files, %v, want %d", s.Files, err, all.Files)
	}
	for _, f := range o.files() {
		if !names[f.URI] {
			t.Errorf("%s is not what the query lists", f.URI)
		}
	}
	q.Obs = []string{"jw*"}
	var usage *query.UsageError
	if _, err := o.planner().PlanList(t.Context(), l, q); !errors.As(err, &usage) {
		t.Errorf("PlanList with --obs = %v, want *UsageError", err)
	}
}
