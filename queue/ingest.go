package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
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
		in := ingest{
			tx: t, ctx: ctx, queryID: c.QueryID, layout: out.Layout, rules: map[string]*ruleCount{}, stems: map[string]int64{},
			insertFiles: insertFiles(), insertPairs: insertPairs(), selectKnownMany: selectKnownMany(), updateFactsMany: updateFactsMany(),
			insertOmittedMany: insertOmittedMany(),
			seen:              seenFiles{rows: out.Rows}, left: map[leftOut]bool{}, ahead: map[fileKey]knownFile{},
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
	seen                   seenFiles
	left                   map[leftOut]bool      // files of this chunk that rules left out
	fresh                  []freshFile           // files that seem to be new, not inserted yet; their ids follow each other
	lastID                 int64                 // the greatest id of a file, those of fresh included
	metOld                 bool                  // the file stored last was there already: the next will be, too
	pairs                  []any                 // file_id, obsid, … not inserted yet
	ahead                  map[fileKey]knownFile // files looked for together
	facts                  []any                 // arguments of updateFactsMany, not written yet
	omitted                []omission            // not written yet
	insertFiles            string                // the statements for batches
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
	if len(in.pairs) >= 2*batchSize {
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

// knownFile is what ingest compares of a file that is there.
type knownFile struct {
	id, queryID, kindID, obsDir, own, size, exact int64
	release, ingested                             time.Time
	state                                         State
	checksum                                      string
}

const (
	selectKnown = `
SELECT id, query_id, kind_id, obs_dir_id, own, size_bytes, exact, release_at, ingested_at, state, checksum`
	knownColumns = 11
)

// lookupID reads the file of an id.
func (t *tx) lookupID(ctx context.Context, id int64) (k knownFile, ok bool, err error) {
	return t.oneKnown(ctx, selectKnown+` FROM file WHERE id = CAST(? AS INTEGER)`, id)
}

func (t *tx) oneKnown(ctx context.Context, sql string, args ...any) (k knownFile, ok bool, err error) {
	err = t.query(ctx, sql, args, func(r row) error {
		ok = true
		k = knownOf(r)
		return nil
	})
	return k, ok, err
}

func knownOf(r row) knownFile {
	return knownFile{
		id: r.int(0), queryID: r.int(1), kindID: r.int(2), obsDir: r.int(3), own: r.int(4), size: r.intOr(5, -1), exact: r.int(6),
		release: r.time(7), ingested: r.time(8), state: State(r.str(9)), checksum: r.str(10),
	}
}

const selectPath = `SELECT path FROM dir WHERE id = CAST(? AS INTEGER)`

// folder chooses the observation that names the folder: the file's own one outranks others, then the bytewise least.
func (k *knownFile) folder(in *ingest, f NewFile) error {
	own := flag(f.Own)
	if f.ObsID == "" || own < k.own {
		return nil
	}
	id, err := in.dir(in.ctx, f.ObsID)
	if err != nil || own == k.own && id == k.obsDir {
		return err
	}
	if own == k.own && k.obsDir != 0 {
		have, err := in.text(in.ctx, selectPath, k.obsDir)
		if err != nil || f.ObsID >= have {
			return err
		}
	}
	k.obsDir, k.own = id, own
	return nil
}

const updateKnown = `
UPDATE file SET query_id=?, kind_id=?, obs_dir_id=?, own=?, size_bytes=?, exact=?, checksum=?, release_at=?, ingested_at=?
WHERE id=? AND state NOT IN ('placing','done')`

// The columns that nearly every keyword row changes, and no others: none of them is in an index or wakes a trigger.
const updateFacts = `
UPDATE file SET kind_id=?, exact=?, checksum=?, release_at=?, ingested_at=? WHERE id=? AND state NOT IN ('placing','done')`

// storeKnown puts what differs. Facts of a finished file are those it was proven under, so they stay.
func (t *tx) storeKnown(ctx context.Context, old, next knownFile, f Facts, keywords bool, put func(old, next knownFile) error) error {
	if old.state == Done || old.state == Placing {
		return nil
	}
	k, err := t.kindByID(ctx, old.kindID)
	if err != nil {
		return err
	}
	if next.kindID, err = t.kind(ctx, k.merge(f, keywords)); err != nil {
		return err
	}
	if !f.ReleaseAt.IsZero() {
		next.release = f.ReleaseAt.UTC().Truncate(time.Millisecond)
	}
	if !f.IngestedAt.IsZero() {
		next.ingested = f.IngestedAt.UTC().Truncate(time.Millisecond)
	}
	if next == old {
		return nil
	}
	return put(old, next)
}

// factsOnly tells that updateFacts writes all that differs.
func (k knownFile) factsOnly(old knownFile) bool {
	return k.queryID == old.queryID && k.obsDir == old.obsDir && k.own == old.own && k.size == old.size
}

// put writes a file that differs.
func (t *tx) put(ctx context.Context, old, next knownFile) error {
	checksum := bytesOrNull([]byte(next.checksum))
	if next.factsOnly(old) {
		_, _, err := t.exec(ctx, updateFacts, next.kindID, next.exact, checksum, millis(next.release), millis(next.ingested), old.id)
		return err
	}
	_, _, err := t.exec(ctx, updateKnown, idOrNull(next.queryID), next.kindID, idOrNull(next.obsDir), next.own, known(next.size), next.exact,
		checksum, millis(next.release), millis(next.ingested), old.id)
	return err
}

// fact joins a row of a keyword service to its file.
func (in *ingest) fact(f KeywordFact) error {
	stem, name := splitURI(f.URI)
	stemID, err := in.stem(stem)
	if err != nil {
		return err
	}
	old, ok, err := in.lookup(name, stemID)
	if err != nil || !ok {
		return err
	}
	if err := in.storeFact(in.ctx, old, f, in.put); err != nil {
		return fmt.Errorf("storing keywords of %q: %w", f.URI, err)
	}
	return nil
}

// storeFact applies a keyword row, whose size is exact.
func (t *tx) storeFact(ctx context.Context, old knownFile, f KeywordFact, put func(old, next knownFile) error) error {
	next := old
	if err := t.compare(ctx, old, f); err != nil {
		return err
	}
	if f.Size >= 0 {
		next.size, next.exact = f.Size, 1
	}
	if len(f.Checksum) == 16 { // anything else is no digest of the archive's
		next.checksum = string(f.Checksum)
	}
	if old.obsDir == 0 && f.ObsID != "" {
		id, err := t.dir(ctx, f.ObsID)
		if err != nil {
			return err
		}
		next.obsDir = id
	}
	return t.storeKnown(ctx, old, next, f.Facts, true, put)
}
