package queue

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxNames bounds each memory of names; a full one is dropped, not evicted, since looking up again is cheap.
const maxNames = 1 << 16

// names remembers the ids of interned rows, for the writer alone. It is dropped whenever something is rolled back, since
// the rows it knows may be gone.
type names struct {
	dirs    map[string]int64
	kinds   map[kind]int64
	byID    map[int64]kind
	headers map[string]int64 // by headerKey

	cards []string // reused by headerKey
	key   []byte
}

func (n *names) reset() {
	n.dirs, n.kinds, n.byID, n.headers = map[string]int64{}, map[kind]int64{}, map[int64]kind{}, map[string]int64{}
}

// kind is what many files have in common.
type kind struct {
	program, instrument string
	level               int64
	productType, suffix string
	rights              string
	calVer, crdsCtx     string
	sdpVer              string
	stale               bool
}

const insertDir = `INSERT INTO dir(path) VALUES (?) ON CONFLICT DO NOTHING`
const selectDir = `SELECT id FROM dir WHERE path = ?` // unique index of path

// dir returns the id of a directory, storing it if it is new.
func (t *tx) dir(ctx context.Context, path string) (int64, error) {
	if id, ok := t.q.names.dirs[path]; ok {
		return id, nil
	}
	changed, id, err := t.exec(ctx, insertDir, path)
	if err == nil && changed == 0 {
		id, _, err = t.one(ctx, selectDir, path)
	}
	if err != nil {
		return 0, fmt.Errorf("storing directory %q: %w", path, err)
	}
	if len(t.q.names.dirs) >= maxNames {
		clear(t.q.names.dirs)
	}
	t.q.names.dirs[path] = id
	return id, nil
}

// findDir is dir without storing; ok is false for an unknown one.
func (t *tx) findDir(ctx context.Context, path string) (id int64, ok bool, err error) {
	if id, ok := t.q.names.dirs[path]; ok {
		return id, true, nil
	}
	return t.one(ctx, selectDir, path)
}

const insertKind = `
INSERT INTO kind(program, instrument, level, product_type, suffix, rights, cal_ver, crds_ctx, sdp_ver, stale)
VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`
const selectKind = `
SELECT id FROM kind WHERE program=? AND instrument=? AND level=? AND product_type=? AND suffix=? AND rights=?
AND cal_ver=? AND crds_ctx=? AND sdp_ver=? AND stale=?` // the table's unique index

func (t *tx) kind(ctx context.Context, k kind) (int64, error) {
	if id, ok := t.q.names.kinds[k]; ok {
		return id, nil
	}
	args := []any{k.program, k.instrument, k.level, k.productType, k.suffix, k.rights, k.calVer, k.crdsCtx, k.sdpVer, flag(k.stale)}
	changed, id, err := t.exec(ctx, insertKind, args...)
	if err == nil && changed == 0 {
		id, _, err = t.one(ctx, selectKind, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("storing the kind of a file: %w", err)
	}
	t.rememberKind(id, k)
	return id, nil
}

func (t *tx) rememberKind(id int64, k kind) {
	if len(t.q.names.kinds) >= maxNames {
		clear(t.q.names.kinds)
		clear(t.q.names.byID)
	}
	t.q.names.kinds[k] = id
	t.q.names.byID[id] = k
}

const selectKindByID = `
SELECT program, instrument, level, product_type, suffix, rights, cal_ver, crds_ctx, sdp_ver, stale FROM kind WHERE id = ?`

func (t *tx) kindByID(ctx context.Context, id int64) (kind, error) {
	if k, ok := t.q.names.byID[id]; ok {
		return k, nil
	}
	var k kind
	err := t.query(ctx, selectKindByID, []any{id}, func(r row) error {
		k = kind{r.str(0), r.str(1), r.int(2), r.str(3), r.str(4), r.str(5), r.str(6), r.str(7), r.str(8), r.int(9) == 1}
		return nil
	})
	if err != nil {
		return kind{}, fmt.Errorf("reading the kind of a file: %w", err)
	}
	t.rememberKind(id, k)
	return k, nil
}

// header stores FITS keywords; DATE is returned apart, since it differs from file to file. id is nil without keywords.
func (t *tx) header(ctx context.Context, h map[string]string) (id, date any, err error) {
	if v, ok := h["DATE"]; ok {
		date = packStamp(v)
	}
	memo := t.q.names.headerKey(h)
	if len(memo) == 0 {
		return nil, date, nil
	}
	if id, ok := t.q.names.headers[string(memo)]; ok {
		return id, date, nil
	}
	shared := maps.Clone(h)
	delete(shared, "DATE")
	b, err := json.Marshal(shared) // keys sorted
	if err != nil {
		return nil, nil, fmt.Errorf("encoding FITS keywords: %w", err)
	}
	changed, n, err := t.exec(ctx, `INSERT INTO header(cards) VALUES (?) ON CONFLICT DO NOTHING`, string(b))
	if err == nil && changed == 0 {
		n, _, err = t.one(ctx, `SELECT id FROM header WHERE cards = ?`, string(b))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("storing FITS keywords: %w", err)
	}
	if len(t.q.names.headers) >= maxNames {
		clear(t.q.names.headers)
	}
	t.q.names.headers[string(memo)] = n
	return n, date, nil
}

// headerKey tells headers apart by all but DATE; it is empty if there is nothing else. It is valid until the next call.
func (n *names) headerKey(h map[string]string) []byte {
	n.cards = n.cards[:0]
	for k := range h {
		if k != "DATE" {
			n.cards = append(n.cards, k)
		}
	}
	slices.Sort(n.cards)
	n.key = n.key[:0]
	for _, k := range n.cards {
		n.key = append(binary.AppendUvarint(n.key, uint64(len(k))), k...)
		n.key = append(binary.AppendUvarint(n.key, uint64(len(h[k]))), h[k]...)
	}
	return n.key
}

// facts2kind gives a new file's kind.
func facts2kind(f Facts, name string) kind {
	return kind{
		program: f.Program, instrument: f.Instrument, level: int64(f.Level), productType: f.ProductType,
		suffix: suffixOf(name), rights: f.Rights, calVer: f.CalVer, crdsCtx: f.CRDSCtx, sdpVer: f.SDPVer, stale: f.Stale,
	}
}

// merge overlays what f knows; what it does not know stays. Only keyword services know whether a file is stale.
func (k kind) merge(f Facts, keywords bool) kind {
	over := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	over(&k.program, f.Program)
	over(&k.instrument, f.Instrument)
	over(&k.productType, f.ProductType)
	over(&k.rights, f.Rights)
	over(&k.calVer, f.CalVer)
	over(&k.crdsCtx, f.CRDSCtx)
	over(&k.sdpVer, f.SDPVer)
	if f.Level != -2 {
		k.level = int64(f.Level)
	}
	if keywords {
		k.stale = f.Stale
	}
	return k
}

// splitURI cuts a URI after its last slash: what comes before is stored once for many files. A slash at the very end
// belongs to the name, so that a name is never empty (and such a one never safe).
func splitURI(uri string) (stem, name string) {
	i := strings.LastIndexByte(strings.TrimSuffix(uri, "/"), '/') + 1
	return uri[:i], uri[i:]
}

// suffixOf returns the part of a product's name after the last underscore, without extension: "rate" of
// "jw01345001001_02101_00001_nrca1_rate.fits". A name without underscore gives "".
func suffixOf(name string) string {
	if i := strings.IndexByte(name, '.'); i >= 0 {
		name = name[:i]
	}
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return ""
	}
	return name[i+1:]
}

// fnvOffset is the hash of no bytes by FNV-1a with 64 bits.
const fnvOffset uint64 = 14695981039346656037

// fnv goes on with a hash.
func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= 1099511628211
	}
	return h
}

// hash64 is FNV-1a as SQLite's signed integer.
func hash64(s string) int64 { return int64(fnv(fnvOffset, s)) }

// nearHash is a hash for an index in which what begins alike lies close together: a chunk, or a page of an offer, then changes
// a few pages of it, not one for each row. The upper 20 bits are of s up to the first underscore behind its last slash, of a
// product that is its folder and visit; the lower 43 are of all of s. It is positive.
func nearHash(s string) int64 {
	i := strings.LastIndexByte(s, '/') + 1
	i += max(strings.IndexByte(s[i:], '_'), 0)
	upper := fnv(fnvOffset, s[:i])
	return near(upper, fnv(upper, s[i:]))
}

// nearRest is the part of a nearHash that tells those apart that begin alike.
const nearRest = 1<<43 - 1

func near(upper, all uint64) int64 { return max(int64(upper>>44<<43|all&nearRest), 1) }

// pathHash finds paths that are the same but for case: it is nearHash of the path in lower case.
func pathHash(folder, name string) int64 {
	upper := fnvOffset
	if folder != "" {
		upper = fnv(fnvLower(upper, folder), "/")
	}
	i := max(strings.IndexByte(name, '_'), 0)
	upper = fnvLower(upper, name[:i])
	return near(upper, fnvLower(upper, name[i:]))
}

// fnvLower is fnv of s in lower case.
func fnvLower(h uint64, s string) uint64 {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return fnv(h, strings.ToLower(s[i:]))
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		h ^= uint64(c)
		h *= 1099511628211
	}
	return h
}

// splitPath cuts a path into its folder, "" for the campaign's own directory, and its name.
func splitPath(p string) (folder, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)], p[i+1:]
}

// sanitise makes text from outside fit for a terminal and a log: control characters become spaces, at most 1 KiB.
func sanitise(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	const limit = 1 << 10
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit-3], "") + "…"
	}
	return s
}
