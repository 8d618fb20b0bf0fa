package query

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"jwstbulk/internal/mast"
)

// Cone is a circle on the sky, ICRS, all in degrees.
type Cone struct{ RA, Dec, Radius float64 }

// String is the form the archive takes: "ra, dec, radius" in decimal degrees.
func (c Cone) String() string {
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return f(c.RA) + ", " + f(c.Dec) + ", " + f(c.Radius)
}

var errCone = errors.New(`"RA DEC RADIUS": RA in degrees or sexagesimal hours (22:57:39.0, 22h57m39s), DEC in degrees or sexagesimal degrees, ` +
	`RADIUS in degrees or with a unit (30s, 30arcsec, 2m, 2arcmin, 0.1d), at most 30 degrees`)

// ParseCone reads "RA DEC RADIUS", separated by blanks or commas. RA is decimal degrees in [0, 360], or sexagesimal hours
// (22:57:39.046, 22h57m39.046s); DEC is decimal or sexagesimal degrees in [-90, 90]; RADIUS is degrees, or a number with
// one of the units s, arcsec, ", m, arcmin, ', d, deg; it is above 0 and at most 30 degrees. RA and DEC may also be three
// numbers each. The result is rounded to 1e-9 degrees. The error says what was expected.
func ParseCone(s string) (Cone, error) {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if n := len(f); n > 3 && isUnit(f[n-1]) {
		f = append(f[:n-2:n-2], f[n-2]+f[n-1])
	}
	if len(f) == 7 {
		f = []string{strings.Join(f[0:3], ":"), strings.Join(f[3:6], ":"), f[6]}
	}
	if len(f) != 3 {
		return Cone{}, errCone
	}
	ra, hours, ok1 := parseAngle(f[0], 'h')
	if hours {
		ra *= 15
	}
	dec, _, ok2 := parseAngle(f[1], 'd')
	radius, ok3 := parseRadius(f[2])
	if !ok1 || !ok2 || !ok3 || ra < 0 || ra > 360 || math.Abs(dec) > 90 || radius <= 0 || radius > 30 {
		return Cone{}, errCone
	}
	return Cone{round9(ra), round9(dec), max(round9(radius), 1e-9)}, nil
}

// round9 rounds to 1e-9 degrees: 4 micro-arcseconds, far below a pixel.
func round9(v float64) float64 { return math.Round(v*1e9)/1e9 + 0 }

// parseAngle reads a decimal number (of degrees), or three sexagesimal parts. unit is the letter of the first part ('h' or
// 'd'); sexagesimal says that the first part was in that unit.
func parseAngle(s string, unit byte) (v float64, sexagesimal, ok bool) {
	if v, ok := parseDecimal(strings.TrimSuffix(s, "d")); ok {
		return v, false, true
	}
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	for _, u := range []string{string(unit), "m", "°", "'"} {
		s = strings.ReplaceAll(s, u, ":")
	}
	s = strings.TrimRight(s, `s":`)
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return 0, false, false
	}
	scale := 1.0
	for i, p := range parts {
		x, ok := parseDecimal(p)
		if !ok || x < 0 || i > 0 && x >= 60 || i < len(parts)-1 && x != math.Trunc(x) {
			return 0, false, false
		}
		v += x / scale
		scale *= 60
	}
	if neg {
		v = -v
	}
	return v, true, true
}

// parseDecimal reads a plain decimal number; unlike strconv it refuses Inf, NaN, hexadecimal and underscores.
func parseDecimal(s string) (float64, bool) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune("+-.eE", r) }) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// unitDegrees gives the size of a unit of a radius in degrees; 0 if s is none.
func unitDegrees(s string) float64 {
	switch strings.ToLower(s) {
	case "", "d", "deg", "degree", "degrees", "°":
		return 1
	case "m", "arcmin", "arcminute", "arcminutes", "'":
		return 1.0 / 60
	case "s", "arcsec", "arcsecond", "arcseconds", `"`:
		return 1.0 / 3600
	}
	return 0
}

func isUnit(s string) bool { return unitDegrees(s) != 0 }

func parseRadius(s string) (float64, bool) {
	i := strings.LastIndexAny(s, "0123456789.") + 1
	scale := unitDegrees(s[i:])
	v, ok := parseDecimal(s[:i])
	return v * scale, ok && scale != 0
}

// Dates is a closed range of start times. A zero end is open.
type Dates struct{ From, To time.Time }

// LowestMJD (in 1858) and HighestMJD (in 2132) stand for the ends of an open range: the archive takes numbers only.
const (
	LowestMJD  = 0
	HighestMJD = 100_000
)

// MJD gives the range as the archive takes it; open ends become LowestMJD and HighestMJD.
func (d Dates) MJD() (lo, hi float64) {
	lo, hi = LowestMJD, HighestMJD
	if !d.From.IsZero() {
		lo = mast.MJD(d.From)
	}
	if !d.To.IsZero() {
		hi = mast.MJD(d.To)
	}
	return lo, hi
}

// String is FROM..TO in UTC with milliseconds, as ParseDates reads it.
func (d Dates) String() string {
	f := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return f(d.From) + ".." + f(d.To)
}

var errDates = errors.New("a range such as 2023-01-01..2023-02-01 (UTC, both days included, one end may be empty, times as 2023-01-01T12:30:00)")

// ParseDates reads FROM..TO, or one day. Each end is an ISO date or an ISO date and time, UTC unless it says otherwise; a
// date at the upper end includes that whole day (to its last millisecond). One end may be empty.
func ParseDates(s string) (Dates, error) {
	from, to, isRange := strings.Cut(s, "..")
	if !isRange {
		to = from
	}
	var d Dates
	var err error
	if from = strings.TrimSpace(from); from != "" {
		if d.From, _, err = parseTime(from); err != nil {
			return Dates{}, errDates
		}
	}
	if to = strings.TrimSpace(to); to != "" {
		var day bool
		if d.To, day, err = parseTime(to); err != nil {
			return Dates{}, errDates
		}
		if day {
			d.To = d.To.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
	}
	if d.From.IsZero() && d.To.IsZero() || !d.To.IsZero() && d.To.Before(d.From) {
		return Dates{}, errDates
	}
	return d, nil
}

func parseTime(s string) (t time.Time, day bool, err error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err = time.Parse(layout, s); err == nil {
			if y := t.Year(); y < 1900 || y > 2131 {
				return t, false, fmt.Errorf("year %d", y)
			}
			return t.UTC(), layout == time.DateOnly, nil
		}
	}
	return t, false, err
}

// checkObjects checks that names and radius belong together.
func (q Query) checkObjects() error {
	if q.Radius != "" && len(q.Objects) == 0 {
		return &UsageError{"--radius", q.Radius, "--object NAME with it; a cone has its radius in itself"}
	}
	return nil
}

func normalObject(flag, v string) (string, error) {
	if v == "" || len(v) > 200 || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '*' }) {
		return "", &UsageError{flag, v, "the name of a fixed target such as M 31; for moving targets --target"}
	}
	return v, nil
}

func normalRadius(flag, v string) (string, error) {
	if _, err := ParseCone("0 0 " + v); err != nil {
		return "", &UsageError{flag, v, "degrees or a number with a unit (30s, 3m, 0.1d), at most 30 degrees"}
	}
	return v, nil
}
