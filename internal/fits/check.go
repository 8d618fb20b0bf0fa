package fits

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Check looks at a file's bytes as they go by. A Check belongs to one file and one goroutine.
type Check interface {
	// Write takes the next bytes, in pieces of any size. It returns len(p), nil always: a complaint never stops the copy
	// that feeds it.
	io.Writer
	// Err is the first complaint so far, nil if there is none yet. It lets a caller give up early; a nil says nothing of
	// the bytes to come.
	Err() error
	// Finish says that the file ends here and returns the verdict. Later calls return the same Report.
	Finish() Report
}

// Kind is what a file is taken for, by its name.
type Kind string

// The kinds that ForName tells apart.
const (
	KindFITS  Kind = "fits"
	KindJSON  Kind = "json"
	KindECSV  Kind = "ecsv"
	KindCSV   Kind = "csv"
	KindJPEG  Kind = "jpeg"
	KindPNG   Kind = "png"
	KindGzip  Kind = "gzip"
	KindOther Kind = "other" // only searched for a web page
)

// SumState is what the CHECKSUM and DATASUM cards of a FITS file say (standard 4.0, section 4.4.2.7).
type SumState string

// The states of a file's checksum cards.
const (
	SumAbsent SumState = "absent" // no HDU carries a card with a value, or the file is not FITS
	SumOK     SumState = "ok"     // every card that is present is right
	SumBad    SumState = "bad"    // Report.SumErr names the first that is wrong
)

// Report is the verdict on one file.
type Report struct {
	Kind  Kind
	Bytes int64 // length seen
	// Err is nil for a whole file, else a *StructureError. errors.Is(Err, ErrTruncated) and errors.Is(Err, ErrHTML) tell
	// two causes that a new transfer heals from the rest.
	Err error
	// Sum and SumErr are about checksum cards. A bad sum is no structure error: Err can be nil while Sum is SumBad.
	Sum    SumState
	SumErr error // nil, or a *SumError
	HDUs   int   // complete HDUs; 0 if not FITS
	// Header holds the values of the Keywords found in the primary header: strings unquoted and without trailing blanks,
	// other values as written. Nil if not FITS. Keywords that are absent, undefined or empty are not in the map.
	Header map[string]string
	// Notes are remarks in plain English on things real files are known to have; they are no ground to reject a file.
	Notes []string
}

// Causes of a StructureError, for errors.Is.
var (
	// ErrTruncated says that the file ends before its own structure does.
	ErrTruncated = errors.New("file ends early")
	// ErrHTML says that a web page or an XML error message came in place of the file.
	ErrHTML = errors.New("a web page in place of the file")
)

// StructureError says where a file stops being what its name promises.
type StructureError struct {
	Offset int64  // of the first byte that is wrong, or of the block or line that holds it
	HDU    int    // from 0; -1 if the file is not FITS
	Why    string // plain English; may quote bytes of the file, made printable
	Cause  error  // ErrTruncated, ErrHTML or nil
}

// Error formats as "HDU 1, byte 5760: why".
func (e *StructureError) Error() string {
	if e.HDU < 0 {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Why)
	}
	return fmt.Sprintf("HDU %d, byte %d: %s", e.HDU, e.Offset, e.Why)
}

// Unwrap returns the cause.
func (e *StructureError) Unwrap() error { return e.Cause }

// SumError says which checksum card of which HDU does not match the bytes.
type SumError struct {
	HDU  int    // from 0
	Card string // "CHECKSUM" or "DATASUM"
	Got  string // what the bytes give, decimal; for CHECKSUM the sum over the HDU
	Want string // what the card says; for CHECKSUM 4294967295, which is -0 in ones' complement
}

// Error formats as "HDU 1: DATASUM is 5, the bytes give 7".
func (e *SumError) Error() string {
	return fmt.Sprintf("HDU %d: %s is %s, the bytes give %s", e.HDU, e.Card, e.Want, e.Got)
}

// ForName returns the check for a file of this name: by its last suffix, in any case. A name with no known suffix gets a
// check that only refuses web pages (and not even those if the suffix is one of a page). The result is never nil.
func ForName(name string) Check {
	suffix := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		suffix = strings.ToLower(name[i+1:])
	}
	switch suffix {
	case "fits":
		return New()
	case "json":
		return newLight(KindJSON, &jsonScan{})
	case "ecsv":
		return newLight(KindECSV, &textScan{ecsv: true})
	case "csv":
		return newLight(KindCSV, &textScan{})
	case "jpg", "jpeg":
		return newLight(KindJPEG, &jpegScan{})
	case "png":
		return newLight(KindPNG, &pngScan{})
	case "gz":
		return newLight(KindGzip, &gzipScan{})
	case "html", "htm", "xml", "svg":
		return newLight(KindOther, passScan{page: true})
	}
	return newLight(KindOther, passScan{})
}
