package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

// TaskConfig says which shard a task works on.
type TaskConfig struct {
	Dir     string // the campaign directory; required
	Round   int64
	Shard   int
	Job     string // the batch system's id of this task; "" outside one
	Restart int    // how often the batch system started it before
	Scratch string // where the task's own queue may lie: a local disk; "" means below the campaign directory
}

// Task is one attempt at a shard. Its methods are used by one goroutine, but for Overtaken.
type Task struct {
	Journal  string // path of its journal, which its queue writes
	StateDir string // the directory of its own queue, gone after Close
	Earlier  int    // attempts before this one
	Trust    queue.Trust

	cfg     TaskConfig
	root    *os.Root
	own     Attempt
	unended bool                         // an earlier attempt has left no end
	done    map[string]bool              // finished by earlier attempts
	last    map[string]queue.OutcomeLine // what earlier attempts left

	mu        sync.Mutex      // guards all below, after the start
	seen      map[string]bool // journals that began before ours
	looked    time.Time       // when Overtaken looked; zero if it has not
	overtaken bool
}

// StartTask begins an attempt: it reads what earlier ones did and begins a journal. ErrNoShard if there is no such list. The
// caller must End and Close the task.
func StartTask(cfg TaskConfig) (_ *Task, err error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the campaign directory: %w", err)
	}
	t := &Task{cfg: cfg, root: root, seen: map[string]bool{}, done: map[string]bool{}, last: map[string]queue.OutcomeLine{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if _, err := root.Stat(listName(cfg.Round, cfg.Shard)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: shard %d of round %d", ErrNoShard, cfg.Shard, cfg.Round)
	} else if err != nil {
		return nil, fmt.Errorf("looking for the shard's list: %w", err)
	}
	names, err := journalNames(root, cfg.Round)
	if err != nil {
		return nil, err
	}
	earlier, err := readShard(root, cfg.Round, cfg.Shard, names[cfg.Shard])
	if err != nil {
		return nil, err
	}
	t.Earlier = len(earlier.Attempts)
	for _, a := range earlier.Attempts {
		t.seen[a.Name] = true
		t.unended = t.unended || !a.Ended
	}
	for _, l := range earlier.Returned.Done {
		t.done[l.URI] = true
	}
	for _, o := range earlier.Returned.Outcomes {
		t.last[o.URI] = o
	}
	if err := t.begin(); err != nil {
		return nil, err
	}
	if earlier.Returned.Trust == queue.TrustProven {
		t.Trust = queue.TrustProven
	}
	return t, t.scratch()
}

// begin makes the journal, which nobody else has.
func (t *Task) begin() error {
	host, _ := os.Hostname() // stays empty if the system does not say
	line := beginLine{Begin: true, Round: t.cfg.Round, Shard: t.cfg.Shard, Host: host, Job: t.cfg.Job, Restart: t.cfg.Restart,
		At: time.Now().UTC()}
	for again := 0; ; again++ {
		name := path.Join(RoundDir(t.cfg.Round), journalName(t.cfg.Shard, t.cfg.Job, t.cfg.Restart, again))
		f, err := t.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("beginning a journal: %w", err)
		}
		err = json.NewEncoder(f).Encode(line)
		if err == nil {
			err = f.Sync()
		}
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("beginning a journal: %w", err)
		}
		t.own = Attempt{Name: path.Base(name), Started: line.At}
		t.Journal = filepath.Join(t.cfg.Dir, filepath.FromSlash(name))
		return durable.SyncDir(t.root, RoundDir(t.cfg.Round))
	}
}

// scratch makes the directory of the task's own queue, and removes those of dead tasks on the same local disk.
func (t *Task) scratch() (err error) {
	dir := t.cfg.Scratch
	if dir == "" {
		dir = filepath.Join(t.cfg.Dir, filepath.FromSlash(RoundDir(t.cfg.Round)))
	} else {
		sweepScratch(dir, time.Now())
	}
	t.StateDir, err = os.MkdirTemp(dir, taskPrefix)
	if err != nil {
		return fmt.Errorf("making a place for the task's queue: %w", err)
	}
	return nil
}

// Files yields the files that are left to do, with the parts that earlier attempts left of them. It also sets Trust.
func (t *Task) Files() iter.Seq2[queue.Loan, error] {
	return func(yield func(queue.Loan, error) bool) {
		f, err := t.root.Open(listName(t.cfg.Round, t.cfg.Shard))
		if err != nil {
			yield(queue.Loan{}, fmt.Errorf("opening the shard's list: %w", err))
			return
		}
		defer f.Close() // only read from
		trust := queue.TrustUnproven
		for l, err := range readList(f, t.cfg.Round, t.cfg.Shard, func(uri string) bool { return t.done[uri] }, &trust) {
			if t.Trust == "" || t.Trust == queue.TrustUnproven {
				t.Trust = trust
			}
			if err != nil {
				err = fmt.Errorf("reading the list of shard %d: %w", t.cfg.Shard, err)
			}
			if o, ok := t.last[l.URI]; ok && err == nil {
				l.LastSHA, l.Part = o.LastSHA, o.Part
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// End appends what became of the files that are not done, and the end line. The task's queue is still open for reading but
// no longer written; exit is the code that the task will end with.
func (t *Task) End(ctx context.Context, r *queue.Reader, exit int) error {
	trust, err := r.Trust(ctx)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(t.Journal, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("ending a journal: %w", err)
	}
	w := bufio.NewWriter(f)
	err = endTornLine(f, w)
	enc := json.NewEncoder(w)
	for o, e := range r.Outcomes(ctx) {
		if err == nil {
			err = e
		}
		if err == nil {
			err = enc.Encode(o)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = enc.Encode(endLine{End: true, Exit: exit, Trust: trust, At: time.Now().UTC()})
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("ending a journal: %w", err)
	}
	return nil
}

// endTornLine keeps what a full disk left of a line apart from the lines to come.
func endTornLine(f *os.File, w *bufio.Writer) error {
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], fi.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		return w.WriteByte('\n')
	}
	return nil
}

// Close removes the task's own queue.
func (t *Task) Close() error {
	var err error
	if t.StateDir != "" {
		err = os.RemoveAll(t.StateDir)
	}
	return errors.Join(err, t.root.Close())
}
