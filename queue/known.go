package queue

import (
	"context"
	"fmt"
	"time"
)

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
