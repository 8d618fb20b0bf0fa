package planner

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

const (
	namesARequest = 200    // file names in one keyword request
	fewNames      = 1000   // a programme's files of one instrument that are asked by name; more are asked by programme
	maxNames      = 50_000 // names held in memory while the keyword requests are decided
)

// serviceOf names the keyword service that lists a file; "" if none does: they list FITS files alone.
func serviceOf(name string) string {
	if !strings.HasSuffix(name, ".fits") {
		return ""
	}
	if product.GuideStar(name) {
		return query.GuideStarService
	}
	switch product.Instrument(name) {
	case "NIRCAM":
		return "Nircam"
	case "NIRISS":
		return "Niriss"
	case "NIRSPEC":
		return "Nirspec"
	case "MIRI":
		return "Miri"
	case "FGS":
		return "Fgs"
	}
	return ""
}

// group is a set of files that one keyword request can cover.
type group struct{ service, program string }

// join decides the keyword requests: by programme where a query wants many files of it, by name where it wants few.
func (w *work) join(ctx context.Context, c queue.Chunk) error {
	counts := map[group]int{}
	names := map[group][]string{}
	held := 0
	for name, err := range w.unjoined(ctx) {
		if err != nil {
			return err
		}
		g := group{serviceOf(name), product.Program(name)}
		if g.service == "" {
			continue
		}
		counts[g]++
		switch n := counts[g]; {
		case g.program == "" || n <= fewNames && held < maxNames && len(names[g]) == n-1:
			names[g] = append(names[g], name)
			held++
		case len(names[g]) > 0:
			held -= len(names[g])
			delete(names, g)
		}
	}
	var chunks []queue.NewChunk
	byName := map[string][]string{}
	groups := slices.SortedFunc(maps.Keys(counts), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.program, b.program), cmp.Compare(a.service, b.service)) // rows of a programme lie together
	})
	for _, g := range groups {
		if few, ok := names[g]; ok {
			byName[g.service] = append(byName[g.service], few...)
		} else {
			chunks = append(chunks, sweep{Service: g.service, Program: g.program}.chunk(kindKeywords))
		}
	}
	for _, service := range slices.Sorted(maps.Keys(byName)) {
		slices.Sort(byName[service])
		for few := range slices.Chunk(byName[service], namesARequest) {
			chunks = append(chunks, sweep{Service: service, Names: few}.chunk(kindKeywords))
		}
	}
	return w.settle(ctx, c, queue.ChunkResult{State: queue.ChunkDone, Children: chunks})
}

// unjoined yields the names of the files whose facts the query should ask for: those it listed first and has no facts of,
// and, where an earlier query had listed some already, the unfinished ones of the same programmes, for their facts may have
// changed.
func (w *work) unjoined(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		programs, err := w.programs(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for f, err := range w.q.Briefs(ctx, w.id) {
			if err != nil {
				yield("", fmt.Errorf("reading files: %w", err))
				return
			}
			retyped := w.joinsTypes() && f.State == queue.Planned // joined for another query, whose types were others
			if (!f.Exact || retyped) && !programs[product.Program(f.Name)] && !yield(f.Name, nil) {
				return
			}
		}
		if len(programs) == 0 {
			return
		}
		for f, err := range w.q.Briefs(ctx, 0) {
			if err != nil {
				yield("", fmt.Errorf("reading files: %w", err))
				return
			}
			if f.State != queue.Done && programs[product.Program(f.Name)] && !yield(f.Name, nil) {
				return
			}
		}
	}
}

// programs are those of the query's observations, if it met files of earlier queries; nil otherwise.
func (w *work) programs(ctx context.Context) (map[string]bool, error) {
	if known, err := w.q.Known(ctx, w.id); err != nil || known == 0 {
		return nil, err
	}
	set := map[string]bool{}
	if w.list != nil {
		for _, it := range w.list.Items {
			set[product.Program(it.Name())] = true
		}
		return set, nil
	}
	chunks, err := w.q.Chunks(ctx, w.id, queue.ChunkDone)
	if err != nil {
		return nil, fmt.Errorf("reading chunks: %w", err)
	}
	for _, c := range chunks {
		if c.Kind != kindProducts {
			continue
		}
		var a productAsk
		if err := decode(c, &a); err != nil {
			return nil, err
		}
		for _, o := range a.Obs {
			set[o.Program] = true
		}
	}
	return set, nil
}

func fileName(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// keywords works one keyword chunk.
func (w *work) keywords(ctx context.Context, c queue.Chunk) error {
	var s sweep
	if err := decode(c, &s); err != nil {
		return err
	}
	with := func(extra []mast.Filter) mast.Query {
		f := mast.Filter{Column: "program", Values: []string{s.Program}}
		if len(s.Names) > 0 {
			f = mast.Filter{Column: "filename", Values: s.Names}
		}
		return mast.Query{Filters: append([]mast.Filter{f}, extra...)}
	}
	q := question{
		what:   "keyword rows",
		column: "date_obs_mjd",
		lo:     query.LowestMJD,
		hi:     query.HighestMJD,
		count: func(ctx context.Context, extra ...mast.Filter) (int64, error) {
			w.report(kindKeywords, 0)
			return w.cfg.Archive.CountKeywords(ctx, s.Service, with(extra))
		},
		fetch: func(ctx context.Context, extra ...mast.Filter) (*mast.Reply, error) {
			w.report(kindKeywords, len(s.Names))
			return w.cfg.Archive.Keywords(ctx, s.Service, with(extra))
		},
		take: func(r *mast.Reply, out *queue.ChunkResult) {
			out.Facts = facts(r)
			if w.joinsTypes() {
				out.Dropped = w.otherTypes(r)
			}
		},
	}
	if len(s.Names) > 0 {
		return w.keywordsByName(ctx, c, s, q)
	}
	return w.run(ctx, c, s, q)
}

// keywordsByName asks without counting: there are no more rows than names. It halves the list when it fails.
func (w *work) keywordsByName(ctx context.Context, c queue.Chunk, s sweep, q question) error {
	start := w.cfg.Now()
	reply, err := q.fetch(ctx)
	out := queue.ChunkResult{State: queue.ChunkDone, Requests: 1, Elapsed: w.cfg.Now().Sub(start)}
	if err == nil {
		defer reply.Close()
		q.take(reply, &out)
		out.Rows, out.Requests = reply.Rows(), int64(reply.Requests())
		return w.settle(ctx, c, out)
	}
	if stop := w.stops(ctx, err); stop != nil {
		return w.giveBack(ctx, c, 1, stop)
	}
	if k := len(s.Names) / 2; k > 0 {
		first, second := s, s
		first.Names, second.Names = s.Names[:k], s.Names[k:]
		out.State, out.Children = queue.ChunkSplit, []queue.NewChunk{first.chunk(c.Kind), second.chunk(c.Kind)}
	} else {
		out.State, out.Error = queue.ChunkFailed, fmt.Sprintf("keywords of %s: %v", s.Names[0], err)
	}
	return w.settle(ctx, c, out)
}

// facts translates keyword rows. Rows of files that the campaign does not have are dropped by the queue.
func facts(r *mast.Reply) iter.Seq2[queue.KeywordFact, error] {
	return func(yield func(queue.KeywordFact, error) bool) {
		for k, err := range r.KeywordRows() {
			if err == nil && k.URI == "" {
				continue
			}
			f := queue.KeywordFact{URI: k.URI, Size: k.Size, Checksum: k.Checksum, Facts: queue.Facts{
				Program: strings.TrimLeft(k.Program, "0"), Instrument: strings.ToUpper(k.Instrument), Level: keywordLevel(k.Level),
				ReleaseAt: k.ReleaseAt, IngestedAt: k.IngestedAt, CalVer: k.CalVer, CRDSCtx: k.CRDSCtx, SDPVer: k.SDPVer, Stale: k.Stale,
			}}
			if k.FileSet != "" {
				f.ObsID = product.Folder(k.FileSet, fileName(k.URI))
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// keywordLevel turns MAST's 1b, 2a, 2b, 2c, 3 into the CAOM level.
func keywordLevel(s string) int {
	if s == "" || s[0] < '0' || s[0] > '4' {
		return mast.LevelUnknown
	}
	return int(s[0] - '0')
}
