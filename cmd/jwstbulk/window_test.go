package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseWindow(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"20:00-06:00": true, "Mon-Fri 20:00-06:00,Sat-Sun": true, "Sat": true, "fri-mon 00:00-24:00": true, " Mon 1:00-2:00 , Tue ": true,
		"TZ=Europe/Berlin 20:00-06:00": true, "TZ=UTC Sat-Sun": true,
		"": false, ",": false, "20:00": false, "20:00-": false, "-06:00": false, "25:00-06:00": false, "20:00-20:00": false, "24:00-06:00": false,
		"20:00-06:60": false, "Mon-Fri-Sat": false, "Mo 20:00-06:00": false, "Mon 20:00-06:00 UTC": false, "20:00-06:00 Mon": false, "Mon Tue": false,
		"TZ=Nowhere/City 20:00-06:00": false, "TZ= 20:00-06:00": false, "TZ=UTC": false, "20:00-06:00;Sat": false, "Mon-Fri 20:00-06:00,": false,
	} {
		_, err := parseWindow(text, time.UTC)
		if (err == nil) != ok {
			t.Errorf("parseWindow(%q) = %v, want ok = %v", text, err, ok)
		}
		var usage *usageError
		if err != nil && !errors.As(err, &usage) {
			t.Errorf("parseWindow(%q) = %v, want a usage error", text, err)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	const nights, week = "20:00-06:00", "Mon-Fri 20:00-06:00,Sat-Sun"
	tests := []struct {
		name, window, now string
		open              bool
		until             string // "" for ever
	}{
		{"before", nights, "2026-03-04T19:59:59Z", false, "2026-03-04T20:00:00Z"},
		{"at its beginning", nights, "2026-03-04T20:00:00Z", true, "2026-03-05T06:00:00Z"},
		{"after midnight", nights, "2026-03-05T05:59:59Z", true, "2026-03-05T06:00:00Z"},
		{"at its end", nights, "2026-03-05T06:00:00Z", false, "2026-03-05T20:00:00Z"},
		{"Friday night runs into the week-end, and that ends with Sunday", week, "2026-03-06T21:00:00Z", true, "2026-03-09T00:00:00Z"},
		{"Monday morning", week, "2026-03-09T05:00:00Z", false, "2026-03-09T20:00:00Z"},
		{"Tuesday morning belongs to Monday", week, "2026-03-10T05:00:00Z", true, "2026-03-10T06:00:00Z"},
		{"a day next week", "Tue 10:00-11:00", "2026-03-10T11:00:00Z", false, "2026-03-17T10:00:00Z"},
		{"days over the end of a week", "Fri-Mon", "2026-03-08T12:00:00Z", true, "2026-03-10T00:00:00Z"},
		{"always", "Mon-Sun", "2026-03-08T12:00:00Z", true, ""},
		{"always, in two pieces", "00:00-12:00,12:00-24:00", "2026-03-08T12:00:00Z", true, ""},
		{"in another zone", "TZ=America/New_York 20:00-06:00", "2026-01-15T00:30:00Z", false, "2026-01-15T01:00:00Z"},
		{"night of nine hours", "TZ=Europe/Berlin " + nights, "2026-03-28T19:00:00Z", true, "2026-03-29T04:00:00Z"},
		{"night of eleven hours", "TZ=Europe/Berlin " + nights, "2026-10-24T18:00:00Z", true, "2026-10-25T05:00:00Z"},
		{"an hour that does not exist", "TZ=Europe/Berlin 02:15-02:45", "2026-03-29T03:00:00Z", false, "2026-03-30T00:15:00Z"},
		{"the only hour of a week does not exist", "TZ=Europe/Berlin Sun 02:00-03:00", "2026-03-23T12:00:00Z", false, "2026-04-05T00:00:00Z"},
	}
	for _, tt := range tests {
		w, err := parseWindow(tt.window, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		open, until := w.at(now)
		got := ""
		if !until.IsZero() {
			got = until.UTC().Format(time.RFC3339)
		}
		if open != tt.open || got != tt.until {
			t.Errorf("%s: %q at %s: open %v until %q, want %v until %q", tt.name, tt.window, tt.now, open, got, tt.open, tt.until)
		}
	}
}

// TestWindowEnter: a run begun outside waits, but not in a batch job, and not for a window that opens after its time.
func TestWindowEnter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC on Saturday, 1 January 2000
		w, err := parseWindow("TZ=UTC 20:00-06:00", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		say := func(format string, _ ...any) { said = append(said, format) }
		at := func(clock string) time.Time {
			tm, err := time.Parse("2006-01-02 15:04", "2000-01-"+clock)
			if err != nil {
				t.Fatal(err)
			}
			return tm
		}
		enter := func(wait bool, limit time.Time) (bool, time.Time) {
			open, closes, err := w.enter(t.Context(), wait, limit, say)
			if err != nil {
				t.Fatal(err)
			}
			return open, closes
		}
		if open, closes := enter(true, time.Time{}); !open || !closes.Equal(at("01 06:00")) || len(said) != 0 {
			t.Errorf("inside: %v, %v, said %q", open, closes, said)
		}
		time.Sleep(7 * time.Hour)
		if open, _ := enter(false, time.Time{}); open || len(said) != 1 {
			t.Errorf("in a batch job: %v, said %q", open, said)
		}
		if open, _ := enter(true, at("01 20:00")); open || len(said) != 2 {
			t.Errorf("with a limit before it opens: %v, said %q", open, said)
		}
		if open, closes := enter(true, at("01 21:00")); !open || !closes.Equal(at("02 06:00")) || !time.Now().Equal(at("01 20:00")) ||
			len(said) != 3 || !strings.Contains(said[2], "waiting") {
			t.Errorf("waited: %v, %v at %v, said %q", open, closes, time.Now(), said)
		}
		time.Sleep(12 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := w.enter(ctx, true, time.Time{}, say); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
		if open, closes, err := (window{}).enter(t.Context(), false, time.Time{}, say); !open || !closes.IsZero() || err != nil {
			t.Errorf("without a window: %v, %v, %v", open, closes, err)
		}
	})
}
