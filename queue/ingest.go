package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// FinishChunk stores the outcome of a chunk that NextChunk handed out, in one transaction: what its replies listed, its
// children, and its state. An error of an iterator, of the context or of a child rolls everything back and is returned;
// the chunk then is still running and may be finished again. ErrStale means the chunk is not running.
//
// New files are planned until Offer. A file that is there already gains observations and newer facts; its path, and
// everything about a finished one, stays.
func (q *Queue) FinishChunk(ctx context.Context, c Chunk, out ChunkResult) error {
	if err := out.validate(); err != nil {
		return fmt.Errorf("finishing chunk %d: %w", c.ID, err)
	}
	err := q.writeAlone(ctx, func(t *tx) error {
		defer t.q.memory.empty()
		t.q.memory.seen.rows = out.Rows
		in := ingest{
			tx: t, chunkMemory: &t.q.memory, ctx: ctx, queryID: c.QueryID, layout: out.Layout, rules: map[string]*ruleCount{}, stems: map[string]int64{},
			insertFiles: insertFiles(), insertPairs: insertPairs(), selectKnownMany: selectKnownMany(), updateFactsMany: updateFactsMany(),
			insertOmittedMany: insertOmittedMany(),
		}
		return in.finish(c, out)
	})
	if err != nil {
		return fmt.Errorf("finishing chunk %d: %w", c.ID, err)
	}
	return nil
}

func (out ChunkResult) validate() error {
	switch out.State {
	case ChunkDone, ChunkFailed, ChunkSplit:
	default:
		return fmt.Errorf("%q is not an outcome of a chunk", out.State)
	}
	if out.State == ChunkFailed && len(out.Children) > 0 {
		return errors.New("a failed chunk has no children")
	}
	return nil
}

// ingest takes in what a chunk listed.
type ingest struct {
	*tx
	*chunkMemory
	ctx                    context.Context // of the one call this value lives in
	queryID                int64
	layout                 func(File) string // may be nil
	folders                folders
	stemMemo, obsMemo      dirMemo
	folderMemo             dirMemo
	rows, duplicate, known int64
	added                  Count
	rules                  map[string]*ruleCount
	stems                  map[string]int64
	fresh                  []freshFile // files that seem to be new, not inserted yet; their ids follow each other
	lastID                 int64       // the greatest id of a file, those of fresh included
	pairs                  []any       // file_id, obsid, … not inserted yet
	facts                  []any       // arguments of updateFactsMany, not written yet
	omitted                []omission  // not written yet
	insertFiles            string      // the statements for batches
	insertPairs            string
	selectKnownMany        string
	updateFactsMany        string
	insertOmittedMany      string
	steps                  int
}

const finishChunk = `
UPDATE chunk SET state=?, error=?, row_count=?, requests=requests+?, elapsed_ms=elapsed_ms+? WHERE id=? AND state='running'`

func (in *ingest) finish(c Chunk, out ChunkResult) error {
	var text any
	if out.State == ChunkFailed {
		text = sanitise(out.Error)
	}
	n, _, err := in.exec(in.ctx, finishChunk, string(out.State), text, out.Rows, out.Requests, out.Elapsed.Milliseconds(), c.ID)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrStale
	}
	if in.lastID, _, err = in.one(in.ctx, `SELECT max(id) FROM file`); err != nil {
		return err
	}
	err = each(in, out.Observations, in.observation)
	if err == nil {
		err = batches(in, out.Files, in.meetFiles, in.file)
	}
	if err == nil {
		err = batches(in, in.kept(out.Products), in.meetFiles, in.file)
	}
	if err == nil {
		err = each(in, out.Omitted, in.omit)
	}
	if err == nil {
		err = in.flush(true)
	}
	if err == nil {
		err = in.flushCounts()
	}
	if err == nil {
		err = batches(in, out.Facts, in.meetFacts, in.fact)
	}
	if err == nil {
		err = in.flushFacts()
	}
	if err == nil {
		err = each(in, out.Dropped, in.dropPlanned)
	}
	if err != nil {
		return err
	}
	return in.addChunks(in.ctx, c.QueryID, c.ID, out.Children)
}

// each feeds an iterator's elements to take; a nil iterator has none.
func each[T any](in *ingest, seq iter.Seq2[T, error], take func(T) error) error {
	if seq == nil {
		return nil
	}
	for v, err := range seq {
		if err != nil {
			return err
		}
		if in.steps++; in.steps%1024 == 0 && in.ctx.Err() != nil {
			return in.ctx.Err()
		}
		if err := take(v); err != nil {
			return err
		}
	}
	return nil
}

// batches is each, with a look at batchSize elements before they are taken.
func batches[T any](in *ingest, seq iter.Seq2[T, error], look func([]T) error, take func(T) error) error {
	batch := make([]T, 0, batchSize)
	flush := func() error {
		err := look(batch)
		for _, v := range batch {
			if err == nil {
				err = take(v)
			}
		}
		batch = batch[:0]
		return err
	}
	err := each(in, seq, func(v T) error {
		if batch = append(batch, v); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// meetFiles and meetFacts look for the files of rows that are about to be stored, where they are likely to be there.
func (in *ingest) meetFiles(rows []NewFile) error {
	if !in.metOld {
		return nil
	}
	uris := make([]string, 0, batchSize)
	for _, f := range rows {
		if _, met := in.seen.get(f.URI); !met {
			uris = append(uris, f.URI)
		}
	}
	return in.aheadNow(uris)
}

func (in *ingest) meetFacts(rows []KeywordFact) error {
	uris := make([]string, len(rows))
	for i, f := range rows {
		uris[i] = f.URI
	}
	return in.aheadNow(uris)
}

const upsertObservation = `
INSERT INTO observation(obsid, obs_id, program, instrument, level, rights, release_at) VALUES (?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET obs_id=excluded.obs_id, program=excluded.program, instrument=excluded.instrument,
  level=excluded.level, rights=excluded.rights, release_at=excluded.release_at`

func (in *ingest) observation(o Observation) error {
	if o.Obsid <= 0 {
		return fmt.Errorf("storing observation %q: obsid %d is not positive", o.ObsID, o.Obsid)
	}
	_, _, err := in.exec(in.ctx, upsertObservation, o.Obsid, o.ObsID, o.Program, o.Instrument, o.Level, o.Rights, millis(o.ReleaseAt))
	if err == nil {
		_, _, err = in.exec(in.ctx, `INSERT INTO query_observation(query_id, obsid) VALUES (?,?) ON CONFLICT DO NOTHING`, in.queryID, o.Obsid)
	}
	if err != nil {
		return fmt.Errorf("storing observation %q: %w", o.ObsID, err)
	}
	return nil
}

const addTally = `
INSERT INTO tally VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes`

// tally counts rows that were inserted in a state, or moved out of or back to planned; other changes are counted by triggers.
func (t *tx) tally(ctx context.Context, s State, reason Reason, n Count) error {
	_, _, err := t.exec(ctx, addTally, string(s), string(reason), n.Files, n.Bytes)
	return err
}

func (in *ingest) file(f NewFile) error {
	if f.URI == "" {
		return errors.New("storing a file: it has no URI")
	}
	in.rows++
	old, met := in.seen.get(f.URI)
	if met && old.covers(f) {
		in.repeat(old)
	} else {
		now, err := in.store(f, met)
		if err != nil {
			return fmt.Errorf("storing file %q: %w", f.URI, err)
		}
		in.remember(f, now, old)
		old = now
	}
	for _, obsid := range f.Parents {
		in.pairs = append(in.pairs, old.id, obsid)
	}
	if len(in.pairs) >= 2*maxPairs {
		return in.flush(false)
	}
	return nil
}

// store takes in a file: one that seems to be new with others later, one that is there at once. met says that this chunk had
// it before.
func (in *ingest) store(f NewFile, met bool) (now seenFile, err error) {
	stem, name := splitURI(f.URI)
	stemID, err := in.dirOnce(&in.stemMemo, stem)
	if err != nil {
		return now, err
	}
	if met {
		err = in.flushFresh() // it may be among them
	}
	if err == nil && (met || in.metOld) {
		old, ok, err := in.lookup(name, stemID)
		if in.metOld = ok; err != nil || ok {
			return in.again(old, f, err)
		}
	}
	if err != nil {
		return now, err
	}
	return in.add(stemID, name, f)
}

// again meets a file that is there, unless looking for it failed: it is counted, and what the new row knows better is stored.
func (in *ingest) again(old knownFile, f NewFile, err error) (now seenFile, _ error) {
	if err != nil {
		return now, err
	}
	next := old
	now.id, now.known = old.id, old.queryID != in.queryID
	in.repeated(now.known, 1)
	if now.known && old.state == Planned {
		next.queryID, now.known = in.queryID, false // the query that listed it was never offered
	}
	switch {
	case f.Size >= 0 && old.exact == 0:
		next.size = f.Size
	case f.Size >= 0 && f.Size != old.size && old.state != Done && old.state != Placing:
		if err := in.disagree(in.ctx, old.id, sizesDiffer(f.Size, old.size)); err != nil {
			return now, err
		}
	}
	if err := next.folder(in, f); err != nil {
		return now, err
	}
	if next.obsDir != old.obsDir && old.state == Planned {
		if err := in.proposeAgain(old.id, f); err != nil {
			return now, err
		}
	}
	return now, in.storeKnown(in.ctx, old, next, f.Facts, false, in.put)
}

// repeated counts rows of a file that is there; known says that an earlier query had listed it.
func (in *ingest) repeated(known bool, rows int64) {
	if known {
		in.known += rows
	} else {
		in.duplicate += rows
	}
}
