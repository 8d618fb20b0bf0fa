package fetcher

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"time"

	"jwstbulk/queue"
)

// Archive answers questions about files and tokens. Its methods are called by several goroutines.
type Archive interface {
	// Facts asks the archive's metadata for one file; found is false if it knows nothing (as for files that are not FITS).
	Facts(ctx context.Context, uri string) (f queue.KeywordFact, found bool, err error)
	// Anonymous reports whether requests count as nobody's: no token, or one that is not valid (any more).
	Anonymous(ctx context.Context) (bool, error)
}

// Config says what to fetch, from where and how fast. The zero value of a field means its default.
type Config struct {
	Queue   *queue.Queue // required
	RunID   int64        // of queue.StartRun; required
	Root    *os.Root     // the campaign directory; required
	Source  Source       // the archive, which has every file; required
	Archive Archive      // required

	Mirror     Mirror  // has copies of public files, which are taken from there first; nil: none
	MirrorOnly bool    // nothing comes from Source: files without a copy fail
	MirrorJobs int     // transfers at a time from Mirror; twice Jobs
	MirrorRate float64 // file requests a second to Mirror; ten times Rate; negative: no limit

	Jobs        int           // transfers at a time from Source; 4
	Rate        float64       // file requests a second to Source; 10; negative: no limit
	ByteRate    int64         // bytes a second over all transfers; no limit
	Order       queue.Order   // the plan's
	Linger      time.Duration // how long to wait for files that are to be tried again; 5 min; negative: not at all
	MaxOutage   time.Duration // how long to wait for the archive or the disk; 12 h
	Stall       time.Duration // without a byte for that long a transfer is cut; 60 s
	MinRate     int64         // bytes a second over two minutes below which a transfer is cut; 1024
	Tries       int           // attempts without progress before a file fails; 5
	SyncEvery   int64         // bytes between two fsyncs of a part; 256 MiB
	SyncAfter   time.Duration // time between two fsyncs of a part; 30 s
	MaxBytes    int64         // bytes to receive in a run: no file is started that would exceed them; no limit
	Deadline    time.Time     // no file is started that would not be done by then, and what is under way is stopped then; none. Without a monotonic reading it is of the wall's clock, which may jump
	RequireSums bool          // a checksum of the archive counts even while none was seen to match
	AcceptSize  bool          // take the server's word for the length where the catalogue differs
	Shared      bool          // other processes fetch other files into the same directory: parts are neither swept nor taken over
	Pauses      Pauses        // waits that the archive asked of others who share its budget; nil: none
	MaySend     func() bool   // asked before each request for a file, after all waits, by several goroutines; false sends none, and whoever says so ends ctx. nil: yes
	NetworkFS   bool          // the campaign lies on a network file system: locks prove nothing

	// Candidates are files on disk that may be some of the queue's; they are taken over before the first file is fetched if
	// their bytes prove right. It is read by one goroutine while others write to the queue. nil: none.
	Candidates iter.Seq2[Candidate, error]
	AdoptBy    AdoptBy // how they are taken over; AdoptCopy
	// Ready is called once, before the first file is fetched and after all that is on disk was taken over. Its error ends
	// the run. nil: nothing.
	Ready func(context.Context) error

	Reporter Reporter     // nil: none
	Logger   *slog.Logger // nil: none
}

// Pauses shares the archive's requests to wait among processes. Its methods are called by several goroutines and must be
// quick.
type Pauses interface {
	// Until returns the end of the latest pause that is known; a time in the past if there is none.
	Until() time.Time
	// Pause tells the others. That it cannot be told stops nothing.
	Pause(until time.Time)
}

// Reporter is told what happens, from several goroutines at a time; its methods must not block.
type Reporter interface {
	// Begin: a transfer of this file starts, have bytes of it are there already; total is -1 if unknown.
	Begin(job *queue.Job, have, total int64)
	// Bytes: n bytes of it arrived. A negative number takes back bytes that are fetched again.
	Bytes(job *queue.Job, n int64)
	// End: the attempt ended; the file is now in this state, and why is what `errors` will say of it, "" if done.
	End(job *queue.Job, state queue.State, why string)
	// Note: something the user should know happened to the run as a whole.
	Note(text string)
}

type noReporter struct{}

func (noReporter) Begin(*queue.Job, int64, int64)      {}
func (noReporter) Bytes(*queue.Job, int64)             {}
func (noReporter) End(*queue.Job, queue.State, string) {}
func (noReporter) Note(string)                         {}

const (
	// DefaultJobs is how many transfers one user may have at a time without a word to the archive's help desk.
	DefaultJobs = 4
	// DefaultRate is how many file requests a second one user may make likewise.
	DefaultRate = 10
)

// MirrorRate is how many file requests a second go to a Mirror where so many may go to the archive: object stores are made for
// more.
func MirrorRate(rate float64) float64 { return 10 * rate }

// setDefault puts the default where a field is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	if c.Queue == nil || c.Root == nil || c.Source == nil || c.Archive == nil || c.RunID == 0 {
		return errors.New("fetcher: Queue, RunID, Root, Source and Archive are required")
	}
	if c.Jobs < 0 || c.Jobs > 256 || c.MirrorJobs < 0 || c.MirrorJobs > 512 {
		return fmt.Errorf("fetcher: %d and %d transfers at a time, want 1 to 256, and twice that from the mirror", c.Jobs, c.MirrorJobs)
	}
	if c.MirrorOnly && c.Mirror == nil {
		return errors.New("fetcher: MirrorOnly without a Mirror")
	}
	if c.MaxBytes < 0 {
		return fmt.Errorf("fetcher: %d bytes at most, want 0 or more", c.MaxBytes)
	}
	setDefault(&c.Jobs, DefaultJobs)
	setDefault(&c.Rate, DefaultRate)
	setDefault(&c.MirrorJobs, 2*c.Jobs)
	setDefault(&c.MirrorRate, MirrorRate(c.Rate))
	setDefault(&c.Linger, 5*time.Minute)
	setDefault(&c.MaxOutage, 12*time.Hour)
	setDefault(&c.Stall, time.Minute)
	setDefault(&c.MinRate, 1024)
	setDefault(&c.Tries, 5)
	setDefault(&c.SyncEvery, 256<<20)
	setDefault(&c.SyncAfter, 30*time.Second)
	setDefault(&c.Reporter, Reporter(noReporter{}))
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	return nil
}
