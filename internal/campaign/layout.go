package campaign

import (
	"cmp"
	"context"
	"fmt"

	"jwstbulk/planner"
	"jwstbulk/queue"
)

// metaLayout is the key of the queue's meta table for the layout that the last plan used, as --layout takes it.
const metaLayout = "layout"

// defaultLayout is that of a campaign whose first plan named none.
const defaultLayout = "mast"

// UseLayout notes the layout of a plan, for plans and updates to come, and returns it and the one of the plan before; before
// is "" for the first plan. The empty asked means the one before. Files that are planned already stay where they are.
func (c *Campaign) UseLayout(ctx context.Context, asked string) (layout func(queue.File) string, now, before string, err error) {
	if before, err = c.Queue.Meta(ctx, metaLayout); err != nil {
		return nil, "", "", err
	}
	now = cmp.Or(asked, before, defaultLayout)
	if layout, err = planner.ParseLayout(now); err != nil {
		return nil, "", "", err
	}
	if now != before {
		err = c.Queue.SetMeta(ctx, metaLayout, now)
	}
	return layout, now, before, err
}

// LayoutOf returns the layout that the last plan of the campaign in cfg.Dir used; "" if there is none that can be read.
func LayoutOf(ctx context.Context, cfg Config) string {
	r, err := queue.OpenReader(ctx, queue.Config{Dir: cfg.Dir, Path: cfg.QueuePath})
	if err != nil {
		return "" // no campaign yet, or one that only its owner may read
	}
	defer r.Close() // only read from
	text, err := r.Meta(ctx, metaLayout)
	if err != nil {
		return ""
	}
	return text
}

// layout is that of the last plan; nil means the default.
func (c *Campaign) layout(ctx context.Context) (func(queue.File) string, error) {
	text, err := c.Queue.Meta(ctx, metaLayout)
	if err != nil || text == "" {
		return nil, err
	}
	l, err := planner.ParseLayout(text)
	if err != nil {
		return nil, fmt.Errorf("reading the campaign's layout: %w", err)
	}
	return l, nil
}
