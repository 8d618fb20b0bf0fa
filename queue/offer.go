package queue

import (
	"context"
	"fmt"
)

// Offer turns the planned files of a query (0: of all queries) into work, in one transaction: it chooses their paths and
// asks cfg what becomes of each. Callbacks run inside the transaction. A path that is not local to the campaign, or has
// control characters, or lies in the campaign's own state directory, makes the file failed with ReasonRefusedName. When
// Offer fails nothing has changed. Cost: about ten microseconds a file.
func (q *Queue) Offer(ctx context.Context, queryID int64, cfg OfferConfig) (OfferReport, error) {
	o := offer{ctx: ctx, cfg: cfg.withDefaults(), until: map[parkKey]*ParkedUntil{}, paths: map[int64]string{}, moved: map[tallyKey]Count{}}
	err := q.writeAlone(ctx, func(t *tx) error {
		o.tx = t
		return o.all(queryID)
	})
	if err != nil {
		return OfferReport{}, fmt.Errorf("offering files of query %d: %w", queryID, err)
	}
	o.rep.ParkedUntil = sortParked(o.until)
	return o.rep, nil
}

func (cfg OfferConfig) withDefaults() OfferConfig {
	if cfg.Layout == nil {
		cfg.Layout = func(f File) string {
			if f.ObsID == "" {
				return "JWST/_other"
			}
			return "JWST/" + f.ObsID
		}
	}
	if cfg.Decide == nil {
		cfg.Decide = func(File) Decision { return Decision{} }
	}
	if cfg.Collide == nil {
		cfg.Collide = func(f, holder File) Decision {
			return Decision{State: Failed, Reason: ReasonCollision, Detail: "its path is taken by " + holder.URI}
		}
	}
	return cfg
}

// offer is one call of Offer.
type offer struct {
	*tx
	ctx    context.Context // of the one call this value lives in
	cfg    OfferConfig
	rep    OfferReport
	until  map[parkKey]*ParkedUntil
	paths  map[int64]string // of dir rows
	scan   scanner          // of holders
	run    run              // files that are not written yet
	list   []placing        // the page
	shared [][3]int64       // stem, kind and folder of its files
	moved  map[tallyKey]Count

	folders folders
}

func (o *offer) all(queryID int64) error {
	last := int64(0)
	for {
		if err := o.ctx.Err(); err != nil {
			return err
		}
		err := o.planned(last, queryID)
		page := o.list
		if err == nil {
			err = o.page(page)
		}
		if err != nil {
			return err
		}
		if len(page) < pageSize {
			return o.tallyMoved()
		}
		last = page[len(page)-1].ID
	}
}

// A scan along the primary key: planned rows lie together, and an index of them would cost more at planning. What many files
// share is looked up in memory. What decides nothing is not read: digests and the time of ingestion.
const listPlanned = `
SELECT id, stem_id, name, kind_id, obs_dir_id, size_bytes, exact, release_at, query_id, dir_id, path_hash
FROM file WHERE id > ?1 AND state = 'planned' AND (?2 = 0 OR query_id = ?2) ORDER BY id LIMIT ?3`

// planned reads the planned files behind a row: the next page.
func (o *offer) planned(last, queryID int64) error {
	page, shared := o.list[:0], o.shared[:0]
	err := o.query(o.ctx, listPlanned, []any{last, queryID, pageSize}, func(r row) error {
		shared = append(shared, [3]int64{r.int(1), r.int(3), r.int(4)})
		page = append(page, placing{File: File{
			ID: r.int(0), URI: r.str(2), State: Planned, Size: r.intOr(5, -1), Exact: r.int(6) == 1,
			Facts: Facts{ReleaseAt: r.time(7)}, QueryID: r.int(8),
		}, proposal: proposal{r.int(9), r.int(10)}})
		return nil
	})
	for i := range page {
		if err == nil {
			err = o.share(&page[i].File, shared[i][0], shared[i][1], shared[i][2])
		}
	}
	o.list, o.shared = page, shared
	return err
}

// share adds to a file, whose URI is the name alone yet, what it has in common with others.
func (o *offer) share(f *File, stem, kindID, folder int64) error {
	dir, err := o.path(stem)
	if err != nil {
		return err
	}
	f.URI = dir + f.URI
	if f.ObsID, err = o.path(folder); err != nil {
		return err
	}
	k, err := o.kindByID(o.ctx, kindID)
	if err != nil {
		return err
	}
	f.Program, f.Instrument, f.Level, f.ProductType, f.Rights = k.program, k.instrument, int(k.level), k.productType, k.rights
	f.CalVer, f.CRDSCtx, f.SDPVer, f.Stale = k.calVer, k.crdsCtx, k.sdpVer, k.stale
	return nil
}

// path returns the path of a dir row; "" of 0, which stands for NULL.
func (o *offer) path(id int64) (string, error) {
	if p, ok := o.paths[id]; ok || id == 0 {
		return p, nil
	}
	p, err := o.text(o.ctx, selectPath, id)
	if len(o.paths) >= maxNames {
		clear(o.paths)
	}
	o.paths[id] = p
	return p, err
}

// page decides on files and writes what was decided: whole runs with one statement, those alone that are not plain.
func (o *offer) page(page []placing) error {
	for i := range page {
		if err := o.place(&page[i]); err != nil {
			return fmt.Errorf("placing %q: %w", page[i].URI, err)
		}
	}
	taken, err := o.taken(page)
	if err != nil {
		return fmt.Errorf("looking for paths that are taken: %w", err)
	}
	for i := range page {
		switch p := &page[i]; {
		case p.Decision.Rule != "":
			o.rep.Dropped++
			err = o.drop(o.ctx, p.QueryID, p.ID, Omitted{URI: p.URI, Size: p.Size, Rule: p.Decision.Rule})
		case p.Decision.State == Planned:
		case !p.pathless && taken[p.hash]:
			if err = o.flush(); err == nil { // the holder may be in the run
				err = o.settle(p)
			}
		default:
			taken[p.hash] = taken[p.hash] || !p.pathless
			if p.plain() {
				err = o.add(p)
			} else {
				err = o.write(p)
			}
		}
		if err != nil {
			return fmt.Errorf("offering %q: %w", page[i].URI, err)
		}
	}
	return o.flush()
}

// tallyKey is a line of the tally.
type tallyKey struct {
	state  State
	reason Reason
}

// tallyMoved counts the files that are no longer planned.
func (o *offer) tallyMoved() error {
	var all Count
	for k, n := range o.moved {
		if err := o.tally(o.ctx, k.state, k.reason, n); err != nil {
			return err
		}
		all.Files += n.Files
		all.Bytes += n.Bytes
	}
	if all == (Count{}) {
		return nil
	}
	return o.tally(o.ctx, Planned, "", Count{Files: -all.Files, Bytes: -all.Bytes})
}

func (o *offer) count(f File, d Decision) {
	size := max(f.Size, 0)
	key := tallyKey{d.State, d.Reason}
	n := o.moved[key]
	o.moved[key] = Count{Files: n.Files + 1, Bytes: n.Bytes + size}
	if f.Size < 0 && d.State != Failed {
		o.rep.UnknownSize++
	}
	switch d.State {
	case Pending:
		o.rep.Pending++
		o.rep.PendingBytes += size
	case Parked:
		o.rep.Parked++
		o.rep.ParkedBytes += size
		addParked(o.until, d.DueAt, d.Reason, 1, size)
	case Failed:
		o.rep.Failed++
		switch d.Reason {
		case ReasonRefusedName, ReasonRefusedPath:
			o.rep.Refused++
		case ReasonCollision:
			o.rep.Collisions++
		}
	}
}
