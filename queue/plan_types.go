package queue

import (
	"iter"
	"time"
)

// ChunkState is where a chunk, one request of the planner, stands.
type ChunkState string

const (
	// ChunkPending chunks may be taken by NextChunk. Entered by AddChunks, as children in FinishChunk, and at Open from running.
	ChunkPending ChunkState = "pending"
	// ChunkRunning chunks were handed out by NextChunk in this process. Left by FinishChunk and by the next Open.
	ChunkRunning ChunkState = "running"
	// ChunkDone chunks were answered and taken in.
	ChunkDone ChunkState = "done"
	// ChunkFailed chunks could not be planned; Chunk.Error says why. A query with one is not complete.
	ChunkFailed ChunkState = "failed"
	// ChunkSplit chunks were replaced by their children.
	ChunkSplit ChunkState = "split"
)

// NewChunk is a request the planner wants to make. Obsids, when not empty, are observations of the query that this request
// asks for: they are no longer returned by Queue.Observations, and a child takes them over from its parent.
type NewChunk struct {
	Kind   string  // the planner's word: "observations", "products", "keywords", …; not ""
	Spec   []byte  // JSON the planner understands; nil is stored as {}
	Obsids []int64 // MAST obsids asked for; may be nil
}

// Chunk is a stored request as NextChunk hands it out.
type Chunk struct {
	ID       int64
	QueryID  int64
	ParentID int64 // 0 = none: not born of a split
	NewChunk       // Obsids sorted ascending
	State    ChunkState
	Error    string // of a failed chunk
	Tries    int64  // how often NextChunk handed it out
}

// ChunkResult is the outcome of a chunk; all of it is stored in one transaction by FinishChunk. Nil iterators mean nothing.
// An error from an iterator rolls everything back and is returned by FinishChunk. Iterators run inside the writer's
// transaction: they must not call the queue and should not wait for the network.
type ChunkResult struct {
	State    ChunkState // ChunkDone, ChunkFailed or ChunkSplit
	Error    string     // of a failed chunk; sanitised by the queue
	Rows     int64      // rows the replies carried
	Requests int64      // requests made
	Elapsed  time.Duration
	Children []NewChunk // only with ChunkSplit or ChunkDone (a counted query growing parts)

	// Layout proposes the folder of each new file, as OfferConfig.Layout will choose it: Offer then has little left to write.
	// nil proposes none.
	Layout func(File) string

	Observations iter.Seq2[Observation, error]
	Files        iter.Seq2[NewFile, error]
	Products     iter.Seq2[ProductRow, error] // files kept and left out in one stream
	Omitted      iter.Seq2[Omitted, error]
	Facts        iter.Seq2[KeywordFact, error] // applied after Files and Products; unknown URIs are ignored
	Dropped      iter.Seq2[Omitted, error]     // applied last: planned files of the query that a rule leaves out after all; others are ignored
}

// ProductRow is one row of a product list: kept when Rule is "", otherwise left out by the rule of that name.
type ProductRow struct {
	File NewFile
	Rule string
}

// Omitted is a file that a rule left out. It is counted once a URI, however often it is listed.
type Omitted struct {
	URI  string
	Size int64 // bytes, -1 unknown
	Rule string
}

// Observation is one row of the archive's observation list.
type Observation struct {
	Obsid      int64  // MAST's number, the key of products; > 0
	ObsID      string // the name, as in folders
	Program    string // without zero padding; "" unknown
	Instrument string // e.g. "NIRCAM/IMAGE" as listed; "" unknown
	Level      int    // calib_level; -2 unknown
	Rights     string // PUBLIC, EXCLUSIVE_ACCESS, …; "" unknown
	ReleaseAt  time.Time
}

// Decision is what becomes of a planned file at Offer. The zero Decision means Pending.
type Decision struct {
	// Rule, if not "", leaves the file out after all, as if its row had come with this rule; the rest is then ignored.
	Rule   string
	State  State  // Pending (or ""), Parked, Failed, or Planned: it is not offered yet
	Reason Reason // required for Parked and Failed
	Detail string
	DueAt  time.Time // Parked: when to try; zero means until Unpark
}

// OfferConfig has the planner's decisions for Offer. The callbacks run inside the transaction: they must not call the queue.
type OfferConfig struct {
	// Layout returns the folder of a file, slash separated, relative to the campaign, "" for the campaign directory itself;
	// the path is folder + "/" + name. nil means "JWST/" + File.ObsID, or "JWST/_other" without one.
	Layout func(File) string
	// Decide is asked for each planned file, with its Path filled, but without digests and IngestedAt. nil means every file
	// becomes pending.
	Decide func(File) Decision
	// Collide is asked when another file already holds the path or one that differs in case only. nil means
	// Failed with ReasonCollision. A Pending answer lets both stand (the caller knows they cannot meet).
	Collide func(file, holder File) Decision
}

// OfferReport counts what Offer did.
type OfferReport struct {
	Pending, Parked, Failed   int64 // files
	PendingBytes, ParkedBytes int64 // known bytes
	UnknownSize               int64 // files offered without a size
	Refused, Collisions       int64 // of Failed: by ReasonRefusedName/RefusedPath and ReasonCollision
	Dropped                   int64 // left out by a rule
	ParkedUntil               []ParkedUntil
}

// ParkedUntil counts parked files by the UTC day they fall due; the zero Day is "until Unpark".
type ParkedUntil struct {
	Day    time.Time
	Reason Reason
	Files  int64
	Bytes  int64
}

// PlanSummary is what a query brought. Files are counted once, under the query that listed them first.
type PlanSummary struct {
	Files, Bytes int64 // all files of the query, of whatever state; bytes of those with a known size
	UnknownSize  int64 // files without a size
	ByState      []Tally
	ByInstrument []Tally
	ByLevel      []Tally // Key is the calib_level in decimal, "" unknown
	BySuffix     []Tally // Key is the part of the name after its last underscore, without extension, e.g. "rate"
	ByRights     []Tally
	ByProgram    []Tally
	ByType       []Tally // productType
	Omitted      []Tally // Key is the rule; Rows counts listings, Files distinct URIs
	Disagree     []Tally // Key is size or rights: files of which two lists of the archive say different things; see Reader.Events
	Rows         int64   // product rows taken in
	Duplicates   int64   // rows folded into a file this query had listed already
	Known        int64   // rows of files an earlier query of the campaign had listed
	Observations int64
	Requests     int64         // requests made by chunks
	Elapsed      time.Duration // spent in requests
	Chunks       map[ChunkState]int64
	Parked       []ParkedUntil
}

// Tally is one line of a break-down, sorted by Key.
type Tally struct {
	Key   string
	Rows  int64 // listings, where they are counted; otherwise 0
	Files int64
	Bytes int64
}
