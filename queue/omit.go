package queue

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ruleCount gathers what a chunk adds to a rule.
type ruleCount struct {
	id                 int64
	rows, files, bytes int64
}

// kept yields the files of product rows, and counts those that a rule leaves out.
func (in *ingest) kept(rows iter.Seq2[ProductRow, error]) iter.Seq2[NewFile, error] {
	if rows == nil {
		return nil
	}
	return func(yield func(NewFile, error) bool) {
		for p, err := range rows {
			if err == nil && p.Rule != "" {
				if err = in.omit(Omitted{URI: p.File.URI, Size: p.File.Size, Rule: p.Rule}); err == nil {
					continue
				}
			}
			if !yield(p.File, err) {
				return
			}
		}
	}
}

func (in *ingest) omit(o Omitted) error {
	r, ok := in.rules[o.Rule]
	if !ok {
		const insert = `INSERT INTO rule(query_id, name) VALUES (?,?) ON CONFLICT DO UPDATE SET name = name RETURNING id`
		id, _, err := in.one(in.ctx, insert, in.queryID, o.Rule)
		if err != nil {
			return fmt.Errorf("storing rule %q: %w", o.Rule, err)
		}
		r = &ruleCount{id: id}
		in.rules[o.Rule] = r
	}
	r.rows++
	left := leftOut{nearHash(o.URI), r.id}
	if !in.first(left) {
		return nil
	}
	in.omitted = append(in.omitted, omission{left, r, max(o.Size, 0)})
	if len(in.omitted) < batchSize {
		return nil
	}
	return in.flushOmitted()
}

// omission is a file that a rule left out, and how many bytes it has.
type omission struct {
	leftOut
	count *ruleCount
	bytes int64
}

const (
	insertOmitted = `INSERT INTO omitted VALUES ` + omittedRow
	omittedRow    = `(?,?)`
	newOmitted    = ` ON CONFLICT DO NOTHING RETURNING uri_hash, rule_id`
)

func insertOmittedMany() string {
	return insertOmitted + strings.Repeat(","+omittedRow, batchSize-1) + newOmitted
}

// flushOmitted stores files that rules left out, and counts those that are new.
func (in *ingest) flushOmitted() error {
	size, sql := 1, insertOmitted+newOmitted
	if len(in.omitted) == batchSize {
		size, sql = batchSize, in.insertOmittedMany
	}
	for batch := range slices.Chunk(in.omitted, size) {
		var args []any
		byKey := make(map[leftOut]omission, size)
		for _, o := range batch {
			args = append(args, o.uriHash, o.rule)
			byKey[o.leftOut] = o
		}
		err := in.query(in.ctx, sql, args, func(r row) error {
			o := byKey[leftOut{r.int(0), r.int(1)}]
			o.count.files++
			o.count.bytes += o.bytes
			return nil
		})
		if err != nil {
			return fmt.Errorf("storing left-out files: %w", err)
		}
	}
	in.omitted = in.omitted[:0]
	return nil
}

func (in *ingest) flushCounts() error {
	if err := in.flushOmitted(); err != nil {
		return err
	}
	for _, r := range in.rules {
		const add = `UPDATE rule SET row_count=row_count+?, files=files+?, bytes=bytes+? WHERE id=?`
		if _, _, err := in.exec(in.ctx, add, r.rows, r.files, r.bytes, r.id); err != nil {
			return err
		}
	}
	if in.rows == 0 {
		return nil
	}
	if err := in.flushAdded(); err != nil {
		return err
	}
	const add = `UPDATE query SET row_count=row_count+?, duplicates=duplicates+?, known=known+? WHERE id=?`
	_, _, err := in.exec(in.ctx, add, in.rows, in.duplicate, in.known, in.queryID)
	return err
}

// flushAdded counts the files that were added, before the size of one changes: a trigger moves it within the counts.
func (in *ingest) flushAdded() error {
	n := in.added
	if in.added = (Count{}); n == (Count{}) {
		return nil
	}
	return in.tally(in.ctx, Planned, "", n)
}

// dropPlanned leaves out a file after all that this query listed and nobody has offered yet.
func (in *ingest) dropPlanned(o Omitted) error {
	stem, name := splitURI(o.URI)
	stemID, ok, err := in.findDir(in.ctx, stem)
	if err != nil || !ok {
		return err
	}
	old, ok, err := in.lookup(name, stemID)
	if err != nil || !ok || old.state != Planned || old.queryID != in.queryID {
		return err
	}
	o.Size = old.size
	return in.drop(in.ctx, in.queryID, old.id, o)
}

// What hangs on a planned file: one that was failed before has a history.
var forgetFile = [...]string{
	`DELETE FROM file_observation WHERE file_id=?`,
	`DELETE FROM event WHERE file_id=?`,
	`DELETE FROM part WHERE file_id=?`,
	`DELETE FROM file WHERE id=? AND state='planned'`,
}

// drop removes a planned file of a query and counts it under a rule instead: its row counts as left out, not as taken in.
func (t *tx) drop(ctx context.Context, queryID, fileID int64, o Omitted) error {
	const (
		rule  = `INSERT INTO rule(query_id, name) VALUES (?,?) ON CONFLICT DO UPDATE SET name = name RETURNING id`
		count = `UPDATE rule SET row_count=row_count+1, files=files+1, bytes=bytes+? WHERE id=?`
		less  = `UPDATE query SET row_count=row_count-1 WHERE id=?`
	)
	id, _, err := t.one(ctx, rule, queryID, o.Rule)
	if err == nil {
		_, _, err = t.exec(ctx, `INSERT INTO omitted VALUES (?,?) ON CONFLICT DO NOTHING`, nearHash(o.URI), id)
	}
	if err == nil {
		_, _, err = t.exec(ctx, count, max(o.Size, 0), id)
	}
	if err == nil {
		_, _, err = t.exec(ctx, less, queryID)
	}
	for _, sql := range forgetFile {
		if err == nil {
			_, _, err = t.exec(ctx, sql, fileID)
		}
	}
	if err != nil {
		return fmt.Errorf("leaving out %q by rule %q: %w", o.URI, o.Rule, err)
	}
	return nil
}
