package queue

import (
	"errors"
	"time"
)

// State is where a file stands. The CHECK constraints of the schema repeat this machine.
type State string

const (
	// Planned rows are known to the planner but not yet offered to workers: filters, path and checks are still open.
	// Entered by Queue.FinishChunk, and by Retry of files that have no path; left by Offer.
	Planned State = "planned"
	// Pending rows may be claimed. Entered by Offer, Release, Retry, Unpark, Requeue, Open (from
	// running) and falling due; left by Claim.
	Pending State = "pending"
	// Running rows belong to one attempt of one run. Entered by Claim and ClaimFile; left by Place, Fail, Wait, Park, Release and by Open.
	Running State = "running"
	// Placing rows have a proven part whose rename may or may not have happened. Entered by Place; left by Finish, by
	// Fail, Wait, Park and Release when the rename did not happen, and by SettlePlaced.
	Placing State = "placing"
	// Done rows are proven, on disk and recorded. Entered by Finish, SettlePlaced and Rebuild; left by Requeue.
	Done State = "done"
	// Failed rows gave up, for Reason. Left by Retry.
	Failed State = "failed"
	// Waiting rows are tried again at DueAt. Left by falling due.
	Waiting State = "waiting"
	// Parked rows wait for something other than time alone: a release date or a valid token. Left by falling due and Unpark.
	Parked State = "parked"
	// Lent rows are in a shard list of cluster mode. Left by collecting the shard.
	Lent State = "lent"
)

// Reason says why a file is failed, waiting or parked; the words are part of the tool's interface (`jwstbulk errors`).
type Reason string

const (
	ReasonMissing      Reason = "missing"       // 404 or 410 for more than a day
	ReasonDenied       Reason = "denied"        // refused by name although the token is valid
	ReasonDigest       Reason = "digest"        // the bytes are not those of the archive's checksum
	ReasonStructure    Reason = "structure"     // not a whole FITS, JSON, ECSV or image file
	ReasonSize         Reason = "size-conflict" // the archive's two statements about the length differ
	ReasonHTTP         Reason = "http"          // a 4xx that will not heal, or too many transient errors
	ReasonNetwork      Reason = "network"       // attempts without progress
	ReasonRefusedName  Reason = "refused-name"  // the name is not safe on disk
	ReasonRefusedPath  Reason = "refused-path"  // something that is not a regular file stands at the path
	ReasonCollision    Reason = "collision"     // two files want one path
	ReasonNotPublic    Reason = "not-public"    // parked until the release date
	ReasonNeedsToken   Reason = "needs-token"   // parked until a valid token is given
	ReasonRetryAfter   Reason = "retry-after"   // waiting as long as the server asked
	ReasonTransient    Reason = "transient"     // waiting out a transient error
	ReasonReprocessing Reason = "reprocessing"  // waiting: 404 right after listing
)

// Proof says how far the bytes of a done file are proven, strongest first.
type Proof string

const (
	ProofManifest  Proof = "manifest"  // SHA-256 of a trusted manifest
	ProofArchive   Proof = "archive"   // the archive's checksum, once that is proven to be an MD5
	ProofDouble    Proof = "double"    // two fetches agree
	ProofStructure Proof = "structure" // exact length and a whole FITS walk
	ProofSize      Proof = "size"      // exact length from the catalogue or the server
)

// Errors that callers branch on.
var (
	// ErrStale is returned by every guarded finish (Place, Finish, Fail, Wait, Park, Release, Progress) when the row no
	// longer belongs to the run and attempt of the Job: the outcome is of an older run and was dropped.
	ErrStale = errors.New("outcome belongs to an older attempt")
	// ErrSchemaTooNew is returned by Open for a database written by a newer version.
	ErrSchemaTooNew = errors.New("queue was written by a newer version of jwstbulk")
	// ErrDamaged is returned by Open when SQLite reports a damaged file; Rebuild makes a new queue from the journal.
	ErrDamaged = errors.New("queue database is damaged")
	// ErrNoLocks is returned by Open where the file system refuses locks, without which two hosts could write one queue.
	ErrNoLocks = errors.New("the file system has no locks")
	// ErrNoCampaign is returned by Open and OpenReader when there is no queue and creating one was not asked for.
	ErrNoCampaign = errors.New("no campaign here")
)

// LockedError is returned by Open when another process writes this campaign.
type LockedError struct {
	Path  string
	Owner Owner // zero if the owner could not be read
}

// Owner identifies the process that holds a campaign.
type Owner struct {
	Host    string    `json:"host"`
	BootID  string    `json:"boot_id"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Command string    `json:"command"`
}

// Validator is what a server said of the version of a file, kept to continue a part (RFC 9110 section 8.8).
type Validator struct {
	ETag         string // as sent, with quotes; "" if none
	LastModified string // as sent (HTTP date); "" if none
	Date         string // the Date of the reply that carried them; "" if none
}

// Part is the state of the bytes fetched so far of one file: one attempt's file, one source, one version.
type Part struct {
	Token    string // 8 hex digits in the part's name; "" means there is no part
	Source   string // "mast" or "s3"
	Boot     string // boot id under which it was written; "" unknown: a task of a batch system wrote it, and may still
	Durable  int64  // bytes known to be fsynced; all that may be trusted after another boot
	Size     int64  // total length the reply announced; -1 unknown
	Checksum []byte // the archive's checksum when the part was begun; nil if none
	Validator
}

// Job is one claimed file, valid for one attempt of one run.
type Job struct {
	ID      int64
	RunID   int64
	Attempt int64 // counts claims of this row; guards every finish together with RunID

	URI      string
	Path     string // relative to the campaign directory, slash separated
	Size     int64  // -1 unknown
	Exact    bool   // Size comes from the keyword services, not from the product list
	Checksum []byte // 16 bytes as the archive lists it (32 hex digits); nil if none
	Want     []byte // SHA-256 of a trusted manifest; nil if none

	Tries     int    // attempts without progress so far
	Checks    int    // 404 re-checks so far (1 h, 6 h, 24 h)
	LastSHA   []byte // SHA-256 of the previous complete body that did not verify; nil if none. Two equal ones are proof double.
	Public    bool   // needs no token as far as the catalogue says
	ReleaseAt time.Time
	Part      Part
}

// File is a row of the queue as reports and the manifest see it. Digests are nil until known.
type File struct {
	ID          int64
	URI, Path   string
	State       State
	Reason      Reason
	Detail      string // the last error, sanitised, at most 1 KiB
	Size        int64
	Exact       bool
	Checksum    []byte // the archive's
	SHA256, MD5 []byte
	Want        []byte // SHA-256 of a trusted manifest; nil if none
	Proof       Proof
	Flagged     string            // a complaint that did not outvote the proof; "" if none
	Header      map[string]string // FITS keywords captured while the bytes streamed by: CAL_VER, CRDS_CTX, …; nil before done
	Facts
	Source       string
	Validator    Validator // of the finished bytes; Date is not kept
	Attempt      int64
	DueAt        time.Time // zero if none
	FinishedAt   time.Time
	Observations []string // obs_ids, bytewise sorted; filled only where the method says so
	ObsID        string   // obs_id that names the folder, chosen at planning; "" if no product row or keyword row gave one
	QueryID      int64    // the query that listed the file first; 0 after Rebuild
	Part         Part     // what is left on disk of an unfinished file; filled by Placings alone
	RunID        int64    // the run that finished it, or that placed it; 0 otherwise
}

// Facts are what the archive's catalogue says of a file. Zero values mean unknown.
type Facts struct {
	Program     string // without zero padding, as MAST's proposal_id
	Instrument  string // NIRCAM, NIRISS, NIRSPEC, MIRI, FGS
	Level       int    // CAOM calib_level; -2 unknown
	ProductType string // SCIENCE, PREVIEW, INFO, AUXILIARY, …
	Rights      string // PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED
	ReleaseAt   time.Time
	IngestedAt  time.Time
	CalVer      string // as the keyword service lists it; the manifest uses the header's
	CRDSCtx     string
	SDPVer      string
	Stale       bool // queued for reprocessing
}

// NewFile is what the planner knows of a file when it meets a product row.
type NewFile struct {
	URI     string
	Name    string  // the last path component of the URI
	ObsID   string  // obs_id of the row: the folder
	Own     bool    // obsID = parent_obsid in the row: ObsID outranks those of other rows
	Size    int64   // -1 unknown
	Parents []int64 // obsids of the observations that list the file; may be empty (lists)
	Facts
}

// KeywordFact is one row of a keyword service, joined to a file by URI.
type KeywordFact struct {
	URI      string
	Size     int64
	Checksum []byte // nil if none
	ObsID    string // fileSetName, the folder if no product row gave one
	Facts
}

// Placement is what is recorded, in one transaction, before the part gets its final name.
type Placement struct {
	Size        int64
	SHA256, MD5 []byte // 32 and 16 bytes
	Proof       Proof
	Flagged     string
	Header      map[string]string
	Source      string
	Validator   Validator
	// Trust, when not "", is the new trust in the archive's checksums; it is stored in the same transaction.
	Trust Trust
}

// Trust is what this campaign has learned about the archive's 32-hex checksum.
type Trust string

const (
	// TrustUnproven: no checksum was seen to match yet, nor to fail for good. The state at the start.
	TrustUnproven Trust = "unproven"
	// TrustProven: a file matched in length and MD5. From then on a mismatch is the file's fault.
	TrustProven Trust = "proven"
	// TrustNotMD5: three files arrived twice with the same bytes, and none ever matched. Checksums are ignored.
	TrustNotMD5 Trust = "not-md5"
)

// Outcome is why an attempt ended without a file.
type Outcome struct {
	Reason  Reason
	Detail  string    // for `errors`: what happened and what to do; sanitised by the queue
	DueAt   time.Time // Wait and Park: when to try again; zero (Park only) means until Unpark
	Spent   bool      // the attempt made no progress: Tries+1; otherwise Tries becomes 0
	Recheck bool      // a 404 or 410: Checks+1
	LastSHA []byte    // SHA-256 of a complete body that did not verify, nil to keep the stored one
	Part    Part      // what is left on disk; the zero Part means nothing
}
