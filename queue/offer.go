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
	o := offer{ctx: ctx, cfg: cfg.withDefaults(), until: map[parkKey]*ParkedUntil{}, paths: map[int64]string{}}
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
	paths map[int64]string // of dir rows
	scan  scanner          // of holders
	batch []any            // arguments of offerFiles, for files that are not written yet
}

type parkKey struct {
	day    time.Time
	reason Reason
}

// placing is a file with what becomes of it.
type placing struct {
	File
	folder   string
	hash     int64 // of its path
	pathless bool  // it gets no path
	Decision
}

func (o *offer) all(queryID int64) error {
	last := int64(0)
	for {
		if err := o.ctx.Err(); err != nil {
			return err
		}
		page, err := o.planned(last, queryID)
		if err == nil {
			err = o.page(page)
		}
		if err != nil {
			return err
		}
		if len(page) < pageSize {
			return nil
		}
		last = page[len(page)-1].ID
	}
}

// A scan along the primary key: planned rows lie together, and an index of them would cost more at planning. What many files
// share is looked up in memory; a planned file has nothing but these columns.
const listPlanned = `
SELECT id, stem_id, name, kind_id, obs_dir_id, size_bytes, exact, checksum, release_at, ingested_at, query_id,
  want_sha256
FROM file WHERE id > ?1 AND state = 'planned' AND (?2 = 0 OR query_id = ?2) ORDER BY id LIMIT ?3`

// planned reads the planned files behind a row.
func (o *offer) planned(last, queryID int64) ([]placing, error) {
	page := make([]placing, 0, pageSize)
	shared := make([][3]int64, 0, pageSize) // stem, kind, folder
	err := o.query(o.ctx, listPlanned, []any{last, queryID, pageSize}, func(r row) error {
		shared = append(shared, [3]int64{r.int(1), r.int(3), r.int(4)})
		page = append(page, placing{File: File{
			ID: r.int(0), URI: r.str(2), State: Planned, Size: r.intOr(5, -1), Exact: r.int(6) == 1, Checksum: r.blob(7),
			Facts: Facts{ReleaseAt: r.time(8), IngestedAt: r.time(9)}, QueryID: r.int(10), Want: r.blob(11),
		}})
		return nil
	})
	for i := range page {
		if err == nil {
			err = o.share(&page[i].File, shared[i][0], shared[i][1], shared[i][2])
		}
	}
	return page, err
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

// page decides on files and writes what was decided: many with one statement, those alone whose path may be taken.
func (o *offer) page(page []placing) error {
	for i := range page {
		o.place(&page[i])
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
		case p.pathless || taken[p.hash]:
			err = errors.Join(o.flush(), o.settle(p)) // the holder may be in the batch
		default:
			taken[p.hash] = true
			err = o.add(p)
		}
		if err != nil {
			return fmt.Errorf("offering %q: %w", page[i].URI, err)
		}
	}
	return o.flush()
}

// place chooses the path and asks what becomes of the file.
func (o *offer) place(p *placing) {
	p.folder = strings.Trim(o.cfg.Layout(p.File), "/")
	_, name := splitURI(p.URI)
	p.Path = path.Join(p.folder, name)
	p.Decision = o.decide(p.File, p.folder, name)
	if p.pathless = !validPath(p.Path) || p.Decision.Reason == ReasonRefusedName; !p.pathless {
		p.hash = hash64(strings.ToLower(p.Path))
	}
}

// settle writes one file, unless another holds its path: then the caller decides again.
func (o *offer) settle(p *placing) error {
	if !p.pathless {
		holder, found, err := o.holder(p.File, p.hash)
		if err != nil {
			return err
		}
		if found {
			if over := o.cfg.Collide(p.File, holder); over.State != "" && over.State != Pending {
				p.Decision, p.pathless = over, true
			}
		}
	}
	args, err := o.args(p)
	if err != nil {
		return err
	}
	_, _, err = o.exec(o.ctx, offerFile, args...)
	return err
}

// add writes one file, or remembers it for the next statement of many.
func (o *offer) add(p *placing) error {
	args, err := o.args(p)
	if err != nil {
		return err
	}
	if o.batch = append(o.batch, args...); len(o.batch) < offerBatch*len(args) {
		return nil
	}
	err = o.many(o.ctx, offerFiles(), o.batch)
	o.batch = o.batch[:0]
	return err
}

// flush writes what is remembered.
func (o *offer) flush() error {
	for rest := o.batch; len(rest) > 0; rest = rest[offerArgs:] {
		if _, _, err := o.exec(o.ctx, offerFile, rest[:offerArgs]...); err != nil {
			return err
		}
	}
	o.batch = o.batch[:0]
	return nil
}

// args checks and counts a decision, and gives the arguments of offerFile.
func (o *offer) args(p *placing) ([]any, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	var dirID, hash any
	if !p.pathless {
		id, err := o.dir(o.ctx, p.folder)
		if err != nil {
			return nil, err
		}
		dirID, hash = id, p.hash
	}
	o.count(p.File, p.Decision)
	d := p.Decision
	return []any{p.ID, string(d.State), orNull(string(d.Reason)), orNull(sanitise(d.Detail)), millis(d.DueAt), dirID, hash}, nil
}

// offerBatch files are offered by one statement: that takes half the time of one statement each.
const (
	offerBatch = 64
	offerArgs  = 7
)

const offerFile = `
UPDATE file SET state=?2, reason=?3, detail=?4, due_at=?5, dir_id=?6, path_hash=?7 WHERE id=?1 AND state='planned'`

func offerFiles() string {
	return `
UPDATE file SET state=v.column2, reason=v.column3, detail=v.column4, due_at=v.column5, dir_id=v.column6, path_hash=v.column7
FROM (VALUES (?,?,?,?,?,?,?)` + strings.Repeat(",(?,?,?,?,?,?,?)", offerBatch-1) + `) AS v
WHERE file.id = v.column1 AND file.state='planned'`
}

// taken tells which paths of a page some file has, by their hashes alone.
func (o *offer) taken(page []placing) (map[int64]bool, error) {
	taken := make(map[int64]bool, len(page))
	for part := range slices.Chunk(page, offerBatch) {
		args := make([]any, offerBatch)
		for i := range args {
			args[i] = part[min(i, len(part)-1)].hash
		}
		err := o.query(o.ctx, listTaken(), args, func(r row) error {
			taken[r.int(0)] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return taken, nil
}

func listTaken() string {
	return `SELECT path_hash FROM file WHERE path_hash <> 0 AND path_hash IN (CAST(? AS INTEGER)` +
		strings.Repeat(",CAST(? AS INTEGER)", offerBatch-1) + `)` // index file_path
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
