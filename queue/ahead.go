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

// aheadFiles are files that were looked for together, in the order in which they were asked for; mostly they are wanted in
// that order, too.
type aheadFiles struct {
	files []aheadFile
	next  int // where to look first
	asked map[fileKey]bool
	args  []any
}

type aheadFile struct {
	key   fileKey
	file  knownFile
	found bool // it is there, and nobody was given it yet
}

func (a *aheadFiles) empty() {
	clear(a.files)
	clear(a.asked)
	clear(a.args)
	a.files, a.args, a.next = a.files[:0], a.args[:0], 0
}

// ask adds a file to what is looked for.
func (a *aheadFiles) ask(k fileKey) {
	if a.asked[k] {
		return
	}
	if a.asked == nil {
		a.asked = make(map[fileKey]bool, batchSize)
	}
	a.asked[k] = true
	a.files = append(a.files, aheadFile{key: k})
	a.args = append(a.args, k.stemID, k.name)
}

// take gives out what was found, once: the caller may change it.
func (a *aheadFiles) take(k fileKey) (f knownFile, ok bool) {
	for i := range a.files {
		i = (a.next + i) % len(a.files)
		if m := &a.files[i]; m.found && m.key == k {
			m.found, a.next = false, i+1
			return m.file, true
		}
	}
	return f, false
}

// aheadNow looks for files that are about to be met, batchSize at most. Those that are there are kept until lookup asks for
// them or the next call.
func (in *ingest) aheadNow(uris []string) error {
	a := &in.ahead
	a.empty()
	for _, uri := range uris {
		stem, name := splitURI(uri)
		stemID, err := in.stem(stem)
		if err != nil {
			return err
		}
		a.ask(fileKey{stemID, name})
	}
	if len(a.files) == 0 {
		return nil
	}
	if err := in.flushFacts(); err != nil {
		return err
	}
	for len(a.args) < 2*batchSize {
		a.args = append(a.args, nil) // NULL finds nothing
	}
	err := in.query(in.ctx, in.selectKnownMany, a.args, func(r row) error {
		m := &a.files[r.int(knownColumns)]
		m.file, m.found = knownOf(r), true
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for files: %w", err)
	}
	return nil
}

func selectKnownMany() string {
	var asked strings.Builder
	for i := range batchSize {
		fmt.Fprintf(&asked, ",(CAST(? AS INTEGER),CAST(? AS TEXT),%d)", i)
	}
	return selectKnown + `, v.column3
FROM (VALUES ` + asked.String()[1:] + `) AS v CROSS JOIN file ON stem_id = v.column1 AND name = v.column2`
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

// lookup reads the file of a URI, unless it was looked for ahead.
func (in *ingest) lookup(name string, stemID int64) (k knownFile, ok bool, err error) {
	if k, ok = in.ahead.take(fileKey{stemID, name}); ok {
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
