package queue

import (
	"fmt"
	"strings"
)

// A query asked again, and keyword services, list files that are there already. They are looked for, and their facts are
// written, many at a time: that takes two thirds of what a statement for each would.

// fileKey is what a file is found by: the unique index file_uri.
type fileKey struct {
	stemID int64
	name   string
}

// aheadNow looks for files that are about to be met. Those that are there are kept until lookup asks for them or the next call.
func (in *ingest) aheadNow(uris []string) error {
	clear(in.ahead)
	if len(uris) == 0 {
		return nil
	}
	args := make([]any, 0, 2*batchSize)
	asked := make(map[string]bool, batchSize)
	for _, uri := range uris {
		if asked[uri] {
			continue
		}
		asked[uri] = true
		stem, name := splitURI(uri)
		stemID, err := in.stem(stem)
		if err != nil {
			return err
		}
		args = append(args, stemID, name)
	}
	if err := in.flushFacts(); err != nil {
		return err
	}
	args = append(args, make([]any, 2*batchSize-len(args))...) // NULL finds nothing
	err := in.query(in.ctx, in.selectKnownMany, args, func(r row) error {
		in.ahead[fileKey{r.int(knownColumns), r.str(knownColumns + 1)}] = knownOf(r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for files: %w", err)
	}
	return nil
}

func selectKnownMany() string {
	const uri = "(CAST(? AS INTEGER),CAST(? AS TEXT))"
	return selectKnown + `, stem_id, name
FROM (VALUES ` + uri + strings.Repeat(","+uri, batchSize-1) + `) AS v CROSS JOIN file ON stem_id = v.column1 AND name = v.column2`
}

// stem returns the id of a stem, -1 if there is none yet: that is not remembered.
func (in *ingest) stem(stem string) (int64, error) {
	if id, ok := in.stems[stem]; ok {
		return id, nil
	}
	id, ok, err := in.findDir(in.ctx, stem)
	if err != nil || !ok {
		return -1, err
	}
	in.stems[stem] = id
	return id, nil
}

// lookup reads the file of a URI. What was looked for ahead is given out once, since the caller may change it.
func (in *ingest) lookup(name string, stemID int64) (k knownFile, ok bool, err error) {
	key := fileKey{stemID, name}
	if k, ok = in.ahead[key]; ok {
		delete(in.ahead, key)
		return k, true, nil
	}
	if err := in.flushFacts(); err != nil {
		return k, false, err
	}
	return in.oneKnown(in.ctx, selectKnown+` FROM file WHERE name = CAST(? AS TEXT) AND stem_id = CAST(? AS INTEGER)`, name, stemID)
}

// put is tx.put, later for what most rows change.
func (in *ingest) put(old, next knownFile) error {
	if !next.factsOnly(old) {
		if err := in.flushFacts(); err != nil {
			return err
		}
		if err := in.flushAdded(); err != nil {
			return err
		}
		return in.tx.put(in.ctx, old, next)
	}
	in.facts = append(in.facts, old.id, next.kindID, next.exact, bytesOrNull([]byte(next.checksum)), millis(next.release), millis(next.ingested))
	if len(in.facts) < factsArgs*batchSize {
		return nil
	}
	err := in.many(in.ctx, in.updateFactsMany, in.facts)
	in.facts = in.facts[:0]
	return err
}

const factsArgs = 6

func updateFactsMany() string {
	return `
UPDATE file SET kind_id=v.column2, exact=v.column3, checksum=v.column4, release_at=v.column5, ingested_at=v.column6
FROM (VALUES (?,?,?,?,?,?)` + strings.Repeat(",(?,?,?,?,?,?)", batchSize-1) + `) AS v
WHERE file.id = v.column1 AND state NOT IN ('placing','done')`
}

// flushFacts writes what put left for later.
func (in *ingest) flushFacts() error {
	for rest := in.facts; len(rest) > 0; rest = rest[factsArgs:] {
		if _, _, err := in.exec(in.ctx, updateFacts, append(rest[1:factsArgs:factsArgs], rest[0])...); err != nil {
			return err
		}
	}
	in.facts = in.facts[:0]
	return nil
}
