package mast_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/mast"
)

func TestStrong(t *testing.T) {
	t.Parallel()
	const at, later = "Tue, 03 Nov 2026 08:00:00 GMT", "Tue, 03 Nov 2026 08:00:01 GMT"
	for _, tt := range []struct {
		v    mast.Validator
		want string
	}{
		{mast.Validator{}, ""},
		{mast.Validator{ETag: `"a"`}, `"a"`},
		{mast.Validator{ETag: `""`}, `""`},
		{mast.Validator{ETag: `"a"`, LastModified: at, Date: later}, `"a"`},
		{mast.Validator{ETag: `W/"a"`}, ""},
		{mast.Validator{ETag: `W/"a"`, LastModified: at, Date: later}, ""}, // a date may only stand in where there is no tag
		{mast.Validator{ETag: `a`}, ""},
		{mast.Validator{ETag: `"`}, ""},
		{mast.Validator{ETag: `"a"b"`}, ""},
		{mast.Validator{ETag: "\"a\nb\""}, ""},
		{mast.Validator{LastModified: at, Date: later}, at},
		{mast.Validator{LastModified: at, Date: at}, ""},
		{mast.Validator{LastModified: later, Date: at}, ""},
		{mast.Validator{LastModified: at}, ""},
		{mast.Validator{LastModified: "yesterday", Date: later}, ""},
	} {
		if got := tt.v.Strong(); got != tt.want {
			t.Errorf("%+v.Strong() = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text               string
		first, last, total int64
		ok                 bool
	}{
		{"bytes 0-9/10", 0, 9, 10, true},
		{"BYTES 5-5/6", 5, 5, 6, true},
		{"bytes 5-9/*", 5, 9, -1, true},
		{"bytes */10", -1, -1, 10, true},
		{"bytes */*", 0, 0, 0, false},
		{"bytes 9-5/10", 0, 0, 0, false},
		{"bytes 0-10/10", 0, 0, 0, false},
		{"bytes -1-5/10", 0, 0, 0, false},
		{"bytes +1-5/10", 0, 0, 0, false},
		{"bytes 1-5", 0, 0, 0, false},
		{"bytes 1/10", 0, 0, 0, false},
		{"bytes=1-5/10", 0, 0, 0, false},
		{"items 1-5/10", 0, 0, 0, false},
		{"bytes 0-5/99999999999999999999", 0, 0, 0, false},
		{"bytes  0-5/10", 0, 0, 0, false},
		{"", 0, 0, 0, false},
	} {
		first, last, total, err := mast.ParseContentRange(tt.text)
		if (err == nil) != tt.ok || err == nil && (first != tt.first || last != tt.last || total != tt.total) {
			t.Errorf("ParseContentRange(%q) = %d-%d/%d, %v", tt.text, first, last, total, err)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-9/10", "bytes */10", "bytes 5-9/*", "bytes 0-9223372036854775807/9223372036854775807", "bytes --1/-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, last, total, err := mast.ParseContentRange(text)
		switch {
		case err != nil:
		case first < 0 && (first != -1 || last != -1 || total < 0):
			t.Errorf("ParseContentRange(%q) = %d-%d/%d", text, first, last, total)
		case first >= 0 && (first > last || total != -1 && last >= total):
			t.Errorf("ParseContentRange(%q) = %d-%d/%d", text, first, last, total)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) // four hours fast
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{" 7 ", "", 7 * time.Second},
		{"-7", "", 0},
		{"7.5", "", 0},
		{"99999999999999999999", "", 366 * 24 * time.Hour},
		{"Tue, 03 Nov 2026 08:00:10 GMT", "Tue, 03 Nov 2026 08:00:00 GMT", 11 * time.Second},
		{"Tuesday, 03-Nov-26 08:00:10 GMT", "Tue, 03 Nov 2026 08:00:00 GMT", 11 * time.Second},
		{"Tue, 03 Nov 2026 12:01:00 GMT", "", 61 * time.Second},
		{"Tue, 03 Nov 2026 08:00:00 GMT", "Tue, 03 Nov 2026 08:00:00 GMT", 0},
		{"Tue, 03 Nov 2026 07:00:00 GMT", "Tue, 03 Nov 2026 08:00:00 GMT", 0},
		{"Tue, 03 Nov 2099 07:00:00 GMT", "Tue, 03 Nov 2026 08:00:00 GMT", 366 * 24 * time.Hour},
		{"soon", "", 0},
	} {
		h := http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}
		if got := mast.ParseRetryAfter(h, now); got != tt.want {
			t.Errorf("Retry-After %q with Date %q: %v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "Tue, 03 Nov 2026 08:00:00 GMT")
	f.Add("Tue, 03 Nov 2026 08:00:10 GMT", "")
	f.Add("-1", "x")
	f.Add("9223372036854775807", "")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := mast.ParseRetryAfter(h, time.Now()); got < 0 || got > 367*24*time.Hour {
			t.Errorf("Retry-After %q with Date %q: %v", value, date, got)
		}
	})
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain é text":          "plain é text",
		" a \r\n\t b ":          "a b",
		"\x1b]0;x\x07":          `\x1b]0;x\x07`,
		"\u009b31m\x7f":         `\x9b31m\x7f`,
		"a\u202eb\u2028c\ufeff": `a\u202eb\u2028c\ufeff`,
		"bad \xff":              `bad \xff`,
	} {
		if got := mast.Printable(in, 100); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
	if got := mast.Printable(strings.Repeat("é", 100), 7); got != "ééé" {
		t.Errorf("Printable cut to %q, want %q", got, "ééé")
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[0m\u202e \xff", 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := mast.Printable(text, limit)
		if len(got) > max(limit, 0) {
			t.Errorf("Printable(%q, %d) has %d bytes", text, limit, len(got))
		}
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
				t.Errorf("Printable(%q) = %q", text, got)
			}
		}
	})
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AJWST%2Fproduct%2Fx.fits": "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AJWST%2Fproduct%2Fx.fits",
		"https://me:hunter2@host/p#frag":                       "https://host/p",
		"https://host/p?token=abc&uri=x&X-Amz-Signature=d&sig": "https://host/p?token=[redacted]&uri=x&X-Amz-Signature=[redacted]&sig=[redacted]",
		"mast:JWST/product/x.fits":                             "mast:JWST/product/x.fits",
		"https://host/%zz":                                     "[redacted]",
		"mailto:me@example.org":                                "mailto:[redacted]",
	} {
		if got := mast.RedactURL(in); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", in, got, want)
		}
	}
}
