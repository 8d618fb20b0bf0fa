package queue

import (
	"encoding/json"
	"log/slog"
	"time"
)

// Config says which campaign to open, and how. Only Dir is required.
type Config struct {
	Dir     string           // campaign directory; the queue's files live in .jwstbulk below it
	Path    string           // database file, if it lives elsewhere; "" means Dir/.jwstbulk/queue.db
	Journal string           // journal of finished files, if it lives elsewhere; it then also tells of parts (PartLine)
	Create  bool             // make the campaign if there is none; otherwise ErrNoCampaign
	Command string           // named as the owner's command in LockedError of others; "" means the program's name
	Now     func() time.Time // nil means time.Now
	Logger  *slog.Logger     // nil discards
	Warn    func(string)     // what a user should be told once (network file system, journal rewritten); nil means Logger
}

// Order is the order in which Claim hands out pending files.
type Order string

const (
	OrderPlan     Order = "plan"      // as planned; the zero Order means this
	OrderSize     Order = "size"      // smallest first; unknown sizes first
	OrderSizeDesc Order = "size,desc" // largest first; unknown sizes last
	OrderMixed    Order = "mixed"     // the larger half of each claim from the large end, the rest from the small end
)

// RunInfo describes a run for StartRun.
type RunInfo struct {
	Command string // what the user asked for
	Host    string // "" means os.Hostname
	Version string
}

// Run is a row of the run table.
type Run struct {
	ID                     int64
	Command, Host, Version string
	StartedAt, FinishedAt  time.Time // FinishedAt is zero while it runs and after a kill
	Exit                   int       // -1 while FinishedAt is zero
	Summary                []byte    // JSON; nil if none
	Files, Bytes           int64     // done in this run and still done
}

// QueryRow is a row of the query table.
type QueryRow struct {
	ID         int64
	Spec       []byte // canonical JSON as given to AddQuery
	StartedAt  time.Time
	FinishedAt time.Time // zero while unfinished
	Summary    []byte    // JSON given to FinishQuery; nil if none
}

// Event is something that happened to a file, oldest first in Reader.Events.
type Event struct {
	ID, FileID int64 // FileID 0 = the campaign
	At         time.Time
	Kind       string // e.g. failed, waiting, parked, requeued, or a caller's word
	Detail     string
}

// Count is a number of files and the bytes of those whose size is known.
type Count struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Counts is where a campaign stands. It costs the same at a million files as at ten: triggers keep the numbers.
type Counts struct {
	State  map[State]Count            `json:"state"`         // states without files are absent
	Reason map[State]map[Reason]Count `json:"reason"`        // of failed, waiting and parked
	Next   time.Time                  `json:"next,omitzero"` // earliest due time of waiting and parked; zero if none
}

// Total returns the sum over all states.
func (c Counts) Total() Count {
	var t Count
	for _, n := range c.State {
		t.Files += n.Files
		t.Bytes += n.Bytes
	}
	return t
}

// Filter selects files for Reader.Files. The zero Filter selects all.
type Filter struct {
	States  []State
	Reasons []Reason
	URI     string // SQLite GLOB over the URI; "" = all. A pattern without * ? [ is an exact match and uses the index.
	Path    string // exact path; "" = all
	QueryID int64  // first listed by this query; 0 = all
	ObsIDs  bool   // fill File.Observations (costs a look-up a file)
}

// RetryFilter selects failed files for Queue.Retry. The zero RetryFilter selects all of them.
type RetryFilter struct {
	URI     string // SQLite GLOB over the URI; "" = all
	Reasons []Reason
}

// RebuildReport says what Rebuild did.
type RebuildReport struct {
	Aside   []string // paths the old database files were moved to
	Done    int64    // done rows taken from the journal
	Bytes   int64    // their bytes
	Undone  int64    // URIs whose last journal line says they are no longer done
	Skipped int64    // journal lines that could not be read
}

// Status is the content of status.json: what other hosts and commands read while the campaign is held.
type Status struct {
	Version        int             `json:"version"` // 1
	Written        time.Time       `json:"written"`
	Ended          bool            `json:"ended"` // the owner closed the queue cleanly; the rest is how it left it
	Owner          Owner           `json:"owner"`
	Run            int64           `json:"run,omitempty"`
	Phase          string          `json:"phase,omitempty"` // the caller's word: planning, fetching, …
	Counts         Counts          `json:"counts"`
	BytesPerSecond float64         `json:"bytes_per_second,omitempty"`
	Extra          json.RawMessage `json:"extra,omitempty"` // the caller's own JSON
}
