package planner

import (
	"context"
	"fmt"
	"strings"

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
	if obs := exposurePart(fileName(f.URI)); obs != "" {
		return obs
	}
	return otherFolder
}

// offer hands the planned files to the workers, or says why not.
func (w *work) offer(ctx context.Context) error {
	layout := w.cfg.Layout
	if layout == nil {
		layout = Folder
	}
	now := w.cfg.Now()
	rep, err := w.q.Offer(ctx, w.id, queue.OfferConfig{
		Layout: layout,
		Decide: func(f queue.File) queue.Decision {
			if bad := unsafePart(f.Path); bad != "" {
				return queue.Decision{State: queue.Failed, Reason: queue.ReasonRefusedName,
					Detail: fmt.Sprintf("%.300q cannot be a safe file or folder name; exclude the file or report it to the archive", bad)}
			}
			switch {
			case isPublic(f.Rights) || w.cfg.HasToken:
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
	w.cfg.Logger.InfoContext(ctx, "planned", "query_id", w.id, "pending", rep.Pending, "parked", rep.Parked, "failed", rep.Failed)
	return nil
}

// unsafePart gives the first component of a path that is not a safe name, or the path if it belongs to jwstbulk's own files;
// "" if all is well.
func unsafePart(path string) string {
	if ownName(path) {
		return path
	}
	for part := range strings.SplitSeq(path, "/") {
		if part != otherFolder && !safeName(part) {
			if part == "" {
				return path
			}
			return part
		}
	}
	return ""
}
