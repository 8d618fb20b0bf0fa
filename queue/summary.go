package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// PlanSummary breaks down what a query brought, or with 0 what all queries brought. It reads every file once: about half a
// second at a million files.
func (r *Reader) PlanSummary(ctx context.Context, queryID int64) (PlanSummary, error) {
	s := summary{queryID: queryID, PlanSummary: PlanSummary{Chunks: map[ChunkState]int64{}}}
	for _, step := range []func(context.Context, *conn) error{s.files, s.omitted, s.parked, s.chunks, s.disagreements} {
		err := r.run(ctx, func(c *conn) error { return step(ctx, c) })
		if err != nil {
			return PlanSummary{}, fmt.Errorf("summing up query %d: %w", queryID, err)
		}
	}
	return s.PlanSummary, nil
}

type summary struct {
	PlanSummary
	queryID int64
}

const sumFiles = `
SELECT k.program, k.instrument, k.level, k.product_type, k.suffix, k.rights, f.state, count(*), ifnull(sum(f.size_bytes),0),
  sum(f.size_bytes IS NULL)
FROM file f JOIN kind k ON k.id = f.kind_id WHERE ?1 = 0 OR f.query_id = ?1 GROUP BY f.kind_id, f.state`

type tallies map[string]Tally

func (m tallies) add(key string, files, bytes int64) {
	t := m[key]
	m[key] = Tally{Key: key, Files: t.Files + files, Bytes: t.Bytes + bytes}
}

func (m tallies) sorted() []Tally {
	return slices.SortedFunc(maps.Values(m), func(a, b Tally) int { return cmp.Compare(a.Key, b.Key) })
}

func (s *summary) files(ctx context.Context, c *conn) error {
	program, instrument, level, typ, suffix, rights, state := tallies{}, tallies{}, tallies{}, tallies{}, tallies{}, tallies{}, tallies{}
	err := c.query(ctx, sumFiles, []any{s.queryID}, func(r row) error {
		files, bytes := r.int(7), r.int(8)
		s.Files += files
		s.Bytes += bytes
		s.UnknownSize += r.int(9)
		lv := ""
		if n := r.int(2); n != -2 {
			lv = strconv.FormatInt(n, 10)
		}
		program.add(r.str(0), files, bytes)
		instrument.add(r.str(1), files, bytes)
		level.add(lv, files, bytes)
		typ.add(r.str(3), files, bytes)
		suffix.add(r.str(4), files, bytes)
		rights.add(r.str(5), files, bytes)
		state.add(r.str(6), files, bytes)
		return nil
	})
	s.ByProgram, s.ByInstrument, s.ByLevel, s.ByType = program.sorted(), instrument.sorted(), level.sorted(), typ.sorted()
	s.BySuffix, s.ByRights, s.ByState = suffix.sorted(), rights.sorted(), state.sorted()
	return err
}

func (s *summary) omitted(ctx context.Context, c *conn) error {
	const sum = `
SELECT name, sum(row_count), sum(files), sum(bytes) FROM rule WHERE (?1 = 0 OR query_id = ?1) AND row_count > 0 GROUP BY name ORDER BY name`
	return c.query(ctx, sum, []any{s.queryID}, func(r row) error {
		s.Omitted = append(s.Omitted, Tally{Key: r.str(0), Rows: r.int(1), Files: r.int(2), Bytes: r.int(3)})
		return nil
	})
}

func (s *summary) parked(ctx context.Context, c *conn) error {
	const sum = `
SELECT due_at/86400000, reason, count(*), ifnull(sum(size_bytes),0) FROM file
WHERE reason > '' AND state='parked' AND (?1 = 0 OR query_id = ?1) GROUP BY 1, 2` // partial index file_stopped
	until := map[parkKey]*ParkedUntil{}
	err := c.query(ctx, sum, []any{s.queryID}, func(r row) error {
		var due time.Time
		if r[0] != nil {
			due = time.Unix(r.int(0)*86400, 0)
		}
		addParked(until, due, Reason(r.str(1)), r.int(2), r.int(3))
		return nil
	})
	s.Parked = sortParked(until)
	return err
}

func (s *summary) chunks(ctx context.Context, c *conn) error {
	const chunks = `SELECT state, count(*), sum(requests), sum(elapsed_ms) FROM chunk WHERE ?1 = 0 OR query_id = ?1 GROUP BY state`
	err := c.query(ctx, chunks, []any{s.queryID}, func(r row) error {
		s.Chunks[ChunkState(r.str(0))] = r.int(1)
		s.Requests += r.int(2)
		s.Elapsed += time.Duration(r.int(3)) * time.Millisecond
		return nil
	})
	if err != nil {
		return err
	}
	const rows = `SELECT ifnull(sum(row_count),0), ifnull(sum(duplicates),0), ifnull(sum(known),0) FROM query WHERE ?1 = 0 OR id = ?1`
	err = c.query(ctx, rows, []any{s.queryID}, func(r row) error {
		s.Rows, s.Duplicates, s.Known = r.int(0), r.int(1), r.int(2)
		return nil
	})
	if err != nil {
		return err
	}
	const obs = `SELECT count(DISTINCT obsid) FROM query_observation WHERE ?1 = 0 OR query_id = ?1`
	s.Observations, _, err = c.one(ctx, obs, s.queryID)
	return err
}

type parkKey struct {
	day    time.Time
	reason Reason
}

func addParked(m map[parkKey]*ParkedUntil, due time.Time, reason Reason, files, bytes int64) {
	k := parkKey{reason: reason}
	if !due.IsZero() {
		k.day = due.UTC().Truncate(24 * time.Hour)
	}
	p := m[k]
	if p == nil {
		p = &ParkedUntil{Day: k.day, Reason: reason}
		m[k] = p
	}
	p.Files += files
	p.Bytes += bytes
}

func sortParked(m map[parkKey]*ParkedUntil) []ParkedUntil {
	var out []ParkedUntil
	for _, p := range m {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b ParkedUntil) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
