package planner_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/planner"
	"jwstbulk/queue"
)

func TestNewForecast(t *testing.T) {
	t.Parallel()
	counts := queue.Counts{State: map[queue.State]queue.Count{
		queue.Pending: {Files: 90, Bytes: 9_000_000_000}, queue.Waiting: {Files: 10, Bytes: 1_000_000_000},
		queue.Done: {Files: 7, Bytes: 7}, queue.Parked: {Files: 5, Bytes: 5}, queue.Failed: {Files: 3, Bytes: 3},
	}}
	space := func(b, i uint64, err error) func() (uint64, uint64, error) {
		return func() (uint64, uint64, error) { return b, i, err }
	}
	base := planner.Forecast{Files: 100, Bytes: 10_000_000_000, NeedBytes: 10_200_000_000, NeedInodes: 103, FreeBytes: -1, FreeInodes: -1, QuotaBytes: -1, QuotaInodes: -1}
	for _, tc := range []struct {
		name   string
		limits planner.Limits
		free   func() (uint64, uint64, error)
		change func(*planner.Forecast)
	}{
		{"no limits", planner.Limits{}, space(math.MaxUint64, math.MaxUint64, nil), func(*planner.Forecast) {}},
		{"requests bind", planner.Limits{Rate: 10}, space(math.MaxUint64, math.MaxUint64, nil), func(f *planner.Forecast) { f.AtLeast, f.Bound = 10, "--rate" }},
		{"bytes bind", planner.Limits{Rate: 10, ByteRate: 10_000_000}, space(math.MaxUint64, math.MaxUint64, nil), func(f *planner.Forecast) { f.AtLeast, f.Bound = 1000, "--limit-rate" }},
		{"bytes do not bind", planner.Limits{Rate: 0.01, ByteRate: 10_000_000}, space(math.MaxUint64, math.MaxUint64, nil), func(f *planner.Forecast) { f.AtLeast, f.Bound = 10_000, "--rate" }},
		{"bytes alone", planner.Limits{ByteRate: 10_000_000}, space(math.MaxUint64, math.MaxUint64, nil), func(f *planner.Forecast) { f.AtLeast, f.Bound = 1000, "--limit-rate" }},
		{"fits", planner.Limits{}, space(10_200_000_000, 103, nil), func(f *planner.Forecast) { f.FreeBytes, f.FreeInodes = 10_200_000_000, 103 }},
		{"no space", planner.Limits{}, space(10_199_999_999, 103, nil), func(f *planner.Forecast) { f.FreeBytes, f.FreeInodes, f.TooLarge = 10_199_999_999, 103, true }},
		{"no inodes", planner.Limits{}, space(math.MaxUint64, 102, nil), func(f *planner.Forecast) { f.FreeInodes, f.TooLarge = 102, true }},
		{"unknown", planner.Limits{}, space(0, 0, errors.New("no such file system")), func(*planner.Forecast) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := base
			tc.change(&want)
			if d := cmp.Diff(want, planner.NewForecast(counts, 3, tc.limits, tc.free)); d != "" {
				t.Errorf("NewForecast (-want +got):\n%s", d)
			}
		})
	}
	f := planner.NewForecast(counts, 3, planner.Limits{}, space(math.MaxUint64, 1000, nil))
	for _, tc := range []struct {
		bytes, inodes uint64
		large         bool
	}{{10_200_000_000, math.MaxUint64, false}, {10_199_999_999, math.MaxUint64, true}, {math.MaxUint64, 103, false}, {math.MaxUint64, 102, true}, {0, 0, true}} {
		if q := f.WithQuota(tc.bytes, tc.inodes); q.TooLarge != tc.large || tc.inodes == 103 && (q.QuotaBytes != -1 || q.QuotaInodes != 103) {
			t.Errorf("WithQuota(%d, %d) = %+v, want too large %v", tc.bytes, tc.inodes, q, tc.large)
		}
	}
	if f := planner.NewForecast(queue.Counts{}, 0, planner.Limits{Rate: 1}, space(0, 0, nil)); f.TooLarge || f.AtLeast != 0 {
		t.Errorf("NewForecast of nothing = %+v", f)
	}
}

func TestCheckSpace(t *testing.T) {
	t.Parallel()
	counts := queue.Counts{State: map[queue.State]queue.Count{
		queue.Pending: {Files: 10, Bytes: 1000}, queue.Done: {Files: 100, Bytes: 1 << 40}, queue.Parked: {Files: 5, Bytes: 1 << 40},
	}}
	free := func(b, i uint64) func() (uint64, uint64, error) {
		return func() (uint64, uint64, error) { return b, i, nil }
	}
	if err := planner.CheckSpace(counts, 2, free(1020, 12)); err != nil {
		t.Errorf("CheckSpace = %v, want nil", err)
	}
	if err := planner.CheckSpace(counts, 2, free(1020, math.MaxUint64)); err != nil {
		t.Errorf("CheckSpace = %v, want nil", err)
	}
	for _, f := range [][2]uint64{{1019, 12}, {1020, 11}} {
		var space *planner.SpaceError
		if err := planner.CheckSpace(counts, 2, free(f[0], f[1])); !errors.As(err, &space) || space.NeedBytes != 1020 || space.NeedInodes != 12 {
			t.Errorf("CheckSpace with %v free = %v, want a SpaceError", f, err)
		}
	}
	bad := errors.New("no")
	if err := planner.CheckSpace(counts, 0, func() (uint64, uint64, error) { return 0, 0, bad }); !errors.Is(err, bad) {
		t.Errorf("CheckSpace = %v, want %v", err, bad)
	}
	if err := planner.CheckSpace(queue.Counts{}, 0, func() (uint64, uint64, error) { return 0, 0, bad }); err != nil {
		t.Errorf("CheckSpace of nothing = %v, want nil", err)
	}
}
