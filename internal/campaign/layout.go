package campaign

import (
	"context"
	"fmt"

	"jwstbulk/planner"
	"jwstbulk/queue"
)

// metaLayout is the key of the queue's meta table for the layout that the last plan used, as --layout takes it.
const metaLayout = "layout"

// RememberLayout notes the layout of a plan, for updates, which plan again.
func (c *Campaign) RememberLayout(ctx context.Context, layout string) error {
	return c.Queue.SetMeta(ctx, metaLayout, layout)
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
