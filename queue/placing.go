package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
)

// placing is a file with what becomes of it.
type placing struct {
	File
	proposal
	folder   string
	hash     int64 // of its path
	proposed bool  // its path is the one that is stored as a proposal
	pathless bool  // it gets no path
	Decision
}

// proposal is where a planned file would go, as FinishChunk stored it.
type proposal struct {
	dirID, pathHash int64 // path_hash is negative; 0 without a proposal
}

// place chooses the path and asks what becomes of the file.
func (o *offer) place(p *placing) error {
	p.folder = strings.Trim(o.cfg.Layout(p.File), "/")
	_, name := splitURI(p.URI)
	p.Path = pathIn(p.folder, name)
	switch {
	case !o.folders.valid(p.folder, name):
		p.Decision = Decision{State: Failed, Reason: ReasonRefusedName, Detail: "the name is not safe as a path"}
	default:
		p.Decision = o.cfg.Decide(p.File)
	}
	if p.Decision.State == "" {
		p.Decision.State = Pending
	}
	if p.pathless = p.Decision.Reason == ReasonRefusedName; p.pathless {
		return nil
	}
	proposed, err := o.path(p.dirID)
	if p.proposed = p.pathHash < 0 && proposed == p.folder; p.proposed {
		p.hash = -p.pathHash
	} else {
		p.hash = pathHash(p.folder, name)
	}
	return err
}

// folders tells which paths are valid, quickly where one folder follows itself.
type folders struct {
	last   string
	unsafe bool
}

// valid is validPath of the path of a name in a folder; the name must be safe in the campaign's own directory, too.
func (f *folders) valid(folder, name string) bool {
	if folder != f.last {
		f.last, f.unsafe = folder, folder != "" && !validPath(folder)
	}
	return !f.unsafe && validPath(name)
}

// pathIn is the path of a name in a folder; the folder "" is the campaign's own directory.
func pathIn(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// plain tells that the file becomes pending at the path that is stored as its proposal.
func (p *placing) plain() bool {
	return p.proposed && p.Decision.State == Pending && p.Decision.Detail == ""
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

// taken tells which paths of a page some file has, by their hashes alone. It looks first whether any hash that begins alike
// is there: in a new campaign none is, and a page has a tenth as many beginnings as files.
func (o *offer) taken(page []placing) (map[int64]bool, error) {
	var begins, hashes []int64
	for i := range page {
		if b := page[i].hash &^ nearRest; len(begins) == 0 || begins[len(begins)-1] != b {
			begins = append(begins, b)
		}
	}
	used, err := o.among(listUsed(), begins)
	if err != nil || len(used) == 0 {
		return used, err
	}
	for i := range page {
		if used[page[i].hash&^nearRest] {
			hashes = append(hashes, page[i].hash)
		}
	}
	return o.among(listTaken(), hashes)
}

// among returns the numbers that a statement finds among some, of which it takes takenBatch at a time.
func (o *offer) among(sql string, numbers []int64) (map[int64]bool, error) {
	found := map[int64]bool{}
	args := make([]any, takenBatch)
	for part := range slices.Chunk(numbers, takenBatch) {
		for i := range args {
			args[i] = part[min(i, len(part)-1)]
		}
		err := o.query(o.ctx, sql, args, func(r row) error {
			found[r.int(0)] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// takenBatch hashes are looked for by one statement.
const takenBatch = 64

// Both by the index file_path.
func listTaken() string {
	return `SELECT path_hash FROM file WHERE path_hash > 0 AND path_hash IN (CAST(? AS INTEGER)` +
		strings.Repeat(",CAST(? AS INTEGER)", takenBatch-1) + `)`
}

// What is likely is no bound to search from: with 0 as the lower one, the search would walk the index from its beginning.
func listUsed() string {
	return fmt.Sprintf(`SELECT v.column1 FROM (VALUES (CAST(? AS INTEGER))%s) AS v
WHERE EXISTS (SELECT 1 FROM file WHERE likely(path_hash > 0) AND path_hash BETWEEN v.column1 AND v.column1 + %d)`,
		strings.Repeat(",(CAST(? AS INTEGER))", takenBatch-1), nearRest)
}

// holder finds a file whose path is the same but for case, by the index file_path; the hash alone proves nothing.
const listHolders = fileColumns + `WHERE f.path_hash > 0 AND f.path_hash = CAST(? AS INTEGER) AND f.id <> CAST(? AS INTEGER)`

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

// settle writes a file that has a path, unless another holds it: then the caller decides again.
func (o *offer) settle(p *placing) error {
	holder, found, err := o.holder(p.File, p.hash)
	if err != nil {
		return err
	}
	if found {
		if over := o.cfg.Collide(p.File, holder); over.State != "" && over.State != Pending {
			p.Decision, p.pathless = over, true
		}
	}
	return o.write(p)
}

// runs of files that lie together are offered by one statement: it costs half of what one for each file would.
type run struct{ first, last int64 }

// add offers a file that is plain, with those that follow it.
func (o *offer) add(p *placing) error {
	if err := p.validate(); err != nil {
		return err
	}
	o.count(p.File, p.Decision)
	if p.ID == o.run.last+1 && o.run.first > 0 {
		o.run.last = p.ID
		return nil
	}
	err := o.flush()
	o.run = run{p.ID, p.ID}
	return err
}

// A file that failed once and is planned again still says why.
const offerRun = `
UPDATE file SET state='pending', detail=NULL, path_hash=-path_hash WHERE id BETWEEN ? AND ? AND state='planned' AND path_hash < 0`

// flush writes the run.
func (o *offer) flush() error {
	r := o.run
	if o.run = (run{}); r.first == 0 {
		return nil
	}
	n, _, err := o.exec(o.ctx, offerRun, r.first, r.last)
	if err == nil && n != r.last-r.first+1 {
		err = fmt.Errorf("of the files %d to %d only %d were there to offer", r.first, r.last, n)
	}
	return err
}

const offerFile = `
UPDATE file SET state=?2, reason=?3, detail=?4, due_at=?5, dir_id=?6, path_hash=?7 WHERE id=?1 AND state='planned'`

// write offers one file.
func (o *offer) write(p *placing) error {
	if err := p.validate(); err != nil {
		return err
	}
	var dirID, hash any
	if !p.pathless {
		id, err := o.dir(o.ctx, p.folder)
		if err != nil {
			return err
		}
		dirID, hash = id, p.hash
	}
	o.count(p.File, p.Decision)
	d := p.Decision
	_, _, err := o.exec(o.ctx, offerFile, p.ID, string(d.State), orNull(string(d.Reason)), orNull(sanitise(d.Detail)), millis(d.DueAt), dirID, hash)
	return err
}
