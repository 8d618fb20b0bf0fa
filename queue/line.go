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
	"slices"
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

// journalFile has the transaction write the file's journal line: the file is done, or no longer done.
func (t *tx) journalFile(id int64) { t.journaled = append(t.journaled, id) }

// A done file has no part any more. Whether it is done is asked here again, since a later operation of the same transaction may
// have taken the file up anew.
const dropParts = `
DELETE FROM part WHERE file_id IN (SELECT each.value FROM ` + eachID + `)
AND (SELECT f.state FROM file f WHERE f.id = part.file_id) = 'done'`

// settleJournaled does what follows a move to or from done, for all files of the transaction at once.
func (t *tx) settleJournaled(ctx context.Context) error {
	if _, _, err := t.exec(ctx, dropParts, idList(t.journaled)); err != nil {
		return err
	}
	if err := t.encodeLines(ctx); err != nil {
		return err
	}
	return noteJournaled(ctx, t)
}

const selectLines = `
SELECT f.id, s.path || f.name, f.state, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.size_bytes, f.sha256, f.md5,
  f.proof, f.flagged, f.done_run_id, f.finished_at, h.cards, f.header_date, k.program, k.instrument, k.level, k.product_type,
  k.rights, f.source
FROM ` + eachID + ` CROSS JOIN file f ON f.id = each.value JOIN dir s ON s.id = f.stem_id JOIN kind k ON k.id = f.kind_id
LEFT JOIN dir d ON d.id = f.dir_id LEFT JOIN header h ON h.id = f.header_id`

const selectLineObs = `
SELECT p.file_id, o.obs_id FROM ` + eachID + ` CROSS JOIN file_observation p ON p.file_id = each.value
JOIN observation o ON o.obsid = p.obsid`

// encodeLines makes the journal's line of each of the transaction's finished files from its row as it stands now.
func (t *tx) encodeLines(ctx context.Context) error {
	obs := make(map[int64][]string, len(t.journaled))
	err := t.query(ctx, selectLineObs, []any{idList(t.journaled)}, func(r row) error {
		obs[r.int(0)] = append(obs[r.int(0)], r.str(1))
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading observations for the journal: %w", err)
	}
	err = t.query(ctx, selectLines, []any{idList(t.journaled)}, func(r row) error {
		f := File{
			ID: r.int(0), URI: r.str(1), State: State(r.str(2)), Path: r.str(3), Size: r.int(4), SHA256: r.blob(5), MD5: r.blob(6),
			Proof: Proof(r.str(7)), Flagged: r.str(8), RunID: r.int(9), FinishedAt: r.time(10), Source: r.str(18),
			Facts: Facts{Program: r.str(13), Instrument: r.str(14), Level: int(r.int(15)), ProductType: r.str(16), Rights: r.str(17)},
		}
		slices.Sort(obs[f.ID])
		f.Observations = slices.Compact(obs[f.ID])
		var err error
		if f.Header, err = t.q.scan.header(r.str(11), r.stamp(12)); err != nil {
			return err
		}
		b, err := json.Marshal(lineOf(f))
		if err != nil {
			return fmt.Errorf("encoding a journal line: %w", err)
		}
		t.lines = append(append(t.lines, b...), '\n')
		return nil
	})
	if err != nil {
		return fmt.Errorf("making journal lines: %w", err)
	}
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
