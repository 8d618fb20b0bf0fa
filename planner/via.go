package planner

import (
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

// joinsTypes reports a query by observations for exposure types: only the keyword services tell them, file by file.
func (w *work) joinsTypes() bool { return !w.query.ByKeywords() && len(w.query.ExpTypes) > 0 }

// otherTypes yields the files of keyword rows whose exposure type was not asked for.
func (w *work) otherTypes(r *mast.Reply) iter.Seq2[queue.Omitted, error] {
	return func(yield func(queue.Omitted, error) bool) {
		for k, err := range r.KeywordRows() {
			if (err != nil || !w.query.WantsType(k.ExpType) && k.URI != "") && !yield(queue.Omitted{URI: k.URI, Size: k.Size, Rule: query.RuleExpType}, err) {
				return
			}
		}
	}
}

// fileChunks are the first chunks of a query by way of the keyword services.
func fileChunks(q query.Normal) []queue.NewChunk {
	var chunks []queue.NewChunk
	for i, b := range q.Branches() {
		chunks = append(chunks, sweep{Branch: i, Service: b.Service}.chunk(kindFiles))
	}
	return chunks
}

// listFiles works one chunk of the list of files that a keyword service gives.
func (w *work) listFiles(ctx context.Context, c queue.Chunk) error {
	var s sweep
	if err := decode(c, &s); err != nil {
		return err
	}
	all := w.query.Branches()
	if s.Branch < 0 || s.Branch >= len(all) || all[s.Branch].Service != s.Service && len(s.Guides) == 0 {
		return fmt.Errorf("chunk %d asks branch %d of %d", c.ID, s.Branch, len(all))
	}
	branch, wanted := all[s.Branch], w.query.Files()
	if len(s.Guides) > 0 {
		branch = branch.Guides(s.Guides)
		wanted = func(_, name string) bool { return product.GuideStar(name) && beginsIn(s.Guides, name) }
	}
	whole := branch.Query
	lo, hi := rangeOf(whole, "date_obs_mjd")
	return w.run(ctx, c, s, question{
		what:   "keyword rows",
		column: "date_obs_mjd",
		lo:     lo,
		hi:     hi,
		count: func(ctx context.Context, extra ...mast.Filter) (int64, error) {
			w.report(kindFiles, 0)
			return w.cfg.Archive.CountKeywords(ctx, s.Service, narrowed(whole, extra))
		},
		fetch: func(ctx context.Context, extra ...mast.Filter) (*mast.Reply, error) {
			w.report(kindFiles, 0)
			return w.cfg.Archive.Keywords(ctx, s.Service, narrowed(whole, extra))
		},
		take: func(r *mast.Reply, out *queue.ChunkResult) {
			out.Products, out.Facts = w.keywordFiles(r, wanted), facts(r)
			if branch.Service != query.GuideStarService {
				out.Children = w.guideChunks(r, s.Branch)
			}
		},
	})
}

func beginsIn(begins []string, name string) bool {
	return slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(name, b) })
}

// guideChunks asks for the guide stars of those observations of a reply whose visits nothing but the reply tells. Several
// replies may ask for the same ones: the files are folded by the queue.
func (w *work) guideChunks(r *mast.Reply, branch int) []queue.NewChunk {
	guidedBy := w.query.GuidedBy()
	if guidedBy == nil {
		return nil
	}
	programs := map[string][]string{} // how names begin, by programme: one question each
	for f, err := range facts(r) {
		if err != nil {
			return nil // the rows are read again, and there it counts
		}
		if b := guidedBy(f.ObsID); b != "" && !slices.Contains(programs[product.Program(b)], b) {
			programs[product.Program(b)] = append(programs[product.Program(b)], b)
		}
	}
	var chunks []queue.NewChunk
	for _, p := range slices.Sorted(maps.Keys(programs)) {
		chunks = append(chunks, sweep{Branch: branch, Service: query.GuideStarService, Guides: programs[p]}.chunk(kindFiles))
	}
	return chunks
}

// keywordFiles makes files of keyword rows. The services do not say who may have a file: it is exclusive until its release.
func (w *work) keywordFiles(r *mast.Reply, wanted func(obsID, name string) bool) iter.Seq2[queue.ProductRow, error] {
	now := w.cfg.Now()
	return func(yield func(queue.ProductRow, error) bool) {
		for f, err := range facts(r) {
			if err == nil && (len(f.URI) > product.MaxURI || !strings.HasPrefix(f.URI, product.Prefix) || !wanted(f.ObsID, fileName(f.URI))) {
				continue
			}
			name := fileName(f.URI)
			// The size comes with the facts of the same reply: here it would pass for a product list's.
			row := queue.ProductRow{File: queue.NewFile{URI: f.URI, Name: name, ObsID: f.ObsID, Size: -1, Facts: f.Facts}}
			if row.File.Rights = "PUBLIC"; f.ReleaseAt.After(now) {
				row.File.Rights = "EXCLUSIVE_ACCESS"
			}
			if row.File.Program == "" {
				row.File.Program = product.Program(name)
			}
			row.Rule = w.rule(name, f.Size, &row.File.Facts)
			if !yield(row, err) {
				return
			}
		}
	}
}
