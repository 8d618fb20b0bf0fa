package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Offer turns the planned files of a query (0: of all queries) into work, in one transaction: it chooses their paths and
// asks cfg what becomes of each. Callbacks run inside the transaction. A path that is not local to the campaign, or has
// control characters, or lies in the campaign's own state directory, makes the file failed with ReasonRefusedName. When
// Offer fails nothing has changed. Cost: about ten microseconds a file.
func (q *Queue) Offer(ctx context.Context, queryID int64, cfg OfferConfig) (OfferReport, error) {
	o := offer{ctx: ctx, cfg: cfg.withDefaults(), until: map[parkKey]*ParkedUntil{}}
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
	ctx   context.Context // of the one call this value lives in
	cfg   OfferConfig
	rep   OfferReport
	until map[parkKey]*ParkedUntil
	scan  scanner
}

type parkKey struct {
	day    time.Time
	reason Reason
}

// A scan along the primary key: planned rows lie together, and an index of them would cost more at planning.
const listPlanned = fileColumns + `WHERE f.id > ?1 AND f.state = 'planned' AND (?2 = 0 OR f.query_id = ?2) ORDER BY f.id LIMIT ?3`

func (o *offer) all(queryID int64) error {
	last := int64(0)
	for {
		if err := o.ctx.Err(); err != nil {
			return err
		}
		var page []File
		err := o.query(o.ctx, listPlanned, []any{last, queryID, pageSize}, func(r row) error {
			f, err := o.scan.file(r)
			page = append(page, f)
			return err
		})
		if err != nil {
			return err
		}
		for _, f := range page {
			if err := o.one(f); err != nil {
				return fmt.Errorf("offering %q: %w", f.URI, err)
			}
		}
		if len(page) < pageSize {
			return nil
		}
		last = page[len(page)-1].ID
	}
}

const offerFile = `
UPDATE file SET state=?, reason=?, detail=?, due_at=?, dir_id=?, path_hash=? WHERE id=? AND state='planned'`

func (o *offer) one(f File) error {
	folder := strings.Trim(o.cfg.Layout(f), "/")
	_, name := splitURI(f.URI)
	f.Path = path.Join(folder, name)
	d := o.decide(f, folder, name)
	var dirID, hash any
	if validPath(f.Path) && d.Reason != ReasonRefusedName {
		h := hash64(strings.ToLower(f.Path))
		hash = h
		holder, found, err := o.holder(f, h)
		if err != nil {
			return err
		}
		if found {
			if over := o.cfg.Collide(f, holder); over.State != "" && over.State != Pending {
				d, hash = over, nil
			}
		}
	}
	if hash != nil {
		id, err := o.dir(o.ctx, folder)
		if err != nil {
			return err
		}
		dirID = id
	}
	if err := d.validate(); err != nil {
		return err
	}
	_, _, err := o.exec(o.ctx, offerFile, string(d.State), orNull(string(d.Reason)), orNull(sanitise(d.Detail)), millis(d.DueAt), dirID, hash, f.ID)
	o.count(f, d)
	return err
}

func (o *offer) decide(f File, folder, name string) Decision {
	if !validPath(f.Path) || f.Path != path.Join(folder, name) || path.Base(f.Path) != name {
		return Decision{State: Failed, Reason: ReasonRefusedName, Detail: "the name is not safe as a path"}
	}
	d := o.cfg.Decide(f)
	if d.State == "" {
		d.State = Pending
	}
	return d
}

func (d Decision) validate() error {
	switch d.State {
	case Pending:
		if d.Reason != "" || !d.DueAt.IsZero() {
			return errors.New("a pending file has no reason and no due time")
		}
	case Parked, Failed:
		if d.Reason == "" {
			return fmt.Errorf("a %s file needs a reason", d.State)
		}
		if d.State == Failed && !d.DueAt.IsZero() {
			return errors.New("a failed file has no due time")
		}
	default:
		return fmt.Errorf("a planned file cannot become %q", d.State)
	}
	return nil
}

// holder finds a file whose path is the same but for case, by the index file_path; the hash alone proves nothing.
const listHolders = fileColumns + `WHERE f.path_hash <> 0 AND f.path_hash = CAST(? AS INTEGER) AND f.id <> CAST(? AS INTEGER)`

func (o *offer) holder(f File, hash int64) (holder File, found bool, err error) {
	err = o.query(o.ctx, listHolders, []any{hash, f.ID}, func(r row) error {
		h, err := o.scan.file(r)
		if !found && strings.EqualFold(h.Path, f.Path) {
			holder, found = h, true
		}
		return err
	})
	return holder, found, err
}

func (o *offer) count(f File, d Decision) {
	size := max(f.Size, 0)
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

// validPath accepts what is local to the campaign, names a file, is safe to print, and is not the campaign's own state.
func validPath(p string) bool {
	if !fs.ValidPath(p) || p == "." || strings.ContainsRune(p, '\\') || strings.ContainsFunc(p, unicode.IsControl) {
		return false
	}
	first, _, _ := strings.Cut(p, "/")
	return !strings.EqualFold(first, stateDir)
}
