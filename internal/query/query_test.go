package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"jwstbulk/internal/query"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		q    query.Query
		want string
	}{
		{"program", query.Query{Programs: []string{"02733", " 1345", "1345"}}, `{"program":["1345","2733"]}`},
		{"obs", query.Query{Obs: []string{"01345:012", "JW02733*"}}, `{"obs":["1345:12","jw02733*"]}`},
		{"instrument", query.Query{Instruments: []string{"nircam", "MIRI*", "niriss/image"}}, `{"instrument":["MIRI","NIRCAM","NIRISS/IMAGE"]}`},
		{"cone", query.Query{Cones: []string{"22:57:39.046 -29:37:20.05 30s"}}, `{"cone":["344.412691667, -29.622236111, 0.008333333"]}`},
		{"date", query.Query{Dates: []string{"2023-01-01..2023-02-01"}}, `{"date":["2023-01-01T00:00:00.000Z..2023-02-01T23:59:59.999Z"]}`},
		{"files", query.Query{Programs: []string{"1"}, Levels: []string{"3", "2B"}, Suffixes: []string{"_I2D", "cat.ecsv"}, ProductTypes: []string{"science"},
			Rights: "ALL", Include: []string{"*nrcb1*"}, GuideStars: true},
			`{"program":["1"],"level":["2b","3"],"suffix":["cat.ecsv","i2d"],"product_type":["SCIENCE"],"include":["*nrcb1*"],"guide_stars":true}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.q.Canonical()
			if err != nil || string(got) != tc.want {
				t.Fatalf("Canonical() = %s, %v, want %s", got, err, tc.want)
			}
			var again query.Query
			if err := json.Unmarshal(got, &again); err != nil {
				t.Fatal(err)
			}
			if b, err := again.Canonical(); err != nil || string(b) != tc.want {
				t.Errorf("Canonical() of its own form = %s, %v, want %s", b, err, tc.want)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("F%d*", i)
	}
	for _, tc := range []struct {
		q           query.Query
		flag, value string
	}{
		{query.Query{}, "query", ""},
		{query.Query{Suffixes: []string{"cal"}}, "query", ""},
		{query.Query{Programs: []string{"abc"}}, "--program", "abc"},
		{query.Query{Programs: []string{"0"}}, "--program", "0"},
		{query.Query{Programs: []string{"123456"}}, "--program", "123456"},
		{query.Query{Obs: []string{"1345:"}}, "--obs", "1345:"},
		{query.Query{Obs: []string{"jw0[1"}}, "--obs", "jw0[1"},
		{query.Query{Obs: []string{"../x"}}, "--obs", "../x"},
		{query.Query{Instruments: []string{"WFPC2"}}, "--instrument", "WFPC2"},
		{query.Query{Instruments: []string{"NIRCAM/"}, Cones: []string{"1 2"}}, "--cone", "1 2"},
		{query.Query{Filters: []string{"F150W;DROP"}}, "--filter", "F150W;DROP"},
		{query.Query{Targets: []string{"*"}}, "--target", "*"},
		{query.Query{Targets: []string{"a\x1b[0m"}}, "--target", "a\x1b[0m"},
		{query.Query{Dates: []string{"2023-02-01..2023-01-01"}}, "--date", "2023-02-01..2023-01-01"},
		{query.Query{Dates: []string{".."}}, "--date", ".."},
		{query.Query{Programs: []string{"1"}, Levels: []string{"5"}}, "--level", "5"},
		{query.Query{Programs: []string{"1"}, Suffixes: []string{"*cal"}}, "--suffix", "*cal"},
		{query.Query{Programs: []string{"1"}, ProductTypes: []string{"x"}}, "--product-type", "x"},
		{query.Query{Programs: []string{"1"}, Rights: "mine"}, "--rights", "mine"},
		{query.Query{Programs: []string{"1"}, Include: []string{"[a"}}, "--include", "[a"},
		{query.Query{Programs: []string{"1"}, Exclude: []string{"a/b"}}, "--exclude", "a/b"},
		{query.Query{Filters: many, Targets: many}, "query", ""},
	} {
		err := tc.q.Validate()
		var usage *query.UsageError
		if !errors.As(err, &usage) || usage.Flag != tc.flag || usage.Value != tc.value || usage.Want == "" {
			t.Errorf("Validate(%+v) = %v, want a UsageError of %s %q", tc.q, err, tc.flag, tc.value)
		} else if strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("Validate(%+v) = %q has a control character", tc.q, err)
		}
	}
}

func TestParseCone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want query.Cone
		ok   bool
	}{
		{"346.62237 -5.0414 0.00833333", query.Cone{346.62237, -5.0414, 0.00833333}, true},
		{"346.62237,-5.0414,30s", query.Cone{346.62237, -5.0414, 0.008333333}, true},
		{"4:14:47.861, +26:48:10.91, 12.0m", query.Cone{63.699420833, 26.803030556, 0.2}, true},
		{"4h14m47.861s +26d48m10.91s 12arcmin", query.Cone{63.699420833, 26.803030556, 0.2}, true},
		{"4 14 47.861 +26 48 10.91 720 arcsec", query.Cone{63.699420833, 26.803030556, 0.2}, true},
		{"0:00:04 -0:00:30 1d", query.Cone{0.016666667, -0.008333333, 1}, true},
		{"10d 20d 0.5 deg", query.Cone{10, 20, 0.5}, true},
		{"12h 5 1'", query.Cone{180, 5, 0.016666667}, true},
		{"361 0 1s", query.Cone{}, false},
		{"1 91 1s", query.Cone{}, false},
		{"1 1 0", query.Cone{}, false},
		{"1 1 -1", query.Cone{}, false},
		{"1 1 31", query.Cone{}, false},
		{"1 1 1x", query.Cone{}, false},
		{"NaN 1 1", query.Cone{}, false},
		{"1 Inf 1", query.Cone{}, false},
		{"0x10 1 1", query.Cone{}, false},
		{"1:60:00 1 1", query.Cone{}, false},
		{"1:2:3:4 1 1", query.Cone{}, false},
		{"25:00:00 1 1", query.Cone{}, false},
		{"", query.Cone{}, false},
		{"1 2 3 4", query.Cone{}, false},
	} {
		got, err := query.ParseCone(tc.in)
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("ParseCone(%q) = %v, %v, want %v", tc.in, got, err, tc.want)
		}
	}
}

func FuzzParseCone(f *testing.F) {
	for _, s := range []string{"346.6 -5 30s", "4:14:47.861 +26:48:10.91 12m", "1 2 3 4 5 6 7", "12h 5d 1'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := query.ParseCone(s)
		if err != nil {
			return
		}
		if !(c.RA >= 0 && c.RA <= 360 && math.Abs(c.Dec) <= 90 && c.Radius > 0 && c.Radius <= 30) {
			t.Errorf("ParseCone(%q) = %v is out of range", s, c)
		}
		if again, err := query.ParseCone(c.String()); err != nil || again != c {
			t.Errorf("ParseCone(%q) = %v, %v, want %v", c.String(), again, err, c)
		}
	})
}

func FuzzParseDates(f *testing.F) {
	for _, s := range []string{"2023-01-01..2023-02-01", "2023-01-01", "..2023-01-01T12:00:00Z", "2023-01-01T01:02:03+02:00.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := query.ParseDates(s)
		if err != nil {
			return
		}
		if again, err := query.ParseDates(d.String()); err != nil || again.String() != d.String() {
			t.Errorf("ParseDates(%q) = %v, %v, want %v", d.String(), again, err, d)
		}
		if lo, hi := d.MJD(); lo > hi {
			t.Errorf("MJD() of %q = %v, %v", s, lo, hi)
		}
	})
}

func TestBranches(t *testing.T) {
	t.Parallel()
	got, err := query.Branches(query.Query{Programs: []string{"2733"}, Instruments: []string{"NIRCAM", "MIRI/IMAGE"}, Filters: []string{"F150W"},
		Cones: []string{"1 2 3s"}, Dates: []string{"2023-01-01"}, Suffixes: []string{"cal"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("Branches = %q, want 2", got)
	}
	for i, want := range []string{`"FreeText":"NIRCAM*"`, `"Values":["MIRI/IMAGE"]`} {
		for _, w := range []string{want, `"proposal_id"`, `"2733"`, `"Separator":";"`, `"Position":"1, 2, 0.000833333"`, `"Min":59945,"Max":59945.99999998843`, `"obs_collection"`} {
			if !strings.Contains(got[i], w) {
				t.Errorf("branch %d = %s, want %s in it", i, got[i], w)
			}
		}
	}
	if got, err = query.Branches(query.Query{Obs: []string{"1345:12", "jw01[0-9]*", "a", "b"}}); err != nil || len(got) != 4 {
		t.Errorf("Branches = %q, %v, want 3 patterns and one list", got, err)
	}
}

func TestObsMatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		asked []string
		obsID string
		want  bool
	}{
		{nil, "x", true},
		{[]string{"1345:12"}, "jw01345-o012_t001_nircam_clear-f150w", true},
		{[]string{"1345:12"}, "jw01345012001_02101_00001_nrcb1", true},
		{[]string{"1345:12"}, "jw01345-o013_t001_nircam_clear-f150w", false},
		{[]string{"jw01345-o01?*"}, "jw01345-o013_t001", true},
		{[]string{"jw01345-o01?"}, "jw01345-o013_t001", false},
	} {
		if got := query.ObsMatch(tc.asked, tc.obsID); got != tc.want {
			t.Errorf("ObsMatch(%q, %q) = %v, want %v", tc.asked, tc.obsID, got, tc.want)
		}
	}
	if got := query.Widen("jw0?[1-3]x*"); got != "jw0**x*" {
		t.Errorf("Widen = %q", got)
	}
}

func ExampleQuery_Validate() {
	q := query.Query{Programs: []string{"1345"}, Cones: []string{"12:00 nowhere 1m"}}
	fmt.Println(strings.HasPrefix(q.Validate().Error(), `invalid --cone "12:00 nowhere 1m": want "RA DEC RADIUS"`))
	// Output: true
}

func ExampleQuery_Canonical() {
	q := query.Query{Programs: []string{"01345"}, Instruments: []string{"nircam"}, Suffixes: []string{"_i2d"}}
	b, err := q.Canonical()
	fmt.Println(string(b), err)
	// Output: {"program":["1345"],"instrument":["NIRCAM"],"suffix":["i2d"]} <nil>
}

func ExampleParseCone() {
	c, err := query.ParseCone("22:57:39.046 -29:37:20.05 30arcsec")
	fmt.Println(c, err)
	// Output: 344.412691667, -29.622236111, 0.008333333 <nil>
}

func ExampleParseDates() {
	d, err := query.ParseDates("2023-01-01..2023-01-31")
	fmt.Println(d, err)
	// Output: 2023-01-01T00:00:00.000Z..2023-01-31T23:59:59.999Z <nil>
}
