package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"jwstbulk/internal/campaign"
	"jwstbulk/planner"
)

// forecastOf says what the campaign has to fetch, whether that fits, and how long it takes at least.
func forecastOf(ctx context.Context, c *campaign.Campaign, p planOptions) (planner.Forecast, error) {
	dir := p.target
	if dir == "" {
		dir = c.Dir
	}
	return c.Forecast(ctx, p.limits, dir)
}

// referenceRate is a bandwidth that people can compare theirs with.
const referenceRate = 100e6

// writeForecast prints space and time for people; nothing if there is nothing to fetch.
func writeForecast(w io.Writer, f planner.Forecast) error {
	if f.Files == 0 {
		return nil
	}
	var b strings.Builder
	free := func(n int64, show func(int64) string) string {
		if n < 0 {
			return "no limit known"
		}
		return show(n) + " free"
	}
	fmt.Fprintf(&b, "space     %s needed with a margin, %s; %s inodes needed, %s\n", size(f.NeedBytes), free(f.FreeBytes, size),
		number(f.NeedInodes), free(f.FreeInodes, number))
	if f.TooLarge {
		b.WriteString("TOO LARGE  it does not fit; a run refuses to start (--ignore-space)\n")
	}
	if f.Bound != "" {
		fmt.Fprintf(&b, "time      at least %s by %s", duration(f.AtLeast), f.Bound)
	} else {
		b.WriteString("time      no limit is set")
	}
	fmt.Fprintf(&b, "; the bytes take %s at 100 MB/s\n", duration(float64(f.Bytes)/referenceRate))
	_, err := fmt.Fprint(w, b.String())
	return err
}
