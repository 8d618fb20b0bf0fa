package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // nodes of clusters may have no time zones of their own
)

// window is a weekly timetable of when files may be fetched. The zero window is always open.
type window struct {
	spans []span
	zone  *time.Location
}

// span is one entry: on each of its days (Sunday is 0) from a time to another, in minutes after midnight; to is on the next
// day if it is not after from.
type span struct {
	days     [7]bool
	from, to int
}

const windowForm = "want times such as 20:00-06:00, or days and times such as \"Mon-Fri 20:00-06:00,Sat-Sun\", with \"TZ=Europe/Berlin \" before them for another time zone"

// parseWindow reads a timetable: entries between commas, each days, times or both; by default of the local time zone.
func parseWindow(text string, local *time.Location) (window, error) {
	w := window{zone: local}
	rest := strings.TrimSpace(text)
	if zoned, ok := strings.CutPrefix(rest, "TZ="); ok {
		name, after, _ := strings.Cut(zoned, " ")
		zone, err := time.LoadLocation(name)
		if err != nil || name == "" {
			return w, usagef("invalid --window %q: there is no time zone %q", text, name)
		}
		w.zone, rest = zone, after
	}
	for entry := range strings.SplitSeq(rest, ",") {
		s, ok := parseSpan(strings.Fields(entry))
		if !ok {
			return w, usagef("invalid --window %q: %q is no entry of a timetable; %s", text, strings.TrimSpace(entry), windowForm)
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

func parseSpan(words []string) (span, bool) {
	s := span{to: 24 * 60}
	if len(words) == 0 || len(words) > 2 {
		return s, false
	}
	days := words[0]
	if days[0] >= '0' && days[0] <= '9' {
		days, words = "Mon-Sun", append([]string{""}, words...)
	}
	first, last, ranged := strings.Cut(days, "-")
	if !ranged {
		last = first
	}
	d, ok := weekday(first)
	end, ok2 := weekday(last)
	if !ok || !ok2 || len(words) > 2 {
		return s, false
	}
	for s.days[d] = true; d != end; s.days[d] = true {
		d = (d + 1) % 7
	}
	if len(words) == 1 {
		return s, true
	}
	from, to, _ := strings.Cut(words[1], "-")
	s.from, ok = clock(from)
	s.to, ok2 = clock(to)
	return s, ok && ok2 && s.from != s.to && s.from < 24*60
}

func weekday(name string) (int, bool) {
	d := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(name))
	return d, d >= 0
}

// clock reads a time of day in minutes; 24:00 is the end of a day.
func clock(text string) (int, bool) {
	if text == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}

// at tells whether the window is open at a time, and when that ends; the zero time means never.
func (w window) at(now time.Time) (open bool, until time.Time) {
	const ahead = 16 // days: two weeks, for in one of them an hour may not exist, and what their ends reach beyond
	type stretch struct{ from, to time.Time }
	var all []stretch
	y, m, d := now.In(w.zone).Date()
	for i := -1; i <= ahead; i++ {
		day := time.Date(y, m, d+i, 12, 0, 0, 0, w.zone) // noon: no change of the clock falls there
		for _, s := range w.spans {
			if !s.days[day.Weekday()] {
				continue
			}
			next := 0
			if s.to <= s.from {
				next = 1
			}
			// Dates are made of hours as the clock on the wall shows them, so that a night may have nine hours, or eleven.
			st := stretch{time.Date(y, m, d+i, 0, s.from, 0, 0, w.zone), time.Date(y, m, d+i+next, 0, s.to, 0, 0, w.zone)}
			if st.to.After(st.from) {
				all = append(all, st)
			}
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return a.from.Compare(b.from) })
	for _, st := range all {
		switch {
		case open && st.from.After(until), !open && st.from.After(now):
			if !open {
				until = st.from
			}
			return open, until
		case st.to.After(now) && st.to.After(until):
			open, until = true, st.to
		}
	}
	return open, time.Time{} // it goes on beyond two weeks: for ever
}

// enter waits until the window is open, and returns when it closes; the zero time means never. It looks at the clock on the
// wall again and again, which may jump, as after a laptop slept. open is false where there is no waiting: the window opens
// only after limit, or wait is false. The error is that ctx ended.
func (w window) enter(ctx context.Context, wait bool, limit time.Time, say func(string, ...any)) (open bool, closes time.Time, err error) {
	if len(w.spans) == 0 {
		return true, time.Time{}, nil
	}
	for told := false; ; told = true {
		now := time.Now().Round(0) // by the wall
		open, until := w.at(now)
		if open {
			return true, until, nil
		}
		if !wait || !limit.IsZero() && !until.Before(limit) {
			say("outside --window, which opens %s", opening(until))
			return false, until, nil
		}
		if !told {
			say("outside --window: waiting until it opens %s; interrupt to stop", opening(until))
		}
		t := time.NewTimer(min(until.Sub(now), windowLook))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false, time.Time{}, ctx.Err()
		}
	}
}

// windowLook is the time between two looks at the clock.
const windowLook = 20 * time.Second

func opening(t time.Time) string {
	return fmt.Sprintf("on %s, in %v", t.Format("Mon 2 Jan 15:04 MST"), time.Until(t).Round(time.Minute))
}
