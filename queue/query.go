package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// AddQuery records what a user asked for: spec is canonical JSON. An unfinished query with the same bytes is taken up
// again (resumed is true): its done chunks stay, its failed ones become pending. Otherwise a new query begins.
func (q *Queue) AddQuery(ctx context.Context, spec []byte) (id int64, resumed bool, err error) {
	err = q.write(ctx, func(t *tx) error {
		id, resumed, err = t.one(ctx, `SELECT id FROM query WHERE spec = ? AND finished_at IS NULL ORDER BY id DESC LIMIT 1`, string(spec))
		if err != nil {
			return err
		}
		if resumed {
			_, _, err = t.exec(ctx, `UPDATE chunk SET state='pending', error=NULL WHERE query_id = ? AND state='failed'`, id)
			return err
		}
		_, id, err = t.exec(ctx, `INSERT INTO query(spec, started_at) VALUES (?,?)`, string(spec), t.now)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("adding a query: %w", err)
	}
	return id, resumed, nil
}

// FinishQuery marks a query as planned; summary is JSON for reports, nil for none. Finishing again replaces the summary.
func (q *Queue) FinishQuery(ctx context.Context, id int64, summary []byte) error {
	err := q.write(ctx, func(t *tx) error {
		n, _, err := t.exec(ctx, `UPDATE query SET finished_at = ?, summary = ? WHERE id = ?`, t.now, orNull(string(summary)), id)
		if err == nil && n == 0 {
			err = errors.New("no such query")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("finishing query %d: %w", id, err)
	}
	return nil
}

// AddChunks adds requests to a query, in order. Observations named in Obsids must be stored with the query already.
func (q *Queue) AddChunks(ctx context.Context, queryID int64, chunks []NewChunk) error {
	err := q.write(ctx, func(t *tx) error { return t.addChunks(ctx, queryID, 0, chunks) })
	if err != nil {
		return fmt.Errorf("adding chunks to query %d: %w", queryID, err)
	}
	return nil
}

const insertChunk = `INSERT INTO chunk(query_id, parent_id, kind, spec, state) VALUES (?,?,?,?,'pending')`
const assignObs = `UPDATE query_observation SET chunk_id = ? WHERE query_id = ? AND obsid = ?` // primary key

func (t *tx) addChunks(ctx context.Context, queryID, parentID int64, chunks []NewChunk) error {
	for _, c := range chunks {
		spec := string(c.Spec)
		if spec == "" {
			spec = "{}"
		}
		_, id, err := t.exec(ctx, insertChunk, queryID, idOrNull(parentID), c.Kind, spec)
		if err != nil {
			return err
		}
		for _, obsid := range c.Obsids {
			n, _, err := t.exec(ctx, assignObs, id, queryID, obsid)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("%d is not an observation of the query", obsid)
			}
		}
	}
	return nil
}

// NextChunk hands out the pending chunk with the lowest id, of one of kinds if any are given; ok is false if there is
// none. It stays running until FinishChunk, or until the next Open makes it pending again.
func (q *Queue) NextChunk(ctx context.Context, queryID int64, kinds ...string) (c Chunk, ok bool, err error) {
	err = q.write(ctx, func(t *tx) error {
		c, ok, err = t.nextChunk(ctx, queryID, kinds)
		return err
	})
	if err != nil {
		return Chunk{}, false, fmt.Errorf("taking the next chunk of query %d: %w", queryID, err)
	}
	return c, ok, nil
}

// The partial index chunk_open serves the search.
const takeChunk = `
UPDATE chunk SET state='running', tries=tries+1 WHERE id = (
  SELECT id FROM chunk WHERE query_id = ? AND state IN ('pending','running') AND state = 'pending' %s ORDER BY id LIMIT 1)
RETURNING id, query_id, parent_id, kind, spec, state, error, tries`

func (t *tx) nextChunk(ctx context.Context, queryID int64, kinds []string) (c Chunk, ok bool, err error) {
	in, args := "", []any{queryID}
	if len(kinds) > 0 {
		in = "AND kind IN (?" + strings.Repeat(",?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, k)
		}
	}
	err = t.query(ctx, fmt.Sprintf(takeChunk, in), args, func(r row) error {
		c, ok = chunkOf(r), true
		return nil
	})
	if err == nil && ok {
		c.Obsids, err = obsidsOf(ctx, t.conn, c.ID)
	}
	return c, ok, err
}

func chunkOf(r row) Chunk {
	return Chunk{
		ID: r.int(0), QueryID: r.int(1), ParentID: r.int(2), NewChunk: NewChunk{Kind: r.str(3), Spec: r.blob(4)},
		State: ChunkState(r.str(5)), Error: r.str(6), Tries: r.int(7),
	}
}

func obsidsOf(ctx context.Context, c *conn, chunkID int64) (out []int64, err error) {
	// The partial index query_observation_chunk serves this.
	err = c.query(ctx, `SELECT obsid FROM query_observation WHERE chunk_id > 0 AND chunk_id = ? ORDER BY obsid`, []any{chunkID}, func(r row) error {
		out = append(out, r.int(0))
		return nil
	})
	return out, err
}

// Chunks returns the chunks of a query that are in one of states, or all of them without states, by id.
func (r *Reader) Chunks(ctx context.Context, queryID int64, states ...ChunkState) (out []Chunk, err error) {
	in, args := "", []any{queryID}
	if len(states) > 0 {
		in = "AND state IN (?" + strings.Repeat(",?", len(states)-1) + ")"
		for _, s := range states {
			args = append(args, string(s))
		}
	}
	list := `SELECT id, query_id, parent_id, kind, spec, state, error, tries FROM chunk WHERE query_id = ? ` + in + ` ORDER BY id`
	err = r.run(ctx, func(c *conn) error {
		err := c.query(ctx, list, args, func(r row) error {
			out = append(out, chunkOf(r))
			return nil
		})
		for i := range out {
			if err == nil {
				out[i].Obsids, err = obsidsOf(ctx, c, out[i].ID)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing chunks of query %d: %w", queryID, err)
	}
	return out, nil
}

const listObservations = `
SELECT o.obsid, o.obs_id, o.program, o.instrument, o.level, o.rights, o.release_at
FROM query_observation p INDEXED BY query_observation_free JOIN observation o ON o.obsid = p.obsid
WHERE p.query_id = ? AND p.obsid > ? AND p.chunk_id IS NULL ORDER BY p.obsid LIMIT ?`

// Observations yields the observations of a query that no chunk asks for yet, by obsid. They are read page by page, so the
// caller may add chunks for those it has taken. An error ends the sequence.
func (q *Queue) Observations(ctx context.Context, queryID int64) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		last := int64(0)
		for size := 64; ; size = min(2*size, pageSize) { // a planner mostly takes a few
			page := make([]Observation, 0, size)
			err := q.run(ctx, func(c *conn) error {
				return c.query(ctx, listObservations, []any{queryID, last, size}, func(r row) error {
					page = append(page, Observation{
						Obsid: r.int(0), ObsID: r.str(1), Program: r.str(2), Instrument: r.str(3), Level: int(r.int(4)),
						Rights: r.str(5), ReleaseAt: r.time(6),
					})
					return nil
				})
			})
			if err != nil {
				yield(Observation{}, fmt.Errorf("listing observations of query %d: %w", queryID, err))
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
			}
			if len(page) < size {
				return
			}
			last = page[len(page)-1].Obsid
		}
	}
}
