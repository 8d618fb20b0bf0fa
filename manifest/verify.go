package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Level is how thoroughly Verify looks at a file.
type Level string

// The levels, each including the ones before.
const (
	LevelSize   Level = "size"   // a regular file of the recorded length
	LevelDigest Level = "digest" // the recorded SHA-256
	LevelFITS   Level = "fits"   // the structure of FITS, JSON, tables and images, in the same reading
)

// State is what Verify finds of one file.
type State string

// The states.
const (
	StateOK       State = "ok"
	StateModified State = "modified" // another length, not a regular file, or other bytes with a modification time after Since
	StateCorrupt  State = "corrupt"  // the recorded length but other bytes
	StateMissing  State = "missing"  // nothing at the path
	StateExtra    State = "extra"    // a file below the data directories that the manifest does not name
	// StateUnreadable is a file that could not be looked at: permission, or an error of the disk. It says nothing of the bytes.
	StateUnreadable State = "unreadable"
)

// Result is the verdict on one file.
type Result struct {
	// Entry is the manifest's; of an extra file only Path and Size are set.
	Entry Entry
	State State
	// Why is "" for a file that is ok, else what is wrong in plain English. A file whose digest is right but whose structure
	// draws a complaint is ok with the complaint in Why: the recorded digest outranks it.
	Why string
	// Err is the error behind Why: *SizeError, *DigestError, *fits.StructureError, *fits.SumError, an error of the file
	// system, or nil.
	Err error
}

// SizeError says that a file has not the recorded length.
type SizeError struct{ Got, Want int64 }

// Error formats as "1 bytes, recorded are 2".
func (e *SizeError) Error() string { return fmt.Sprintf("%d bytes, recorded are %d", e.Got, e.Want) }

// DigestError says that a file's bytes are not the recorded ones.
type DigestError struct{ Got, Want [32]byte }

// Error shows both digests in full.
func (e *DigestError) Error() string {
	return fmt.Sprintf("SHA-256 is %x, recorded is %x", e.Got, e.Want)
}

// errNotRegular is the reason of a directory, symbolic link or device at a file's path.
var errNotRegular = errors.New("not a regular file")

// VerifyConfig says how to verify; the zero value checks digests with a worker for each processor.
type VerifyConfig struct {
	Level   Level // "" means LevelDigest
	Workers int   // files read at a time; 0 means GOMAXPROCS
	// Since is when the record was made, say the manifest's modification time. A file of the recorded length with other
	// bytes is modified if it was written to after Since, corrupt otherwise. Zero: always corrupt.
	Since time.Time
	// Report is called for each file, from one goroutine at a time, in no particular order; files of the manifest before
	// extra ones. Nil means that only the totals are wanted.
	Report func(Result)
	// NoExtra leaves out the search for files that the manifest does not name.
	NoExtra bool
}

// Totals counts the results of Verify.
type Totals struct {
	OK, Modified, Corrupt, Missing, Extra, Unreadable int64 // files
	Flagged                                           int64 // of OK: files with a complaint about their structure
	Bytes                                             int64 // read; 0 at LevelSize
}

// Bad is the number of files of the manifest that are not ok. Extra files are not counted.
func (t Totals) Bad() int64 { return t.Modified + t.Corrupt + t.Missing + t.Unreadable }

// Verify holds the files below root against the manifest m, from its first entry to its last. It changes nothing, follows no
// symbolic link out of root, and goes on whatever it finds in a file. The error is nil if every file could be judged, however
// bad: see Totals. It is ctx's error after a cancellation, and a *ParseError if the manifest breaks off or does not match its
// own root; the Totals then cover what was done. m is used up.
func Verify(ctx context.Context, root *os.Root, m *Reader, cfg VerifyConfig) (Totals, error) {
	if err := cfg.setDefaults(); err != nil {
		return Totals{}, err
	}
	v := &verifier{root: root, cfg: cfg, dirs: make(map[string]bool)}
	if err := v.files(ctx, m); err != nil {
		return v.totals, err
	}
	if cfg.NoExtra {
		return v.totals, nil
	}
	return v.totals, v.extra(ctx, &m.ledger.paths)
}

func (c *VerifyConfig) setDefaults() error {
	switch c.Level {
	case "":
		c.Level = LevelDigest
	case LevelSize, LevelDigest, LevelFITS:
	default:
		return fmt.Errorf("verifying: unknown level %q", c.Level)
	}
	if c.Workers < 0 {
		return fmt.Errorf("verifying: %d workers", c.Workers)
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Report == nil {
		c.Report = func(Result) {}
	}
	return nil
}

type verifier struct {
	root *os.Root
	cfg  VerifyConfig
	dirs map[string]bool // first path elements of the data, "." for files that stand in root itself

	mu     sync.Mutex // guards totals and orders the calls of Report
	totals Totals
}

func (v *verifier) files(ctx context.Context, m *Reader) error {
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan Entry, v.cfg.Workers)
	for range v.cfg.Workers {
		group.Go(func() error {
			var buf []byte
			if v.cfg.Level != LevelSize {
				buf = make([]byte, 1<<20)
			}
			for e := range work {
				r, n := v.file(ctx, e, buf)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				v.report(r, n)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(work)
		for e, err := range m.Entries() {
			if err != nil {
				return fmt.Errorf("verifying: the manifest: %w", err)
			}
			v.dirs[topDir(e.Path)] = true
			select {
			case work <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return group.Wait()
}

func (v *verifier) report(r Result, n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.totals.Bytes += n
	switch r.State {
	case StateOK:
		v.totals.OK++
		if r.Err != nil {
			v.totals.Flagged++
		}
	case StateModified:
		v.totals.Modified++
	case StateCorrupt:
		v.totals.Corrupt++
	case StateMissing:
		v.totals.Missing++
	case StateExtra:
		v.totals.Extra++
	case StateUnreadable:
		v.totals.Unreadable++
	}
	v.cfg.Report(r)
}

// file judges one entry and says how many bytes it read.
func (v *verifier) file(ctx context.Context, e Entry, buf []byte) (Result, int64) {
	info, err := v.root.Lstat(e.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || notDirectory(err):
		return verdict(e, StateMissing, err), 0
	case err != nil:
		return verdict(e, StateUnreadable, err), 0
	case !info.Mode().IsRegular():
		return verdict(e, StateModified, errNotRegular), 0
	case info.Size() != e.Size:
		return verdict(e, StateModified, &SizeError{Got: info.Size(), Want: e.Size}), 0
	case v.cfg.Level == LevelSize:
		return verdict(e, StateOK, nil), 0
	}
	return v.content(ctx, e, buf)
}

func verdict(e Entry, s State, err error) Result {
	r := Result{Entry: e, State: s, Err: err}
	switch {
	case s == StateExtra:
		r.Why = "the manifest does not name it"
	case s == StateMissing:
		r.Why = "there is no file"
	case err != nil:
		r.Why = err.Error()
	}
	return r
}
