package cluster

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"jwstbulk/internal/durable"
)

// pauseName is the file in which tasks tell each other how long the archive asked to wait: a Unix time in seconds.
const pauseName = ShardDir + "/pause"

// lookEvery is how often the file is looked at: a request may come this late to know.
const lookEvery = time.Second

// longestPause bounds what the file can ask for: a task whose clock is wrong must not stop the others for ever. No task asks
// for more than six hours.
const longestPause = 7 * time.Hour

// Pauses shares the archive's requests to wait among the tasks of a campaign, by one small file. It is a fetcher.Pauses, and
// safe for use by several goroutines. An unreadable file, and one that asks for more than longestPause, counts as no pause.
type Pauses struct {
	root *os.Root

	mu     sync.Mutex // guards all below
	looked time.Time
	until  time.Time
}

// NewPauses uses the campaign directory root, which must stay open.
func NewPauses(root *os.Root) *Pauses { return &Pauses{root: root} }

// Until returns the end of the latest pause that a task told of.
func (p *Pauses) Until() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if since := now.Sub(p.looked); since >= 0 && since < lookEvery {
		return p.until
	}
	p.looked = now
	if t := p.read(); t.After(p.until) {
		p.until = t
	}
	return p.until
}

func (p *Pauses) read() time.Time {
	f, err := p.root.Open(pauseName)
	if err != nil {
		return time.Time{}
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return time.Time{}
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return time.Time{}
	}
	if t := time.Unix(n, 0); time.Until(t) <= longestPause {
		return t
	}
	return time.Time{}
}

// Pause tells the other tasks, unless they know of a later one. What another writes at the same moment may win: both ask to
// wait, and whoever meets the archive too early is told again.
func (p *Pauses) Pause(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !until.After(p.read()) {
		return
	}
	p.until = until
	_ = durable.WriteFile(p.root, pauseName, 0o644, func(w io.Writer) error { // the archive will tell the others itself
		_, err := io.WriteString(w, strconv.FormatInt(until.Unix()+1, 10)+"\n")
		return err
	})
}
