package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
)

// placing is a file with what becomes of it.
type placing struct {
	File
	folder   string
	hash     int64 // of its path
	pathless bool  // it gets no path
	Decision
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

// validPath accepts what is local to the campaign, names a file, is safe to print, and is not the campaign's own state.
func validPath(p string) bool {
	if !fs.ValidPath(p) || p == "." || strings.ContainsRune(p, '\\') || strings.ContainsFunc(p, unicode.IsControl) {
		return false
	}
	first, _, _ := strings.Cut(p, "/")
	return !strings.EqualFold(first, stateDir)
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
