package planner_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// rig is a campaign and an archive.
type rig struct {
	t   *testing.T
	dir string
	srv *masttest.Server
	q   *queue.Queue
	cfg planner.Config
}

// newRig serves the catalogue's lists alone: to compute true checksums takes long on a busy machine, and nothing is fetched here.
func newRig(t *testing.T, cfg masttest.Config) *rig {
	t.Helper()
	cfg.MetadataOnly = true
	return newRigOn(t, masttest.Start(t, cfg))
}

// newRigOn is a campaign of its own with an archive that others ask too.
func newRigOn(t *testing.T, srv *masttest.Server) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), srv: srv}
	r.open()
	r.cfg.Archive = client(t, srv.URL)
	return r
}

func client(t *testing.T, url string) *mast.Client {
	t.Helper()
	// A busy machine is no archive that times out.
	c, err := mast.New(mast.Config{BaseURL: url, Timeout: 5 * time.Minute, RetryFor: time.Millisecond, PollEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// open opens the campaign, after closing it: what a restart does.
func (r *rig) open() {
	r.t.Helper()
	if r.q != nil {
		if err := r.q.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	q, err := queue.Open(context.Background(), queue.Config{Dir: r.dir, Create: true})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.q == nil {
		r.t.Cleanup(func() { _ = r.q.Close() })
	}
	r.q = q
}

func (r *rig) planner() *planner.Planner {
	r.t.Helper()
	r.cfg.Queue = r.q
	p, err := planner.New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) plan(q query.Query) planner.Summary {
	r.t.Helper()
	s, err := r.planner().Plan(r.t.Context(), q)
	if err != nil {
		r.t.Fatalf("Plan = %v", err)
	}
	return s
}

// planStopped plans q, is stopped before or after its request stopAt (0: never), opens the campaign again and plans to the end.
// It returns the last summary and how many requests the first plan made.
func (r *rig) planStopped(q query.Query, stopAt int, after bool) (s planner.Summary, requests int) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	archive := r.cfg.Archive
	r.cfg.Archive = hooked{archive, func(string, []int64) error {
		if requests++; requests == stopAt {
			cancel()
			if !after {
				return ctx.Err()
			}
		}
		return nil
	}}
	s, err := r.planner().Plan(ctx, q)
	r.cfg.Archive = archive
	if stopAt == 0 {
		if err != nil {
			r.t.Fatalf("Plan = %v", err)
		}
		return s, requests
	}
	if !errors.Is(err, context.Canceled) {
		r.t.Fatalf("Plan stopped at request %d = %v, want a cancelled context", stopAt, err)
	}
	r.open()
	if s = r.plan(q); !s.Resumed || !s.Complete() {
		r.t.Errorf("plan after a stop at request %d = %+v", stopAt, s)
	}
	return s, requests
}

func (r *rig) dump() string {
	r.t.Helper()
	var b bytes.Buffer
	if err := r.q.Dump(r.t.Context(), &b); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

func (r *rig) files() map[string]queue.File {
	r.t.Helper()
	m := map[string]queue.File{}
	for f, err := range r.q.Files(r.t.Context(), queue.Filter{ObsIDs: true}) {
		if err != nil {
			r.t.Fatal(err)
		}
		m[f.URI] = f
	}
	return m
}

// requests counts the archive's requests of a service.
func (r *rig) requests(service string) int {
	n := 0
	for _, q := range r.srv.Requests() {
		if strings.EqualFold(q.Service, service) {
			n++
		}
	}
	return n
}

// hooked is an archive that asks hook before every request.
type hooked struct {
	planner.Archive
	hook func(op string, obsids []int64) error
}

func (h hooked) Count(ctx context.Context, q mast.Query) (int64, error) {
	if err := h.hook("count", nil); err != nil {
		return 0, err
	}
	return h.Archive.Count(ctx, q)
}

func (h hooked) Observations(ctx context.Context, q mast.Query) (*mast.Reply, error) {
	if err := h.hook("observations", nil); err != nil {
		return nil, err
	}
	return h.Archive.Observations(ctx, q)
}

func (h hooked) Products(ctx context.Context, obsids []int64) (*mast.Reply, error) {
	if err := h.hook("products", obsids); err != nil {
		return nil, err
	}
	return h.Archive.Products(ctx, obsids)
}

func (h hooked) Keywords(ctx context.Context, service string, q mast.Query) (*mast.Reply, error) {
	if err := h.hook("keywords", nil); err != nil {
		return nil, err
	}
	return h.Archive.Keywords(ctx, service, q)
}

func (h hooked) CountKeywords(ctx context.Context, service string, q mast.Query) (int64, error) {
	if err := h.hook("count keywords", nil); err != nil {
		return 0, err
	}
	return h.Archive.CountKeywords(ctx, service, q)
}

// firstProgram is the first of the synthetic catalogue.
const firstProgram = "10001"

// truth is what the server has: files by URI.
func truth(srv *masttest.Server, keep func(masttest.File) bool) map[string]masttest.File {
	m := map[string]masttest.File{}
	for f := range srv.Files(keep) {
		m[f.URI] = f
	}
	return m
}

func wanted(f masttest.File) bool { return !strings.Contains(f.Name, "_gs-") }
