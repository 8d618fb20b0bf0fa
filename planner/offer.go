package planner

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/queue"
)

// Folder is where a file goes unless Config.Layout says otherwise: JWST/<obs_id>, as MAST's own scripts lay files out.
func Folder(f queue.File) string { return "JWST/" + obsFolder(f) }

// obsFolder is the obs_id of the product list, else of the keyword services, else the part of the name that says it, else
// _other.
func obsFolder(f queue.File) string {
	if f.ObsID != "" {
		return f.ObsID
	}
	if obs := product.ObsID(fileName(f.URI)); obs != "" {
		return obs
	}
	return otherFolder
}

// offer hands the planned files to the workers, or says why not.
func (w *work) offer(ctx context.Context) error {
	now := w.cfg.Now()
	rule, err := w.late(ctx)
	if err != nil {
		return err
	}
	rep, err := w.q.Offer(ctx, w.id, queue.OfferConfig{
		Layout: w.cfg.Layout,
		Decide: func(f queue.File) queue.Decision {
			if d := rule(f); d != (queue.Decision{}) {
				return d
			}
			if bad := unsafePart(f.Path); bad != "" {
				return queue.Decision{State: queue.Failed, Reason: queue.ReasonRefusedName,
					Detail: fmt.Sprintf("%.300q cannot be a safe file or folder name; exclude the file or report it to the archive", bad)}
			}
			switch {
			case query.IsPublic(f.Rights) || w.cfg.HasToken:
				return queue.Decision{}
			case f.ReleaseAt.After(now):
				return queue.Decision{State: queue.Parked, Reason: queue.ReasonNotPublic, DueAt: f.ReleaseAt,
					Detail: "exclusive until " + f.ReleaseAt.UTC().Format("2006-01-02T15:04:05Z") + "; a token of the programme may fetch it before"}
			case f.ReleaseAt.IsZero():
				return queue.Decision{State: queue.Parked, Reason: queue.ReasonNeedsToken,
					Detail: "exclusive, release date unknown; give a token of the programme"}
			}
			return queue.Decision{}
		},
		Collide: func(f, holder queue.File) queue.Decision {
			return queue.Decision{State: queue.Failed, Reason: queue.ReasonCollision,
				Detail: fmt.Sprintf("%.300q is taken by %.300q (upper and lower case count as equal); another layout or --exclude keeps them apart", f.Path, holder.URI)}
		},
	})
	if err != nil {
		return fmt.Errorf("offering files: %w", err)
	}
	w.cfg.Logger.InfoContext(ctx, "planned", "query_id", w.id, "pending", rep.Pending, "parked", rep.Parked, "failed", rep.Failed, "left_out", rep.Dropped)
	return nil
}

// late gives the rules that can be applied once everything is listed and joined: --exp-type and --limit. The zero Decision
// takes a file.
func (w *work) late(ctx context.Context) (func(queue.File) queue.Decision, error) {
	typed, err := w.typed(ctx)
	if err != nil || w.query.Limit == "" {
		return typed, err
	}
	last, err := w.lastWithin(ctx, typed)
	if err != nil {
		return nil, err
	}
	return func(f queue.File) queue.Decision {
		if d := typed(f); d != (queue.Decision{}) || f.URI <= last {
			return d
		}
		return queue.Decision{Rule: query.RuleLimit}
	}, nil
}

// typed leaves out files whose exposure type nobody told, where exposure types are asked for: those of another type are left
// out already when they are joined. Where the archive did not answer for all, they wait for the plan to be made again.
func (w *work) typed(ctx context.Context) (func(queue.File) queue.Decision, error) {
	if !w.joinsTypes() {
		return func(queue.File) queue.Decision { return queue.Decision{} }, nil
	}
	failed, err := w.q.Chunks(ctx, w.id, queue.ChunkFailed)
	if err != nil {
		return nil, fmt.Errorf("reading chunks: %w", err)
	}
	unasked := slices.ContainsFunc(failed, func(c queue.Chunk) bool { return c.Kind == kindKeywords })
	return func(f queue.File) queue.Decision {
		switch {
		case f.Exact:
			return queue.Decision{}
		case unasked && serviceOf(fileName(f.URI)) != "":
			return queue.Decision{State: queue.Planned}
		}
		return queue.Decision{Rule: query.RuleExpType}
	}, nil
}

// lastWithin gives the URI of the last file, by name, that --limit allows: as many as that are planned by this query, less
// those that it, or the same question asked earlier, offered already. "" means none.
func (w *work) lastWithin(ctx context.Context, typed func(queue.File) queue.Decision) (last string, err error) {
	left := w.query.MostFiles()
	rows, err := w.q.Queries(ctx)
	if err != nil {
		return "", fmt.Errorf("reading queries: %w", err)
	}
	i := slices.IndexFunc(rows, func(r queue.QueryRow) bool { return r.ID == w.id })
	for _, r := range rows {
		if i < 0 || !bytes.Equal(r.Spec, rows[i].Spec) {
			continue
		}
		s, err := w.q.PlanSummary(ctx, r.ID)
		if err != nil {
			return "", fmt.Errorf("summing up the plan: %w", err)
		}
		left -= s.Files
		for _, t := range s.ByState {
			if t.Key == string(queue.Planned) {
				left += t.Files
			}
		}
	}
	for f, err := range w.q.Files(ctx, queue.Filter{QueryID: w.id, States: []queue.State{queue.Planned}}) {
		if err != nil {
			return "", fmt.Errorf("reading files: %w", err)
		}
		if left <= 0 {
			break
		}
		if typed(f).Rule == "" {
			last = f.URI
			left--
		}
	}
	return last, nil
}

// unsafePart gives the first component of a path that is not a safe name, or the path if it belongs to jwstbulk's own files;
// "" if all is well.
func unsafePart(path string) string {
	if ownName(path) {
		return path
	}
	for part := range strings.SplitSeq(path, "/") {
		if part != otherFolder && !product.SafeName(part) {
			if part == "" {
				return path
			}
			return part
		}
	}
	return ""
}
