package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"jwstbulk/internal/durable"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// Keys of the queue's meta table: the root of the manifest that a campaign is frozen to, and the same root once every file
// demands its digest. The second one alone, with whatever value, says that files may still demand digests although the campaign
// is free: freeing it was interrupted.
const (
	metaFrozen = "frozen"
	metaWanted = "frozen-wanted"
)

// frozenName is a file that holds the root of metaFrozen too, and is there while the campaign is frozen: the queue may be lost.
const frozenName = StateDir + "/frozen"

// wantsAtATime is how many demands of a digest share a commit.
const wantsAtATime = 64

var (
	// ErrUnfinishedFreeze says that a campaign was to be frozen to a manifest, and that was interrupted. Fetch returns it.
	ErrUnfinishedFreeze = errors.New("this campaign was to be frozen to a manifest and that was interrupted; give the same `get --manifest … --frozen` again")
	// ErrFrozen says that a campaign is frozen and that `get --manifest` was given without --frozen. PlanManifest returns it.
	ErrFrozen = errors.New("this campaign is frozen to a manifest: give --frozen too, or let `jwstbulk update` take what the archive has now")
)

// Frozen returns the root of the manifest that the campaign is frozen to: each file must have the bytes it records. It is ""
// if the campaign is free to take what the archive has.
func (c *Campaign) Frozen(ctx context.Context) (string, error) {
	return c.Queue.Meta(ctx, metaFrozen)
}

// mayFreeze returns ErrFrozen for a frozen campaign that is to get files that need not be as a manifest records them.
func (c *Campaign) mayFreeze(ctx context.Context, frozen bool) error {
	root, err := c.Frozen(ctx)
	if err == nil && root != "" && !frozen {
		err = ErrFrozen
	}
	return err
}

// freeze notes that the campaign is to hold what the manifest with this root records. Until demand is through, nothing is
// fetched.
func (c *Campaign) freeze(ctx context.Context, root string) error {
	if err := c.Queue.SetMeta(ctx, metaWanted, ""); err != nil {
		return err
	}
	err := durable.WriteFile(c.Root, frozenName, 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, root+"\n")
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that the campaign is frozen: %w", err)
	}
	return c.Queue.SetMeta(ctx, metaFrozen, root)
}

// refreeze tells a queue that knows of no query, as one that was made anew, that its campaign is frozen. The demands are lost:
// nothing is fetched until the manifest is given again.
func (c *Campaign) refreeze(ctx context.Context) error {
	queries, err := c.Queue.Queries(ctx)
	if err != nil || len(queries) > 0 {
		return err
	}
	text, err := c.Root.ReadFile(frozenName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	root := strings.TrimSpace(string(text))
	if err == nil && root == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", frozenName, err)
	}
	return c.Queue.SetMeta(ctx, metaFrozen, root)
}

// demand makes every file of the origin want its digest, and fetches again what has another.
func (c *Campaign) demand(ctx context.Context) error {
	root, err := c.Frozen(ctx)
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(wantsAtATime)
	for e, err := range c.Origin() {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return c.Queue.SetWant(gctx, e.URI, e.SHA256[:]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := c.requeueOthers(ctx); err != nil {
		return err
	}
	return c.Queue.SetMeta(ctx, metaWanted, root)
}

// requeueOthers makes the finished files pending that have other bytes than the origin records.
func (c *Campaign) requeueOthers(ctx context.Context) error {
	for ch, err := range manifest.Compare(c.Origin(), c.entries(ctx)) {
		if err != nil {
			return err
		}
		if ch.Kind != manifest.KindReprocessed {
			continue
		}
		f, _, err := c.file(ctx, ch.URI)
		if err == nil {
			err = c.Queue.Requeue(ctx, f.ID, fmt.Sprintf("frozen: its sha256 %s is not that of the manifest", ch.New.SHA256))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginThaw notes that the campaign is free while files may still demand digests. One that was not wholly frozen has no mark of
// its demands yet: it gets one first, and counts as half frozen until the other is gone.
func (c *Campaign) beginThaw(ctx context.Context) error {
	wanted, err := c.Queue.Meta(ctx, metaWanted)
	if err == nil && wanted == "" {
		err = c.Queue.SetMeta(ctx, metaWanted, "in part")
	}
	if err != nil {
		return err
	}
	return c.Queue.SetMeta(ctx, metaFrozen, "")
}

// checkFreeze returns ErrUnfinishedFreeze if files could be fetched that do not demand their digest yet, and brings to its end
// what thaw began.
func (c *Campaign) checkFreeze(ctx context.Context) error {
	frozen, err := c.Frozen(ctx)
	if err != nil {
		return err
	}
	wanted, err := c.Queue.Meta(ctx, metaWanted)
	switch {
	case err != nil:
		return err
	case frozen == "" && wanted != "":
		return c.thaw(ctx)
	case frozen != "" && wanted != frozen:
		return ErrUnfinishedFreeze
	}
	return nil
}

// free thaws a frozen campaign if files of it were reprocessed, or if some are still to come: those may have been, too.
func (c *Campaign) free(ctx context.Context, reprocessed bool) error {
	frozen, err := c.Frozen(ctx)
	if err != nil || frozen == "" {
		return err
	}
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return err
	}
	if !reprocessed && counts.Total().Files == counts.State[queue.Done].Files {
		return nil
	}
	return c.thaw(ctx)
}

// thaw frees a campaign from the manifest it was frozen to: no file demands a digest any more, and those that failed for it
// are tried again. It can be repeated.
func (c *Campaign) thaw(ctx context.Context) error {
	if err := c.beginThaw(ctx); err != nil {
		return err
	}
	if err := c.Queue.ClearWants(ctx); err != nil {
		return err
	}
	if _, err := c.Queue.Retry(ctx, queue.RetryFilter{Reasons: []queue.Reason{queue.ReasonDigest, queue.ReasonSize, queue.ReasonStructure}}); err != nil {
		return err
	}
	if err := c.Root.Remove(frozenName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("noting that the campaign is free: %w", err)
	}
	return c.Queue.SetMeta(ctx, metaWanted, "")
}
