package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Returned is what the journals of a shard say of its files. A URI is in at most one of both.
type Returned struct {
	Done     []JournalLine
	Outcomes []OutcomeLine
	Trust    Trust // what its tasks learned; "" nothing
	Differ   int64 // files that two of its tasks finished with different bytes; Done has the later ones
	// Close returns the files of which nothing is said as well: no task works on the shard any more.
	Close bool
}

// TakeBackReport counts what TakeBack changed.
type TakeBackReport struct {
	Done     int64 // newly done
	Bytes    int64 // of these
	Returned int64 // lent before, not done: pending, waiting, parked or failed now
	Known    int64 // done before
	Unknown  int64 // URIs that are not in this queue
	Differ   int64 // done twice, with different bytes
}

// TakeBack takes the outcome of a shard into the queue, in one transaction. Finished files become done under runID, whatever
// became of the loan meanwhile, so journals may be taken in late, again, and in any order. With Close the rest of the
// shard is pending again, with what is known of its parts; without it the rest stays lent. Taking the same in twice changes
// nothing.
func (q *Queue) TakeBack(ctx context.Context, runID, round int64, shard int, r Returned) (rep TakeBackReport, err error) {
	err = q.writeAlone(ctx, func(t *tx) error {
		rep = TakeBackReport{Differ: r.Differ}
		for _, l := range r.Done {
			if err := t.takeDone(ctx, runID, l, &rep); err != nil {
				return fmt.Errorf("%q: %w", l.URI, err)
			}
		}
		if r.Close {
			if err := t.takeRest(ctx, round, shard, r.Outcomes, &rep); err != nil {
				return err
			}
		}
		if err := t.closeRounds(ctx); err != nil {
			return err
		}
		return t.learn(ctx, r.Trust)
	})
	if err != nil {
		return TakeBackReport{}, fmt.Errorf("taking back shard %d of round %d: %w", shard, round, err)
	}
	return rep, nil
}

// learn takes over a task's trust: what is proven stays so, what was only disproved by a task counts if nothing is proven.
func (t *tx) learn(ctx context.Context, trust Trust) error {
	if trust == "" || trust == TrustUnproven {
		return nil
	}
	have, err := t.text(ctx, selectMeta, metaTrust)
	if err != nil || have == string(TrustProven) || have == string(trust) {
		return err
	}
	return t.setTrust(ctx, trust)
}

// findFile returns the row of a URI; id 0 if there is none.
func (t *tx) findFile(ctx context.Context, uri string) (id int64, state State, sha []byte, err error) {
	stem, name := splitURI(uri)
	stemID, ok, err := t.findDir(ctx, stem)
	if err != nil || !ok {
		return 0, "", nil, err
	}
	const find = `SELECT id, state, sha256 FROM file WHERE name = ? AND stem_id = ?` // unique index file_uri
	err = t.query(ctx, find, []any{name, stemID}, func(r row) error {
		id, state, sha = r.int(0), State(r.str(1)), r.blob(2)
		return nil
	})
	return id, state, sha, err
}

const (
	relendFile = `UPDATE file SET state='lent', reason=NULL, due_at=NULL WHERE id=? AND state IN ('pending','waiting','parked')`
	reviveFile = `UPDATE file SET state='pending', reason=NULL WHERE id=? AND state='failed' AND dir_id IS NOT NULL`
	backDone   = `
UPDATE file SET state='done', done_run_id=?, finished_at=?, size_bytes=?, sha256=?, md5=?, proof=?, flagged=?, source=?, header_id=?,
  header_date=?, checksum=coalesce(?,checksum), tries=0, checks=0, last_sha256=NULL, detail=NULL, etag=NULL, last_modified=NULL
WHERE id=? AND state='lent'`
	dropLoan = `DELETE FROM loan WHERE file_id=?`
)

// takeDone makes a file done that a task finished. Rows that are not lent any more take the way of the state machine to
// lent first: a task may end after its shard was closed.
func (t *tx) takeDone(ctx context.Context, runID int64, l JournalLine, rep *TakeBackReport) error {
	id, state, sha, err := t.findFile(ctx, l.URI)
	if err != nil {
		return err
	}
	f := l.file()
	switch {
	case id == 0:
		rep.Unknown++
		return nil
	case state == Done && bytes.Equal(sha, f.SHA256):
		rep.Known++
		return nil
	case state == Done:
		rep.Differ++
		return t.event(ctx, id, "differs", "a task finished it with other bytes: SHA-256 "+l.SHA256)
	case state == Placing || state == Planned:
		return nil
	}
	if state != Lent {
		for _, sql := range []string{reviveFile, relendFile} {
			if _, _, err := t.exec(ctx, sql, id); err != nil {
				return err
			}
		}
	}
	headerID, date, err := t.header(ctx, f.Header)
	if err != nil {
		return err
	}
	var sum any // proven by it, so this is the archive's checksum, whatever the plan knew
	if f.Proof == ProofArchive {
		sum = f.MD5
	}
	n, _, err := t.exec(ctx, backDone, runID, l.At, f.Size, f.SHA256, f.MD5, string(f.Proof), orNull(sanitise(f.Flagged)), orNull(f.Source),
		headerID, date, sum, id)
	if err != nil || n == 0 {
		return err
	}
	rep.Done++
	rep.Bytes += f.Size
	if _, _, err := t.exec(ctx, dropLoan, id); err != nil {
		return err
	}
	t.journalFile(id)
	return nil
}

const (
	backOutcome = `
UPDATE file SET state=?, reason=?, detail=?, due_at=?, tries=?, checks=?, last_sha256=coalesce(?,last_sha256)
WHERE id=? AND state='lent' AND EXISTS (SELECT 1 FROM loan WHERE file_id=file.id AND round=? AND shard=?)`
	backRest = `
UPDATE file SET state='pending' WHERE state='lent' AND id IN (SELECT file_id FROM loan WHERE round=? AND shard=?)`
	dropLoans = `DELETE FROM loan WHERE round=? AND shard=?`
)

// takeRest closes a shard.
func (t *tx) takeRest(ctx context.Context, round int64, shard int, outcomes []OutcomeLine, rep *TakeBackReport) error {
	for _, o := range outcomes {
		if err := t.takeOutcome(ctx, round, shard, o, rep); err != nil {
			return fmt.Errorf("%q: %w", o.URI, err)
		}
	}
	n, err := t.returnShard(ctx, round, shard)
	rep.Returned += n
	return err
}

// returnShard makes what is still lent in a shard pending.
func (t *tx) returnShard(ctx context.Context, round int64, shard int) (files int64, err error) {
	if files, _, err = t.exec(ctx, backRest, round, shard); err == nil {
		_, _, err = t.exec(ctx, dropLoans, round, shard)
	}
	return files, err
}

// closeRounds notes which rounds have nothing lent any more. A late task may have finished the last file of a later round.
func (t *tx) closeRounds(ctx context.Context) error {
	const done = `
UPDATE round SET closed_at=? WHERE closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM loan WHERE loan.round = round.id)` // index loan_shard
	_, _, err := t.exec(ctx, done, t.now)
	return err
}

func (t *tx) takeOutcome(ctx context.Context, round int64, shard int, o OutcomeLine, rep *TakeBackReport) error {
	id, state, _, err := t.findFile(ctx, o.URI)
	if err != nil || id == 0 || state != Lent {
		return err
	}
	var due any
	if o.DueAt != 0 {
		due = o.DueAt
	}
	n, _, err := t.exec(ctx, backOutcome, string(o.State), orNull(string(o.Reason)), orNull(sanitise(o.Detail)), due, o.Tries, o.Checks,
		bytesOrNull(o.LastSHA), id, round, shard)
	if err != nil || n == 0 {
		return err
	}
	rep.Returned++
	if _, _, err := t.exec(ctx, dropLoan, id); err != nil {
		return err
	}
	part := o.Part.part()
	part.Boot = "" // nobody knows whether an old task still writes it
	if err := t.keepPart(ctx, id, part); err != nil {
		return err
	}
	if o.Reason == "" {
		return nil
	}
	return t.event(ctx, id, string(o.State), string(o.Reason)+": "+o.Detail)
}

// ParseJournalLine reads one line of a task's journal: a finished file (done.URI is set) or another outcome (out.URI is
// set). Anything else, such as a half-written line, is an error that wraps ErrJournalLine.
func ParseJournalLine(b []byte) (done JournalLine, out OutcomeLine, err error) {
	var kind struct {
		State State `json:"state"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return JournalLine{}, OutcomeLine{}, fmt.Errorf("%w: %w", ErrJournalLine, err)
	}
	if kind.State == "" {
		if done, err = parseLine(b); err != nil {
			err = fmt.Errorf("%w: %w", ErrJournalLine, err)
		}
		return done, OutcomeLine{}, err
	}
	err = json.Unmarshal(b, &out)
	if err == nil {
		err = out.validate()
	}
	if err != nil {
		return JournalLine{}, OutcomeLine{}, fmt.Errorf("%w: %w", ErrJournalLine, err)
	}
	return JournalLine{}, out, nil
}

func (l OutcomeLine) validate() error {
	stopped := l.State == Waiting || l.State == Parked || l.State == Failed
	switch {
	case l.URI == "":
		return errors.New("no uri")
	case !stopped && l.State != Pending:
		return fmt.Errorf("%q is not the state of an outcome", l.State)
	case stopped == (l.Reason == ""), l.State == Waiting && l.DueAt == 0, (l.State == Failed || l.State == Pending) && l.DueAt != 0:
		return errors.New("state, reason and due time do not fit together")
	case len(l.LastSHA) != 0 && len(l.LastSHA) != 32, l.Tries < 0, l.Checks < 0, l.DueAt < 0, l.DueAt > maxDue:
		return errors.New("a number is out of range")
	case l.Part != nil && (l.Part.Durable < 0 || !isToken(l.Part.Token)):
		return errors.New("the part is not valid")
	}
	return nil
}

// maxDue is the end of the year 9999 in UTC milliseconds, the last that time.Time can write as JSON.
const maxDue = 253402300799000

// isToken accepts the eight hex digits of a part's token, which becomes part of a file name.
func isToken(s string) bool {
	if len(s) != 8 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
