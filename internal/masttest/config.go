package masttest

import (
	"fmt"
	"io"
	"time"
)

// Config describes a simulated archive. The zero value is a small synthetic one that behaves well.
type Config struct {
	// Catalog says which files there are; nil means Synthetic with its defaults.
	Catalog Catalog
	// MetadataOnly answers every download with 404 and lists recorded checksums and sizes untouched.
	MetadataOnly bool
	// Tokens are the API tokens the archive knows.
	Tokens []Token
	// Faults are in force from the start; see SetFault.
	Faults []Fault
	// Now is the archive's clock, which decides what is still exclusive; nil means time.Now.
	Now func() time.Time
	// Rate limits all file bodies together to so many bytes a second; 0 means no limit.
	Rate int64
	// Latency delays the first byte of every reply.
	Latency time.Duration
	// MaxTransfers answers 429 to a file request when so many bodies are already being sent; 0 means no limit.
	MaxTransfers int
	// RetryAfter is sent with the 429 of MaxTransfers and the 503 of SetStorm: seconds, or "date:SECONDS"; "" sends none.
	RetryAfter string
	// Validators says which version headers a file reply carries; "" means a strong ETag and Last-Modified.
	Validators Validators
	// Executing is how many polls of a byte-identical Mashup request are answered EXECUTING before the result.
	Executing int
	// Hold is how long each EXECUTING answer is held back (the archive holds up to its "timeout" parameter, 20 s).
	Hold time.Duration
	// RowLimit resets the connection of a query with more rows than this on all its pages; 0 means 500,000, negative
	// none. Counts are not limited.
	RowLimit int
	// Joins limits product requests; the zero value does not.
	Joins JoinLimit
	// Shape of Mashup replies whatever format was asked for; "" follows the request.
	Shape Shape
	// NumericIDs sends obsid, objID, obsID and parent_obsid as JSON numbers, as older replies did; strings otherwise.
	NumericIDs bool
	// DigestFile keeps computed checksums between runs, one JSON object a line; "" keeps them in memory.
	DigestFile string
	// ForgetRequests keeps no record of requests in memory, for a server that runs for days; Log still gets them.
	ForgetRequests bool
	// ControlPath, like "/_sim/", serves Control below it; "" does not.
	ControlPath string
	// Log receives one JSON object a line for every finished request; nil means none.
	Log io.Writer
}

// Token is an API token of the simulated archive.
type Token struct {
	Value    string
	Name     string   // display name in whoami; "" means "Simulated User"
	Programs []string // exclusive programmes it opens, without zero padding; nil means all, empty means none
	Expired  bool     // whoami is anonymous and protected files answer 401
}

// JoinLimit makes large product requests fail the way the archive's slow join does.
type JoinLimit struct {
	Obsids int           // fail above so many obsids in one request; 0 means no limit
	Rows   int           // fail above so many joined rows; 0 means no limit
	PerRow time.Duration // time a joined row takes, before any answer; 0 means none
	How    JoinFailure   // "" means JoinGatewayTimeout
}

// JoinFailure is how a request over JoinLimit fails.
type JoinFailure string

// The ways a join fails.
const (
	JoinGatewayTimeout JoinFailure = "504"       // HTTP 504 with an HTML page
	JoinError          JoinFailure = "error"     // status ERROR, session in the kill state
	JoinExecuting      JoinFailure = "executing" // EXECUTING for ever
	JoinHang           JoinFailure = "hang"      // no answer until the client goes away
	JoinReset          JoinFailure = "reset"     // connection reset
)

// Validators says which version headers a file reply carries.
type Validators string

// The choices of validators.
const (
	ValidatorsStrong       Validators = ""              // strong ETag and Last-Modified
	ValidatorsWeak         Validators = "weak"          // weak ETag and Last-Modified
	ValidatorsETag         Validators = "etag"          // strong ETag alone
	ValidatorsLastModified Validators = "last-modified" // Last-Modified alone
	ValidatorsNone         Validators = "none"          // neither
)

// Shape is a form of a Mashup reply.
type Shape string

// The shapes of Mashup replies seen in the field.
const (
	ShapeJSON   Shape = "json"   // data: list of objects, fields, paging
	ShapeTables Shape = "tables" // Tables[0]: Fields and Rows
	ShapeExtJS  Shape = "extjs"  // data.Tables[0]: ExtendedProperties.Paging, Columns, Fields, Rows
)

const defaultRowLimit = 500_000

func (c *Config) validate() error {
	seen := map[string]bool{}
	for _, t := range c.Tokens {
		if t.Value == "" {
			return fmt.Errorf("masttest: a token has no value")
		}
		if seen[t.Value] {
			return fmt.Errorf("masttest: a token is given twice")
		}
		seen[t.Value] = true
	}
	switch c.Validators {
	case ValidatorsStrong, ValidatorsWeak, ValidatorsETag, ValidatorsLastModified, ValidatorsNone:
	default:
		return fmt.Errorf("masttest: unknown validators %q", c.Validators)
	}
	switch c.Shape {
	case "", ShapeJSON, ShapeTables, ShapeExtJS:
	default:
		return fmt.Errorf("masttest: unknown shape %q", c.Shape)
	}
	switch c.Joins.How {
	case "", JoinGatewayTimeout, JoinError, JoinExecuting, JoinHang, JoinReset:
	default:
		return fmt.Errorf("masttest: unknown join failure %q", c.Joins.How)
	}
	if c.Rate < 0 || c.Latency < 0 || c.MaxTransfers < 0 || c.Executing < 0 {
		return fmt.Errorf("masttest: rate, latency, max transfers and executing must not be negative")
	}
	for i, f := range c.Faults {
		if err := f.validate(); err != nil {
			return fmt.Errorf("masttest: fault %d: %w", i+1, err)
		}
	}
	return nil
}
