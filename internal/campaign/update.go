package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// UpdateConfig says what to bring up to date, and what becomes of the versions that are replaced.
type UpdateConfig struct {
	Archive mast.Config
	// KeepOld is the directory (absolute, outside of the campaign) that is to get the replaced versions, under their paths;
	// it is made if there are any. "" removes them. FinishUpdate is told again.
	KeepOld string
	// Only limits the update to files it accepts, and what was made with them; nil takes all.
	Only func(uri string) bool
}

// UpdatePlan is what BeginUpdate found and did.
type UpdatePlan struct {
	Changes    []manifest.Change // reprocessed files, which are to be fetched again, and those withdrawn, which are kept
	Companions int64             // files without metadata, fetched again because one of their observation was reprocessed
	Requests   int64             // metadata requests it took
}

// BeginUpdate asks the archive what became of the finished files, and puts the reprocessed ones back into the queue. The old
// versions stay where they are until Fetch has proven the new ones; FinishUpdate then disposes of them. What is to be
// disposed of is on disk before anything is changed, so an update that was killed is gone on with by the next. A frozen
// campaign is free afterwards, unless it holds all that its manifest records and the archive still has the same. Errors are
// those of NewSurvey, the queue and the disk.
func (c *Campaign) BeginUpdate(ctx context.Context, cfg UpdateConfig) (p UpdatePlan, err error) {
	entries := func() iter.Seq2[manifest.Entry, error] { return only(c.entries(ctx), cfg.Only) }
	s, err := NewSurvey(ctx, cfg.Archive, entries)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p.Requests = s.Requests
	for ch, err := range s.Changes(ctx, entries()) {
		if err != nil {
			return p, err
		}
		if ch.Kind != manifest.KindAccess {
			p.Changes = append(p.Changes, ch)
		}
	}
	companions, changed, err := c.superseded(ctx, p.Changes)
	if err != nil {
		return p, err
	}
	p.Companions = int64(len(companions))
	if err := c.prepare(slices.Concat(companions, changed), cfg.KeepOld); err != nil {
		return p, err
	}
	if err := c.free(ctx, len(changed) > 0); err != nil {
		return p, err
	}
	// A reprocessed file is what brings its companions up, so it goes last: after a kill in between the next update finds it,
	// and them, again.
	if err := c.requeueOld(ctx, s, companions); err != nil {
		return p, err
	}
	return p, c.requeueOld(ctx, s, changed)
}

// prepare makes sure of what FinishUpdate needs, before anything is changed.
func (c *Campaign) prepare(todo []oldFile, keepOld string) error {
	if len(todo) == 0 {
		return nil
	}
	if keepOld != "" {
		if err := makeDir(keepOld); err != nil {
			return fmt.Errorf("making the directory for old versions: %w", err)
		}
	}
	return c.noteOld(todo, keepOld != "")
}

func only(entries iter.Seq2[manifest.Entry, error], accept func(string) bool) iter.Seq2[manifest.Entry, error] {
	if accept == nil {
		return entries
	}
	return func(yield func(manifest.Entry, error) bool) {
		for e, err := range entries {
			if (err != nil || accept(e.URI)) && !yield(e, err) {
				return
			}
		}
	}
}

// superseded lists the files to fetch again: those that were reprocessed, and the files of the same observations that have no
// metadata, such as previews and tables.
func (c *Campaign) superseded(ctx context.Context, changes []manifest.Change) (companions, changed []oldFile, err error) {
	is := map[string]bool{}
	for _, ch := range changes {
		if ch.Kind == manifest.KindReprocessed {
			is[ch.URI] = true
		}
	}
	if len(is) == 0 {
		return nil, nil, nil
	}
	obs := map[string]bool{}
	for e, err := range c.entries(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if is[e.URI] {
			changed = append(changed, oldOf(e))
			for _, id := range e.Obs {
				obs[id] = true
			}
		}
	}
	for e, err := range c.entries(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if !strings.HasSuffix(e.URI, ".fits") && slices.ContainsFunc(e.Obs, func(id string) bool { return obs[id] }) {
			companions = append(companions, oldOf(e))
		}
	}
	return companions, changed, nil
}

// requeueOld makes the files pending, under the facts that the archive states now.
func (c *Campaign) requeueOld(ctx context.Context, s *Survey, todo []oldFile) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(wantsAtATime)
	for _, o := range todo {
		group.Go(func() error {
			f, found, err := c.file(ctx, o.URI)
			if err != nil || !found {
				return err
			}
			if f.State == queue.Done {
				if err := c.Queue.Requeue(ctx, f.ID, "update: replaces sha256 "+o.SHA256); err != nil {
					return err
				}
			}
			k, known, err := s.fact(ctx, o.URI)
			if err != nil || !known {
				return err
			}
			return c.Queue.SetFacts(ctx, f.ID, k)
		})
	}
	return group.Wait()
}

// fact is what the survey learned of one file.
func (s *Survey) fact(ctx context.Context, uri string) (queue.KeywordFact, bool, error) {
	for f, err := range s.queue.Files(ctx, queue.Filter{URI: uri}) {
		if err != nil {
			return queue.KeywordFact{}, false, err
		}
		if f.Exact {
			return queue.KeywordFact{URI: uri, Size: f.Size, Checksum: f.Checksum, Facts: f.Facts}, true, nil
		}
	}
	return queue.KeywordFact{}, false, nil
}

// AskAgain plans every query of the campaign anew, which finds files that are new in the archive. Lists are left out: they
// name their files. cfg's Queue, Archive and Layout are filled in; new files go where the last plan's layout puts them. It
// returns how many files are to be fetched that were not known.
// A query that matches nothing any more is no error. Errors are the planner's, and ErrIncomplete.
func (c *Campaign) AskAgain(ctx context.Context, cfg planner.Config) (files int64, err error) {
	queries, err := c.Queue.Queries(ctx)
	if err != nil {
		return 0, err
	}
	cfg.Queue, cfg.Archive = c.Queue, c.Client
	if cfg.Layout, err = c.layout(ctx); err != nil {
		return 0, err
	}
	for i, row := range queries {
		if slices.ContainsFunc(queries[i+1:], func(later queue.QueryRow) bool { return bytes.Equal(later.Spec, row.Spec) }) {
			continue
		}
		var q query.Query
		if err := json.Unmarshal(row.Spec, &q); err != nil {
			return files, fmt.Errorf("reading query %d: %w", row.ID, err)
		}
		if q.List != nil {
			continue
		}
		p, err := planner.New(cfg)
		if err != nil {
			return files, err
		}
		s, err := p.Plan(ctx, q)
		var empty *planner.EmptyError
		if errors.As(err, &empty) {
			continue
		}
		if err != nil {
			return files, err
		}
		files += s.Files
		if !s.Complete() {
			return files, ErrIncomplete
		}
	}
	return files, nil
}
