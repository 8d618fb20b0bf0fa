package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"jwstbulk/queue"
)

// Attempt is one task's work on a shard, as its journal tells.
type Attempt struct {
	Name    string    `json:"journal"` // file name of the journal
	Host    string    `json:"host"`
	Job     string    `json:"job"` // the batch system's id; "" outside one
	Restart int       `json:"restart"`
	Started time.Time `json:"started"`
	Done    int64     `json:"done"`              // files finished
	Bytes   int64     `json:"bytes"`             // of these
	Ended   bool      `json:"ended"`             // its last line is there
	Exit    int       `json:"exit"`              // valid if Ended
	Damaged int       `json:"damaged,omitempty"` // lines that cannot be read
}

// beginLine is the first line of a journal.
type beginLine struct {
	Begin   bool      `json:"begin"`
	Round   int64     `json:"round"`
	Shard   int       `json:"shard"`
	Host    string    `json:"host"`
	Job     string    `json:"job,omitempty"`
	Restart int       `json:"restart,omitempty"`
	At      time.Time `json:"at"`
}

// endLine is the last line of a journal whose task ended by itself.
type endLine struct {
	End   bool        `json:"end"`
	Exit  int         `json:"exit"`
	Trust queue.Trust `json:"trust,omitempty"`
	At    time.Time   `json:"at"`
}

// Shard is what all journals of a shard say together.
type Shard struct {
	Round    int64
	Shard    int
	Attempts []Attempt // oldest first
	Returned queue.Returned
}

// Ended reports whether the newest attempt ended by itself.
func (s Shard) Ended() bool {
	return len(s.Attempts) > 0 && s.Attempts[len(s.Attempts)-1].Ended
}

// journalName is the name of an attempt's journal; again > 0 keeps attempts apart that have the same job and restart.
func journalName(shard int, job string, restart, again int) string {
	safe := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, job)
	if safe == "" {
		safe = "local"
	}
	name := fmt.Sprintf("%d.%s.%d", shard, safe[:min(len(safe), 100)], restart)
	if again > 0 {
		name += "." + strconv.Itoa(again)
	}
	return name + ".jsonl"
}

// journalNames lists the journals of each shard of a round.
func journalNames(root *os.Root, round int64) (map[int][]string, error) {
	entries, err := fs.ReadDir(root.FS(), RoundDir(round))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing journals of round %d: %w", round, err)
	}
	names := map[int][]string{}
	for _, e := range entries {
		shard, rest, _ := strings.Cut(e.Name(), ".")
		k, err := strconv.Atoi(shard)
		if err != nil || !strings.HasSuffix(rest, ".jsonl") || !e.Type().IsRegular() {
			continue // the lists themselves end in ".jsonl" too, but have nothing before it
		}
		names[k] = append(names[k], e.Name())
	}
	return names, nil
}

// ReadShards reads the journals of a round and calls use for each shard that has any, in order of their numbers. Journals may
// be growing, cut short or damaged: lines that cannot be read are counted and skipped. An error of use ends it.
func ReadShards(root *os.Root, round int64, use func(Shard) error) error {
	names, err := journalNames(root, round)
	if err != nil {
		return err
	}
	shards := make([]int, 0, len(names))
	for k := range names {
		shards = append(shards, k)
	}
	slices.Sort(shards)
	for _, k := range shards {
		s, err := readShard(root, round, k, names[k])
		if err != nil {
			return err
		}
		if err := use(s); err != nil {
			return err
		}
	}
	return nil
}

// readShard reads the given journals of one shard.
func readShard(root *os.Root, round int64, shard int, names []string) (Shard, error) {
	s := Shard{Round: round, Shard: shard}
	all := make([]journal, 0, len(names))
	for _, name := range names {
		j, err := readJournal(root, path.Join(RoundDir(round), name))
		if err != nil {
			return s, err
		}
		j.attempt.Name = name
		all = append(all, j)
	}
	slices.SortStableFunc(all, func(a, b journal) int { return older(a.attempt, b.attempt) })
	done, outcomes := map[string]queue.JournalLine{}, map[string]queue.OutcomeLine{}
	for _, j := range all {
		s.Attempts = append(s.Attempts, j.attempt)
		for uri, l := range j.done {
			other, twice := done[uri]
			if twice && other.SHA256 != l.SHA256 {
				s.Returned.Differ++
			}
			if !twice || l.At >= other.At { // whoever came later put the other's file aside
				done[uri] = l
			}
		}
		for uri, o := range j.outcomes {
			outcomes[uri] = o // of the newest attempt that says something
		}
		if j.trust != "" && s.Returned.Trust != queue.TrustProven {
			s.Returned.Trust = j.trust
		}
	}
	for uri, l := range done {
		s.Returned.Done = append(s.Returned.Done, l)
		delete(outcomes, uri)
	}
	for _, o := range outcomes {
		s.Returned.Outcomes = append(s.Returned.Outcomes, o)
	}
	slices.SortFunc(s.Returned.Done, func(a, b queue.JournalLine) int { return strings.Compare(a.URI, b.URI) })
	slices.SortFunc(s.Returned.Outcomes, func(a, b queue.OutcomeLine) int { return strings.Compare(a.URI, b.URI) })
	return s, nil
}

// older sorts attempts by their start. One whose first line cannot be read comes last: it may be starting just now.
func older(a, b Attempt) int {
	switch {
	case a.Started.IsZero() == b.Started.IsZero():
		return a.Started.Compare(b.Started)
	case a.Started.IsZero():
		return 1
	}
	return -1
}

// journal is what one journal says.
type journal struct {
	attempt  Attempt
	done     map[string]queue.JournalLine
	outcomes map[string]queue.OutcomeLine
	trust    queue.Trust
}

func readJournal(root *os.Root, name string) (journal, error) {
	j := journal{done: map[string]queue.JournalLine{}, outcomes: map[string]queue.OutcomeLine{}}
	f, err := root.Open(name)
	if err != nil {
		return j, fmt.Errorf("opening a journal: %w", err)
	}
	defer f.Close() // only read from
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	for sc.Scan() {
		j.take(sc.Bytes())
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		j.attempt.Damaged++ // no line of ours is that long: what follows is not ours either
	} else if err != nil {
		return j, fmt.Errorf("reading the journal %q: %w", name, err)
	}
	for _, l := range j.done {
		j.attempt.Done++
		j.attempt.Bytes += l.Size
	}
	return j, nil
}

// take takes in one line.
func (j *journal) take(b []byte) {
	b = bytes.Trim(b, "\x00 \t\r") // blocks that were never written read as zeros
	if len(b) == 0 {
		return
	}
	if j.frame(b) {
		return
	}
	done, out, err := queue.ParseJournalLine(b)
	switch {
	case err != nil:
		j.attempt.Damaged++
	case done.Undone:
		delete(j.done, done.URI)
	case done.URI != "":
		j.done[done.URI] = done
	default:
		j.outcomes[out.URI] = out
	}
}

// frame takes in a begin or end line; false if it is neither. After an end line nothing more is expected, but what comes
// counts: the end is then not the last line.
func (j *journal) frame(b []byte) bool {
	j.attempt.Ended = false
	switch {
	case bytes.HasPrefix(b, []byte(`{"begin":true,`)):
		var l beginLine
		if json.Unmarshal(b, &l) != nil {
			return false
		}
		j.attempt.Host, j.attempt.Job, j.attempt.Restart, j.attempt.Started = l.Host, l.Job, l.Restart, l.At
		return true
	case bytes.HasPrefix(b, []byte(`{"end":true,`)):
		var l endLine
		if json.Unmarshal(b, &l) != nil {
			return false
		}
		j.attempt.Ended, j.attempt.Exit = true, l.Exit
		switch l.Trust {
		case queue.TrustProven, queue.TrustNotMD5:
			j.trust = l.Trust
		}
		return true
	}
	return false
}
