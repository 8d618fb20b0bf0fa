package planner

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"

	"jwstbulk/queue"
)

// Limits are what a run will be held to. Zero values mean no limit.
type Limits struct {
	Rate     float64 // file requests a second
	ByteRate int64   // bytes a second over all transfers
}

// Forecast is what is known of a fetch before a byte moves. What is parked, failed or lent counts for nothing.
type Forecast struct {
	Files       int64 `json:"files"` // to fetch
	Bytes       int64 `json:"bytes"` // of those with a known size
	NeedBytes   int64 `json:"needs_bytes"`
	NeedInodes  int64 `json:"needs_inodes"`
	FreeBytes   int64 `json:"free_bytes"`   // of the file system; -1 if it has no limit or it is not known
	FreeInodes  int64 `json:"free_inodes"`  // the same
	QuotaBytes  int64 `json:"quota_bytes"`  // what the user's quota leaves; -1 if there is none or it is not known
	QuotaInodes int64 `json:"quota_inodes"` // the same
	TooLarge    bool  `json:"too_large"`    // it does not fit into either

	// OnDisk is what lies on disk already under the right name and with the right length, of Files. Zero if nobody looked.
	OnDisk OnDisk `json:"on_disk"`

	AtLeast float64 `json:"at_least_s"` // seconds that the limits alone cost; 0 without limits
	Bound   string  `json:"bound"`      // the limit that costs them: --rate or --limit-rate; "" without limits
}

// OnDisk counts files that need not be fetched if their bytes prove right.
type OnDisk struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// NewForecast says what a campaign has still to fetch, whether it fits, and how long the limits make it at least. The
// archive and the network add to that. folders and free are as for CheckSpace; an error of it leaves the free space unknown.
func NewForecast(c queue.Counts, folders int64, l Limits, free func() (bytes, inodes uint64, err error)) Forecast {
	todo := remaining(c)
	f := Forecast{Files: todo.Files, Bytes: todo.Bytes, NeedBytes: withMargin(todo.Bytes), NeedInodes: todo.Files + folders, FreeBytes: -1, FreeInodes: -1,
		QuotaBytes: -1, QuotaInodes: -1}
	if b, i, err := free(); err == nil {
		f.FreeBytes, f.FreeInodes = limited(b), limited(i)
	}
	f.TooLarge = f.exceeds(f.FreeBytes, f.FreeInodes)
	if l.Rate > 0 {
		f.AtLeast, f.Bound = float64(f.Files)/l.Rate, "--rate"
	}
	if l.ByteRate > 0 {
		if s := float64(f.Bytes) / float64(l.ByteRate); s > f.AtLeast || f.Bound == "" {
			f.AtLeast, f.Bound = s, "--limit-rate"
		}
	}
	return f
}

// exceeds reports that what is to be fetched needs more; -1 is no limit.
func (f Forecast) exceeds(bytes, inodes int64) bool {
	return f.Files > 0 && (bytes >= 0 && f.NeedBytes > bytes || inodes >= 0 && f.NeedInodes > inodes)
}

// WithQuota adds what the user's quota leaves: bytes and inodes, math.MaxUint64 for what has no limit.
func (f Forecast) WithQuota(bytes, inodes uint64) Forecast {
	f.QuotaBytes, f.QuotaInodes = limited(bytes), limited(inodes)
	f.TooLarge = f.TooLarge || f.exceeds(f.QuotaBytes, f.QuotaInodes)
	return f
}

// remaining counts what will be fetched if nothing else is said.
func remaining(c queue.Counts) (todo queue.Count) {
	for _, s := range []queue.State{queue.Planned, queue.Pending, queue.Running, queue.Placing, queue.Waiting} {
		todo.Files += c.State[s].Files
		todo.Bytes += c.State[s].Bytes
	}
	return todo
}

// withMargin adds 2 %: directories, blocks that are not full, and sizes that the product list has wrong.
func withMargin(bytes int64) int64 {
	return int64(min(math.Ceil(float64(bytes)*1.02), math.MaxInt64/2))
}

// limited turns a file system's answer into a number that JSON can carry; -1 is no limit.
func limited(n uint64) int64 {
	if n >= math.MaxInt64 {
		return -1
	}
	return int64(n)
}

// SpaceError says that a campaign does not fit.
type SpaceError struct {
	NeedBytes, FreeBytes   uint64
	NeedInodes, FreeInodes uint64
	Quota                  bool // it is the user's quota that leaves so little
}

// Error names what is missing, in bytes or inodes.
func (e *SpaceError) Error() string {
	of := "free"
	if e.Quota {
		of = "left by your quota"
	}
	if e.NeedBytes > e.FreeBytes {
		return fmt.Sprintf("not enough space: %s needed, %s %s", humanize.IBytes(e.NeedBytes), humanize.IBytes(e.FreeBytes), of)
	}
	return fmt.Sprintf("not enough inodes: %s files and folders needed, %s %s", count(e.NeedInodes), count(e.FreeInodes), of)
}

func count(n uint64) string { return humanize.Comma(int64(min(n, math.MaxInt64))) }

// CheckSpace compares what a campaign has still to fetch with what the file system has free: bytes and 2 % more, one inode
// a file and one a folder. Files of unknown size count for their inode alone; what is parked, failed or lent counts for
// nothing. free returns free bytes and inodes, math.MaxUint64 for what has no limit. The error is a *SpaceError, or free's.
func CheckSpace(c queue.Counts, folders int64, free func() (bytes, inodes uint64, err error)) error {
	todo := remaining(c)
	if todo.Files == 0 {
		return nil
	}
	freeBytes, freeInodes, err := free()
	if err != nil {
		return fmt.Errorf("asking for free space: %w", err)
	}
	need := SpaceError{
		NeedBytes: uint64(withMargin(todo.Bytes)), FreeBytes: freeBytes,
		NeedInodes: uint64(todo.Files + folders), FreeInodes: freeInodes,
	}
	if need.NeedBytes > freeBytes || need.NeedInodes > freeInodes {
		return &need
	}
	return nil
}
