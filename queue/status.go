package queue

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteStatus replaces status.json, which other hosts and commands read while this process holds the campaign. Version,
// Written and Owner are filled in; Counts is the caller's to fill. A failure is harmless to the queue. Close writes the
// last given Status once more, with Ended set and fresh Counts.
func (q *Queue) WriteStatus(s Status) error {
	s.Version, s.Owner, s.Written = 1, q.owner, q.cfg.Now().UTC()
	q.statusMu.Lock()
	defer q.statusMu.Unlock()
	q.status = s
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the status: %w", err)
	}
	return replaceFile(q.cfg.state("status.json"), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// ReadStatus reads status.json of the campaign in dir. It needs no lock and works from any host that sees the directory.
// The error wraps fs.ErrNotExist if no process has written one yet.
func ReadStatus(dir string) (Status, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateDir, "status.json"))
	if err != nil {
		return Status{}, fmt.Errorf("reading the status: %w", err)
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("reading the status of %q: %w", dir, err)
	}
	return s, nil
}
