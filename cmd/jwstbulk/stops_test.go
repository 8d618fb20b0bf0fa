package main

import (
	"testing"
	"time"
)

func TestParseUntil(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 2*3600)
	now := time.Date(2026, 3, 31, 22, 30, 0, 0, berlin)
	tests := []struct {
		text string
		want time.Time
	}{
		{"23:00", time.Date(2026, 3, 31, 23, 0, 0, 0, berlin)},
		{"06:15", time.Date(2026, 4, 1, 6, 15, 0, 0, berlin)},
		{"22:30", time.Date(2026, 4, 1, 22, 30, 0, 0, berlin)},
		{"2026-03-31T21:00:00Z", time.Date(2026, 3, 31, 23, 0, 0, 0, berlin)},
		{"2026-03-31T20:00:00Z", time.Time{}}, {"25:00", time.Time{}}, {"tomorrow", time.Time{}}, {"", time.Time{}},
	}
	for _, tt := range tests {
		got, ok := parseUntil(tt.text, now)
		if ok == tt.want.IsZero() || ok && !got.Equal(tt.want) {
			t.Errorf("parseUntil(%q) = %v, %v; want %v", tt.text, got, ok, tt.want)
		}
	}
}
