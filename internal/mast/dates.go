package mast

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// mjdEpoch is the Modified Julian Date of 1970-01-01T00:00:00 UTC.
const mjdEpoch = 40587

// MJD converts a time to a Modified Julian Date (UTC, days), exact to a millisecond.
func MJD(t time.Time) float64 { return float64(t.UnixMilli())/86_400_000 + mjdEpoch }

// MJDTime converts a Modified Julian Date (UTC, days) to the nearest millisecond; the zero time for what lies outside the
// years 1 to 9999.
func MJDTime(mjd float64) time.Time {
	ms := math.Round((mjd - mjdEpoch) * 86_400_000)
	if math.IsNaN(ms) || ms < -62_135_596_800_000 || ms >= 253_402_300_800_000 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// parseDate reads the forms dates take in replies: "/Date(1679095623534)/" (ms since 1970, UTC), and ISO 8601 with or
// without a zone, UTC if without.
func parseDate(text string) (time.Time, bool) {
	if inner, ok := strings.CutPrefix(text, "/Date("); ok {
		inner, ok = strings.CutSuffix(inner, ")/")
		if i := strings.LastIndexAny(inner, "+-"); i > 0 {
			inner = inner[:i] // the number is UTC whatever zone follows it
		}
		ms, err := strconv.ParseInt(inner, 10, 64)
		if !ok || err != nil || ms < -62_135_596_800_000 || ms >= 253_402_300_800_000 {
			return time.Time{}, false
		}
		return time.UnixMilli(ms).UTC(), true
	}
	for _, layout := range [...]string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// when reads a date: one of parseDate's forms, or a Modified Julian Date.
func (c *cell) when() (time.Time, bool) {
	if mjd, ok := c.number(); ok {
		t := MJDTime(mjd)
		return t, !t.IsZero()
	}
	if c.kind != isString {
		return time.Time{}, false
	}
	return parseDate(c.text())
}
