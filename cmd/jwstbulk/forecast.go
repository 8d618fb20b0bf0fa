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
	return c.Forecast(ctx, p.limits, p.directory(c))
}

// directory is where the files of a plan go: of a dry run not the throw-away campaign.
func (p planOptions) directory(c *campaign.Campaign) string {
	if p.target != "" {
		return p.target
	}
	return c.Dir
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
	if f.OnDisk.Files > 0 {
		fmt.Fprintf(&b, "on disk   %s, %s of these are here under the right name and with the right length; what proves right is not fetched\n",
			files(f.OnDisk.Files), size(f.OnDisk.Bytes))
	}
	fmt.Fprintf(&b, "space     %s needed with a margin, %s; %s inodes needed, %s\n", size(f.NeedBytes), free(f.FreeBytes, size),
		number(f.NeedInodes), free(f.FreeInodes, number))
	if f.QuotaBytes >= 0 {
		fmt.Fprintf(&b, "quota     leaves %s\n", size(f.QuotaBytes))
	}
	if f.QuotaInodes >= 0 {
		fmt.Fprintf(&b, "quota     leaves %s inodes\n", number(f.QuotaInodes))
	}
	if f.TooLarge {
		unless := ""
		if f.OnDisk.Files > 0 {
			unless = " unless enough of what is on disk proves right"
		}
		fmt.Fprintf(&b, "TOO LARGE  it does not fit; a run refuses to fetch%s (--ignore-space)\n", unless)
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
