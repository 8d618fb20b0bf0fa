package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Format and Version open every manifest. A reader refuses any other format and any newer version.
const (
	Format  = "jwstbulk-manifest"
	Version = 1
)

// Names of the files beside the data.
const (
	Name           = "manifest.jsonl"
	SumsName       = "SHA256SUMS"
	ProvenanceName = "provenance.jsonl"
	stateDir       = ".jwstbulk"
)

// LevelUnknown is the Level of an entry whose CAOM calibration level is not known; it is written as null.
const LevelUnknown = -2

// Header is line 1 of a manifest.
type Header struct {
	Complete bool  // everything the queries asked for is in Entries
	Missing  int64 // files asked for and not in it; 0 if Complete
	Files    int64 // entries
	Bytes    int64 // sum of their sizes
	// Root is 64 lower-case hex digits: SHA-256 over the lines "<sha256>  <uri>\n" of all entries in order.
	Root string
	// Query holds what was asked for, one JSON value a query, in the order asked; may be empty. Written without blanks
	// between tokens, otherwise as given; the caller provides a canonical form.
	Query []json.RawMessage
}

// Entry is one file. In the string fields after Proof "" means unknown and is written as null.
type Entry struct {
	URI    string // the archive's name; entries are sorted bytewise by it, and no two have the same
	Path   string // relative to the campaign's directory, slash separated; no two entries have the same
	Size   int64  // bytes
	SHA256 [32]byte
	MD5    [16]byte // zero means unknown, written as null
	Proof  string   // how far the bytes are proven: manifest, archive, double, structure or size

	// From the file's own FITS header.
	CalVer   string
	CRDSCtx  string
	SDPVer   string
	Date     string
	Datamodl string

	Program    string
	Instrument string
	Level      int      // CAOM calibration level, -1 to 4, or LevelUnknown
	Obs        []string // obs_ids of the observations that list the file, bytewise sorted, no duplicates; may be empty
}

// Provenance is one line of provenance.jsonl: what is known of the transfer of a file. Zero values are written as null.
type Provenance struct {
	URI          string
	ETag         string
	LastModified string // as the server sent it
	Source       string // mast or s3
	Rights       string // PUBLIC, EXCLUSIVE_ACCESS or RESTRICTED when planned
	Release      time.Time
	Ingest       time.Time
	Fetched      time.Time
}

// Causes of a ParseError that callers tell apart with errors.Is.
var (
	// ErrFormat says that the text is not a manifest at all.
	ErrFormat = errors.New("not a jwstbulk manifest")
	// ErrVersion says that a newer version of jwstbulk wrote the manifest.
	ErrVersion = errors.New("manifest was written by a newer version of jwstbulk")
	// ErrTruncated says that the manifest ends early.
	ErrTruncated = errors.New("manifest ends early")
)

// ParseError says which line and field of a manifest break the format. Open and Reader.Entries return it; Encode, Write and
// Sum return it for entries that no manifest may hold, with the line they would have had.
type ParseError struct {
	Line  int64  // from 1
	Field string // key, "" if the line as a whole is wrong
	Why   string // plain English, outside text quoted
	Cause error  // ErrFormat, ErrVersion, ErrTruncated or nil
}

// Error formats as `line 3, field "path": why`, or `line 9: manifest ends early: why` with a cause.
func (e *ParseError) Error() string {
	why := e.Why
	if e.Cause != nil {
		why = e.Cause.Error() + ": " + why
	}
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, why)
	}
	return fmt.Sprintf("line %d, field %q: %s", e.Line, e.Field, why)
}

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Cause }
