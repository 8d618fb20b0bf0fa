package queue

import "fmt"

// ruleCount gathers what a chunk adds to a rule.
type ruleCount struct {
	id                 int64
	rows, files, bytes int64
}

func (in *ingest) product(p ProductRow) error {
	if p.Rule != "" {
		return in.omit(Omitted{URI: p.File.URI, Size: p.File.Size, Rule: p.Rule})
	}
	return in.file(p.File)
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
	n, _, err := in.exec(in.ctx, `INSERT INTO omitted VALUES (?,?) ON CONFLICT DO NOTHING`, hash64(o.URI), r.id)
	if err != nil {
		return fmt.Errorf("storing a left-out file: %w", err)
	}
	r.rows++
	r.files += n
	if n > 0 && o.Size > 0 {
		r.bytes += o.Size
	}
	return nil
}

func (in *ingest) flushCounts() error {
	for _, r := range in.rules {
		const add = `UPDATE rule SET row_count=row_count+?, files=files+?, bytes=bytes+? WHERE id=?`
		if _, _, err := in.exec(in.ctx, add, r.rows, r.files, r.bytes, r.id); err != nil {
			return err
		}
	}
	if in.rows == 0 {
		return nil
	}
	if err := in.tally(in.ctx, Planned, in.added); err != nil {
		return err
	}
	const add = `UPDATE query SET row_count=row_count+?, duplicates=duplicates+?, known=known+? WHERE id=?`
	_, _, err := in.exec(in.ctx, add, in.rows, in.duplicate, in.known, in.queryID)
	return err
}
