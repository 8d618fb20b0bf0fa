package campaign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"jwstbulk/internal/durable"
	"jwstbulk/internal/mast"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// StateDir is the directory below a campaign's that holds its state.
const StateDir = ".jwstbulk"

// Config says which campaign to open, and how to reach the archive.
type Config struct {
	Dir       string // the campaign directory; required
	StateDir  string // where the queue's own files lie, if not in Dir: a task's own queue; "" means Dir
	QueuePath string // the database, if it is elsewhere
	Journal   string // the journal of finished files, if it is elsewhere
	Create    bool   // make the campaign if there is none
	Command   string // for the lock's owner line
	Archive   mast.Config
	S3        string       // address of the bucket with copies of public files; "": none
	S3Only    bool         // nothing comes from the archive itself
	Warn      func(string) // told what the user should know once; nil: nobody
	Logger    *slog.Logger // nil: none
}

// Campaign is an open campaign. Its fields are safe for concurrent use as far as their types are.
type Campaign struct {
	Dir       string
	StateDir  string // Dir but for a task's own queue
	Root      *os.Root
	Queue     *queue.Queue
	Client    *mast.Client
	Bucket    *mast.Bucket // nil without Config.S3
	S3Only    bool
	NetworkFS bool // the directory is on a network file system
	Rebuilt   bool // the queue was damaged and has been made anew from the journal: plans must be made again

	warn func(string)
	made []string // what Open made, the innermost first; nil if the campaign was there
}

// Open opens a campaign for writing. A damaged queue is moved aside and rebuilt from the journal, which is said through
// Warn. It returns the queue's errors: *queue.LockedError, queue.ErrNoCampaign, queue.ErrSchemaTooNew.
func Open(ctx context.Context, cfg Config) (_ *Campaign, err error) {
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
	if cfg.StateDir == "" {
		cfg.StateDir = cfg.Dir
	}
	c := &Campaign{Dir: cfg.Dir, StateDir: cfg.StateDir, S3Only: cfg.S3Only, warn: cfg.Warn}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if cfg.Create && cfg.QueuePath == "" {
		c.made = absent(filepath.Join(cfg.StateDir, StateDir), cfg.StateDir)
	}
	qc := queue.Config{Dir: cfg.StateDir, Path: cfg.QueuePath, Journal: cfg.Journal, Create: cfg.Create, Command: cfg.Command, Logger: cfg.Logger, Warn: cfg.Warn}
	c.Queue, err = queue.Open(ctx, qc)
	if errors.Is(err, queue.ErrDamaged) {
		c.Rebuilt = true
		c.Queue, err = rebuild(ctx, qc, err)
	}
	if err != nil {
		return nil, err
	}
	if c.Root, err = os.OpenRoot(cfg.Dir); err != nil {
		return nil, fmt.Errorf("opening the campaign directory: %w", err)
	}
	if _, c.NetworkFS, err = durable.FSKind(cfg.Dir); err != nil {
		return nil, fmt.Errorf("asking for the kind of file system: %w", err)
	}
	for _, name := range []string{manifest.Name, manifest.SumsName, manifest.ProvenanceName, oldName, originName, frozenName} {
		if err := durable.SweepTemp(c.Root, name); err != nil {
			return nil, err
		}
	}
	if cfg.StateDir == cfg.Dir { // not a task, whose queue is told by others what to demand
		if err := c.refreeze(ctx); err != nil {
			return nil, err
		}
	}
	cfg.Archive.Spool = filepath.Join(cfg.StateDir, StateDir, "spool") // where the queue's lock keeps others out
	if err := os.MkdirAll(cfg.Archive.Spool, 0o777); err != nil {
		return nil, fmt.Errorf("making a directory for replies: %w", err)
	}
	if err := mast.SweepSpool(cfg.Archive.Spool); err != nil {
		return nil, err
	}
	if c.Client, err = mast.New(cfg.Archive); err != nil {
		return nil, err
	}
	if cfg.S3 != "" {
		cfg.Archive.Connections *= 2 // as many transfers as the fetcher makes
		if c.Bucket, err = mast.NewBucket(cfg.Archive, cfg.S3); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// rebuild makes a new queue from the journal of done files.
func rebuild(ctx context.Context, qc queue.Config, cause error) (*queue.Queue, error) {
	r, err := queue.Rebuild(ctx, qc)
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	qc.Warn(fmt.Sprintf("%v; it was moved aside (%v) and made anew from the journal: %d finished files are known, the rest must be planned again",
		cause, r.Aside, r.Done))
	return queue.Open(ctx, qc)
}

// absent returns the leading ones of some paths that are not there.
func absent(paths ...string) []string {
	for i, p := range paths {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return paths[:i]
		}
	}
	return paths
}

// Discard is Close for a campaign whose first question could not be asked or matched nothing: what Open made is removed, unless
// something was planned. A campaign that was there before stays.
func (c *Campaign) Discard(ctx context.Context) error {
	queries, err := c.Queue.Queries(ctx)
	if err := errors.Join(err, c.Close()); err != nil || len(queries) > 0 {
		return err
	}
	for i, name := range c.made {
		remove := os.Remove // of a directory that others may have put something into
		if i == 0 {
			remove = os.RemoveAll // our own state
		}
		if err := remove(name); err != nil {
			return nil // it is empty of work all the same
		}
	}
	return nil
}

// Close closes everything; the queue's lock is given up last. It is safe on a Campaign that is only half open.
func (c *Campaign) Close() error {
	var errs []error
	if c.Client != nil {
		c.Client.Close()
	}
	if c.Bucket != nil {
		c.Bucket.Close()
	}
	if c.Root != nil {
		errs = append(errs, c.Root.Close())
	}
	if c.Queue != nil {
		errs = append(errs, c.Queue.Close())
	}
	return errors.Join(errs...)
}
