package campaign

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"jwstbulk/internal/mast"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// Repair is what Requeue did about files that do not verify.
type Repair struct {
	Requeued []manifest.Entry  // to be fetched again, or in the queue already
	Drifted  []manifest.Change // left alone: the archive no longer has the recorded bytes
	Unknown  []manifest.Entry  // left alone: the queue does not know them
}

// Requeue puts the wrong files (modified, corrupt or missing) of a manifest back into the queue, so that Fetch brings them
// again; the wrong bytes stay until then, and are moved to .jwstbulk/replaced. First the archive's metadata are asked: a file
// that was reprocessed or withdrawn cannot be brought back, and is reported instead. Other states in wrong are ignored.
// Errors are those of NewSurvey and of the queue.
func (c *Campaign) Requeue(ctx context.Context, archive mast.Config, wrong []manifest.Result) (r Repair, err error) {
	todo := repairable(wrong)
	if len(todo) == 0 {
		return r, nil
	}
	entries := func() iter.Seq2[manifest.Entry, error] {
		return func(yield func(manifest.Entry, error) bool) {
			for _, w := range todo {
				if !yield(w.Entry, nil) {
					return
				}
			}
		}
	}
	s, err := NewSurvey(ctx, archive, entries)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	gone := map[string]bool{}
	for ch, err := range s.Changes(ctx, entries()) {
		if err != nil {
			return r, err
		}
		if ch.Kind != manifest.KindAccess {
			gone[ch.URI] = true
			r.Drifted = append(r.Drifted, ch)
		}
	}
	for _, w := range todo {
		if gone[w.Entry.URI] {
			continue
		}
		known, err := c.requeue(ctx, w)
		switch {
		case err != nil:
			return r, err
		case known:
			r.Requeued = append(r.Requeued, w.Entry)
		default:
			r.Unknown = append(r.Unknown, w.Entry)
		}
	}
	return r, nil
}

// repairable are the results that a fetch can mend, in the order of URIs.
func repairable(wrong []manifest.Result) []manifest.Result {
	out := slices.DeleteFunc(slices.Clone(wrong), func(r manifest.Result) bool {
		return r.State != manifest.StateModified && r.State != manifest.StateCorrupt && r.State != manifest.StateMissing
	})
	slices.SortFunc(out, func(a, b manifest.Result) int { return cmp.Compare(a.Entry.URI, b.Entry.URI) })
	return out
}

// requeue makes one file pending; known is false if the queue has no such file.
func (c *Campaign) requeue(ctx context.Context, w manifest.Result) (known bool, err error) {
	f, found, err := c.file(ctx, w.Entry.URI)
	if err != nil || !found || f.State != queue.Done {
		return found, err
	}
	return true, c.Queue.Requeue(ctx, f.ID, fmt.Sprintf("verify: %s: %s", w.State, w.Why))
}

// file looks a file up by its URI.
func (c *Campaign) file(ctx context.Context, uri string) (queue.File, bool, error) {
	for f, err := range c.Queue.Files(ctx, queue.Filter{URI: uri}) {
		if err != nil {
			return f, false, err
		}
		if f.URI == uri {
			return f, true, nil
		}
	}
	return queue.File{}, false, nil
}

// Returned says how many of the entries are done again with the recorded bytes, and how those differ that came with others:
// what the archive served in their place was proven and is kept.
func (c *Campaign) Returned(ctx context.Context, entries []manifest.Entry) (same int64, other []manifest.Change, err error) {
	for _, e := range entries {
		f, found, err := c.file(ctx, e.URI)
		if err != nil {
			return same, other, err
		}
		if !found || f.State != queue.Done {
			continue
		}
		if bytes.Equal(f.SHA256, e.SHA256[:]) {
			same++
			continue
		}
		old, cur := manifest.VersionOf(e), versionOf(f)
		other = append(other, manifest.Change{URI: e.URI, Kind: manifest.KindReprocessed, Cause: manifest.CauseOf(old, cur), Old: &old, New: &cur})
	}
	return same, other, nil
}

// versionOf is the version of a done file.
func versionOf(f queue.File) manifest.FileVersion {
	v := manifest.VersionOf(entry(f))
	v.Ingest, v.Release = f.IngestedAt, f.ReleaseAt
	return v
}
