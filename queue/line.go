package queue

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// JournalLine is one line of done.jsonl: a file that was finished, or, with Undone, one that no longer is.
// The last line of a URI counts. Digests are lower-case hex; empty fields are left out.
type JournalLine struct {
	URI        string            `json:"uri"`
	Undone     bool              `json:"undone,omitempty"`
	Path       string            `json:"path,omitempty"`
	Size       int64             `json:"size"`
	SHA256     string            `json:"sha256,omitempty"`
	MD5        string            `json:"md5,omitempty"`
	Proof      Proof             `json:"proof,omitempty"`
	Flagged    string            `json:"flagged,omitempty"`
	Run        int64             `json:"run,omitempty"`
	At         int64             `json:"at,omitempty"` // UTC milliseconds
	Header     map[string]string `json:"header,omitempty"`
	Program    string            `json:"program,omitempty"`
	Instrument string            `json:"instrument,omitempty"`
	Level      *int              `json:"level,omitempty"` // nil unknown
	Type       string            `json:"type,omitempty"`
	Rights     string            `json:"rights,omitempty"`
	Source     string            `json:"source,omitempty"`
	Obs        []string          `json:"obs,omitempty"`
}

// maxLine bounds a journal line on reading.
const maxLine = 4 << 20

// ErrJournalLine is yielded by ReadJournal for a line that cannot be read; reading goes on after it.
var ErrJournalLine = errors.New("journal line cannot be read")

// ReadJournal yields the lines of a journal in order. A line that is no JSON, or has no URI, or claims to be done without
// digests, is yielded as an error that wraps ErrJournalLine, and reading goes on; any other error comes from r and ends
// the sequence. An incomplete last line is such an unreadable line.
func ReadJournal(r io.Reader) iter.Seq2[JournalLine, error] {
	return func(yield func(JournalLine, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 64<<10), maxLine)
		for n := 1; sc.Scan(); n++ {
			l, err := parseLine(sc.Bytes())
			if err != nil {
				err = fmt.Errorf("%w: line %d: %w", ErrJournalLine, n, err)
			}
			if !yield(l, err) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(JournalLine{}, fmt.Errorf("reading the journal: %w", err))
		}
	}
}

func parseLine(b []byte) (JournalLine, error) {
	var l JournalLine
	if err := json.Unmarshal(b, &l); err != nil {
		return JournalLine{}, err
	}
	if l.URI == "" {
		return JournalLine{}, errors.New("no uri")
	}
	if l.Undone {
		return l, nil
	}
	if sum, err := hex.DecodeString(l.SHA256); err != nil || len(sum) != 32 {
		return JournalLine{}, errors.New("sha256 is not 64 hex digits")
	}
	if sum, err := hex.DecodeString(l.MD5); err != nil || len(sum) != 16 {
		return JournalLine{}, errors.New("md5 is not 32 hex digits")
	}
	if l.Size < 0 || !validPath(l.Path) || proofRank(l.Proof) == 0 {
		return JournalLine{}, errors.New("size, path or proof is not valid")
	}
	return l, nil
}

// proofRank orders proofs, strongest highest; 0 is no proof.
func proofRank(p Proof) int {
	switch p {
	case ProofManifest:
		return 5
	case ProofArchive:
		return 4
	case ProofDouble:
		return 3
	case ProofStructure:
		return 2
	case ProofSize:
		return 1
	}
	return 0
}

// lineOf makes the journal line of a file as it stands: done, or undone.
func lineOf(f File) JournalLine {
	if f.State != Done {
		return JournalLine{URI: f.URI, Undone: true}
	}
	l := JournalLine{
		URI: f.URI, Path: f.Path, Size: f.Size, SHA256: hex.EncodeToString(f.SHA256), MD5: hex.EncodeToString(f.MD5),
		Proof: f.Proof, Flagged: f.Flagged, Run: f.RunID, At: f.FinishedAt.UnixMilli(), Header: f.Header,
		Program: f.Program, Instrument: f.Instrument, Type: f.ProductType, Rights: f.Rights, Source: f.Source, Obs: f.Observations,
	}
	if f.Level != -2 {
		l.Level = &f.Level
	}
	return l
}

const selectLine = `
SELECT s.path || f.name, f.state, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.size_bytes, f.sha256, f.md5,
  f.proof, f.flagged, f.done_run_id, f.finished_at, h.cards, f.header_date, k.program, k.instrument, k.level, k.product_type,
  k.rights, f.source
FROM file f JOIN dir s ON s.id = f.stem_id JOIN kind k ON k.id = f.kind_id LEFT JOIN dir d ON d.id = f.dir_id
LEFT JOIN header h ON h.id = f.header_id WHERE f.id = CAST(? AS INTEGER)`

// journalFile reads what the journal needs of a row, and adds its line to those the transaction will append.
func (t *tx) journalFile(ctx context.Context, id int64) error {
	f := File{ID: id}
	err := t.query(ctx, selectLine, []any{id}, func(r row) (err error) {
		f.URI, f.State, f.Path, f.Size, f.SHA256, f.MD5 = r.str(0), State(r.str(1)), r.str(2), r.int(3), r.blob(4), r.blob(5)
		f.Proof, f.Flagged, f.RunID, f.FinishedAt = Proof(r.str(6)), r.str(7), r.int(8), r.time(9)
		f.Program, f.Instrument, f.Level, f.ProductType = r.str(12), r.str(13), int(r.int(14)), r.str(15)
		f.Rights, f.Source = r.str(16), r.str(17)
		f.Header, err = t.q.scan.header(r.str(10), r.stamp(11))
		return err
	})
	if err == nil && f.State == Done {
		f.Observations, err = obsOf(ctx, t.conn, id)
	}
	if err != nil {
		return fmt.Errorf("reading file %d for the journal: %w", id, err)
	}
	b, err := json.Marshal(lineOf(f))
	if err != nil {
		return fmt.Errorf("encoding a journal line: %w", err)
	}
	t.lines = append(append(t.lines, b...), '\n')
	t.journaled = append(t.journaled, id)
	return nil
}

// file turns a done line back into what the queue stores.
func (l JournalLine) file() File {
	f := File{
		URI: l.URI, Path: l.Path, State: Done, Size: l.Size, Proof: l.Proof, Flagged: l.Flagged, RunID: l.Run,
		Header: l.Header, Source: l.Source, Observations: l.Obs, FinishedAt: time.UnixMilli(l.At).UTC(),
		Facts: Facts{Program: l.Program, Instrument: l.Instrument, ProductType: l.Type, Rights: l.Rights, Level: -2},
	}
	if l.Level != nil {
		f.Level = *l.Level
	}
	f.SHA256, _ = hex.DecodeString(l.SHA256) // parseLine has checked both
	f.MD5, _ = hex.DecodeString(l.MD5)
	return f
}
