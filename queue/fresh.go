package queue

import (
	"errors"
	"fmt"
	"strings"
)

// batchSize rows are inserted by one statement: at a million files the calls into SQLite would cost more than its work.
const batchSize = 64

// freshFile is a file that seems to be new, with the id it will have.
type freshFile struct {
	NewFile
	id, stemID int64
	name       string
	args       [fileArgs]any // of insertFile
	repeats    int64         // rows that repeated it since, counted as duplicates
}

const fileArgs = 12

const insertFile = `
INSERT INTO file(id, stem_id, name, state, query_id, kind_id, obs_dir_id, own, size_bytes, release_at, ingested_at, dir_id,
  path_hash)
VALUES ` + fileRow + ` ON CONFLICT DO NOTHING`
const fileRow = `(?,?,?,'planned',?,?,?,?,?,?,?,?,?)`

func insertFiles() string {
	return strings.Replace(insertFile, fileRow, fileRow+strings.Repeat(","+fileRow, batchSize-1), 1)
}

// add notes a file that seems to be new.
func (in *ingest) add(stemID int64, name string, f NewFile) (now seenFile, err error) {
	if len(in.fresh) == batchSize {
		if err := in.flush(false); err != nil {
			return now, err
		}
	}
	kindID, err := in.kind(in.ctx, facts2kind(f.Facts, name))
	if err != nil {
		return now, err
	}
	var obsDir any
	if f.ObsID != "" {
		if obsDir, err = in.dirOnce(&in.obsMemo, f.ObsID); err != nil {
			return now, err
		}
	}
	dirID, hash, err := in.propose(f, name)
	if err != nil {
		return now, err
	}
	in.lastID++
	in.fresh = append(in.fresh, freshFile{NewFile: f, id: in.lastID, stemID: stemID, name: name, args: [fileArgs]any{
		in.lastID, stemID, name, in.queryID, kindID, obsDir, flag(f.Own), known(f.Size), millis(f.ReleaseAt), millis(f.IngestedAt),
		dirID, hash,
	}})
	return seenFile{id: in.lastID}, nil
}

// repeat counts a row that repeats what this chunk stored.
func (in *ingest) repeat(s seenFile) {
	in.repeated(s.known, 1)
	if len(in.fresh) > 0 && s.id >= in.fresh[0].id {
		in.fresh[s.id-in.fresh[0].id].repeats++
	}
}

// flushFresh inserts what seems to be new. What is there already is met again.
func (in *ingest) flushFresh() error {
	inserted, err := in.insert()
	if err != nil {
		return fmt.Errorf("storing files: %w", err)
	}
	for _, f := range in.fresh {
		if inserted < int64(len(in.fresh)) {
			old, ok, err := in.lookup(f.name, f.stemID)
			if err == nil && !ok {
				err = errors.New("the file is neither new nor there")
			}
			if err == nil && old.id != f.id {
				err = in.notFresh(f, old)
			}
			if err != nil {
				return fmt.Errorf("storing file %q: %w", f.URI, err)
			}
			if old.id != f.id {
				continue
			}
		}
		in.added.Files++
		in.added.Bytes += max(f.Size, 0)
	}
	in.fresh = in.fresh[:0]
	return nil
}

// insert inserts the fresh files and returns how many of them were new.
func (in *ingest) insert() (n int64, err error) {
	if len(in.fresh) < batchSize {
		for i := range in.fresh {
			changed, _, err := in.exec(in.ctx, insertFile, in.fresh[i].args[:]...)
			if err != nil {
				return 0, err
			}
			n += changed
		}
		return n, nil
	}
	args := make([]any, 0, batchSize*fileArgs)
	for i := range in.fresh {
		args = append(args, in.fresh[i].args[:]...)
	}
	if err := in.many(in.ctx, in.insertFiles, args); err != nil {
		return 0, err
	}
	n, _, err = in.one(in.ctx, `SELECT changes()`)
	return n, err
}

// notFresh corrects what was noted under the id of a file that turns out to have another.
func (in *ingest) notFresh(f freshFile, old knownFile) error {
	in.metOld = true
	now, err := in.again(old, f.NewFile, nil)
	if err != nil {
		return err
	}
	in.duplicate -= f.repeats
	in.repeated(now.known, f.repeats)
	if s, ok := in.seen.get(f.URI); ok && s.id == f.id {
		s.id, s.known = now.id, now.known
		in.seen.put(f.URI, s)
	}
	for i := 0; i < len(in.pairs); i += 2 {
		if in.pairs[i] == f.id {
			in.pairs[i] = now.id
		}
	}
	return nil
}

const insertPair = `INSERT INTO file_observation VALUES (?,?) ON CONFLICT DO NOTHING`

func insertPairs() string {
	return strings.Replace(insertPair, "(?,?)", "(?,?)"+strings.Repeat(",(?,?)", batchSize-1), 1)
}

// maxPairs is how many pairs may wait for fresh files to be inserted, whose ids they may have.
const maxPairs = 16 * batchSize

// flush inserts the fresh files, and of the pairs whole batches and, at the end, what is left.
func (in *ingest) flush(all bool) error {
	if err := in.flushFresh(); err != nil { // settles the ids in the pairs
		return err
	}
	rest := in.pairs
	for len(rest) >= 2*batchSize {
		if err := in.many(in.ctx, in.insertPairs, rest[:2*batchSize]); err != nil {
			return fmt.Errorf("storing which observation lists which file: %w", err)
		}
		rest = rest[2*batchSize:]
	}
	for all && len(rest) > 0 {
		if _, _, err := in.exec(in.ctx, insertPair, rest[0], rest[1]); err != nil {
			return fmt.Errorf("storing which observation lists which file: %w", err)
		}
		rest = rest[2:]
	}
	in.pairs = append(in.pairs[:0], rest...)
	return nil
}
