package masttest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// table is a catalogue held in memory.
type table struct {
	uris     []string          // in order
	versions map[string][]File // of each URI, version 1 first
	first    map[string]int    // version served first
	obs      []Observation
	own      map[int64][]string // files of an observation
	also     map[int64][]int64  // other observations whose files it lists, itself not among them
	hidden   map[int64]struct{} // observations that own files but are not listed
}

// Custom makes a catalogue of the files given. Only Name (or URI) is needed; everything else that is zero follows from
// the name, and a Size of -1 or 0 becomes 28,800 bytes (use ZeroSize for an empty file). Files with one obs_id make an
// observation; level 3 observations also list the files of the exposures of their programme and observation number. A
// name given twice is a file with two versions. Custom fails on an empty name.
func Custom(files ...File) (Catalog, error) {
	t := newTable()
	for _, f := range files {
		if f.Name == "" {
			f.Name = path.Base(f.URI)
		}
		if f.Name == "" || f.Name == "." {
			return nil, fmt.Errorf("masttest: a file has no name")
		}
		switch f.Size {
		case ZeroSize:
			f.Size = 0
		case 0, -1:
			f.Size = 10 * fitsBlock
		}
		t.addFile(describe(f))
	}
	t.group(80_000_000)
	return t, nil
}

// ZeroSize as the Size of a file for Custom means no bytes at all.
const ZeroSize = -2

func newTable() *table {
	return &table{versions: map[string][]File{}, first: map[string]int{}, own: map[int64][]string{},
		also: map[int64][]int64{}, hidden: map[int64]struct{}{}}
}

// addFile adds a file, or the next version of one.
func (t *table) addFile(f File) {
	vs := t.versions[f.URI]
	if len(vs) == 0 {
		t.uris = append(t.uris, f.URI)
	}
	f.Version = len(vs) + 1
	t.versions[f.URI] = append(vs, f)
	t.first[f.URI] = f.Version // the newest is served
}

// group makes observations of the files' obs_ids, in order, and gives them keys from base on.
func (t *table) group(base int64) {
	byObs := map[string][]string{}
	for _, u := range t.uris {
		id := t.versions[u][0].ObsID
		byObs[id] = append(byObs[id], u)
	}
	ids := make([]string, 0, len(byObs))
	for id := range byObs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	exposures := map[string][]int64{} // programme and observation number
	for i, id := range ids {
		obsid := base + int64(i)*3
		t.own[obsid] = byObs[id]
		t.obs = append(t.obs, t.observationOf(obsid, id, byObs[id]))
		if key := obsNumber(id); key != "" && !strings.Contains(id, "-o") {
			exposures[key] = append(exposures[key], obsid)
		}
	}
	for _, o := range t.obs {
		if o.Level == 3 {
			t.also[o.Obsid] = exposures[obsNumber(o.ObsID)]
		}
	}
}

// observationOf describes an observation by its files.
func (t *table) observationOf(obsid int64, id string, uris []string) Observation {
	f := t.versions[uris[0]][0]
	level := 0
	for _, u := range uris {
		level = max(level, t.versions[u][0].Level)
	}
	pos := hash64(f.Program + obsNumber(id))
	tmin := 0.0
	if !f.ObservedAt.IsZero() {
		tmin = toMJD(f.ObservedAt)
	}
	exp := 50 + float64(hash64(id)%100_000)/10
	o := Observation{Obsid: obsid, ObjID: obsid + 400_000_000, ObsID: id, Level: level, DataType: dataType(f.ExpType),
		Instrument: instrumentMode(f), Filters: f.Filters, Target: "TARGET-" + f.Program, RA: float64(pos%360_000) / 1000,
		Dec: float64(pos>>32%160_000)/1000 - 80, TMin: tmin, ExpTime: exp, ReleaseAt: f.ReleaseAt, Program: f.Program,
		PI: "Investigator, Principal", Title: "Simulated programme " + f.Program}
	if tmin != 0 {
		o.TMax = tmin + exp/86400
	}
	return o
}

func (t *table) Observations() iter.Seq[Observation] { return slices.Values(t.obs) }

func (t *table) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		for _, u := range t.uris {
			if !yield(t.versions[u][t.first[u]-1]) {
				return
			}
		}
	}
}

func (t *table) Rows(obsid int64) int {
	n := len(t.own[obsid])
	for _, o := range t.also[obsid] {
		n += len(t.own[o])
	}
	return n
}

func (t *table) Products(obsid int64) iter.Seq[Product] {
	return func(yield func(Product) bool) {
		for _, o := range append([]int64{obsid}, t.also[obsid]...) {
			for _, u := range t.own[o] {
				p := Product{File: t.versions[u][t.first[u]-1], Obsid: o, Parent: obsid}
				if !yield(p) {
					return
				}
			}
		}
	}
}

func (t *table) File(uri string, version int) (File, bool) {
	vs := t.versions[uri]
	if len(vs) == 0 {
		return File{}, false
	}
	if version == 0 {
		version = t.first[uri]
	}
	if version <= len(vs) {
		return vs[max(version, 1)-1], true
	}
	return evolve(vs[len(vs)-1], version), true
}

// evolve makes up a later version of a file: the same size, processed again with the next pipeline.
func evolve(f File, version int) File {
	n := version - f.Version
	if n <= 0 {
		return f
	}
	f.Version = version
	f.recorded = ""
	f.ArchiveID += int64(n) * 10_000_000
	if !f.IngestedAt.IsZero() {
		f.IngestedAt = f.IngestedAt.AddDate(0, 0, 30*n)
	}
	if f.CalVer != "" {
		f.CalVer = fmt.Sprintf("1.%d.0", 20+n)
		f.CRDSCtx = fmt.Sprintf("jwst_%d.pmap", 1500+n)
		f.SDPVer = fmt.Sprintf("2026_%da", n)
	}
	return f
}

var (
	exposureName = regexp.MustCompile(`^(jw\d{11}_\d{5}_\d{5}(?:-seg\d+)?_[a-z0-9]+)(?:_[oca]\d+)?_`)
	exposureSet  = regexp.MustCompile(`^(jw\d{11}_\d{5}_\d{5})`)
	levelThree   = regexp.MustCompile(`^(jw\d{5}-[oca]\d+_[ts]\d+[^_]*_[a-z]+)`)
	numbered     = regexp.MustCompile(`^jw(\d{5})(?:-o(\d{3})|(\d{3}))`)
)

// obsIDOf is the obs_id of the observation a file name belongs to.
func obsIDOf(name string) string {
	if m := exposureName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	stem = strings.TrimSuffix(stem, "_thumb")
	if i := strings.LastIndexByte(stem, '_'); i > 0 {
		return stem[:i]
	}
	return stem
}

func fileSetOf(name string) string {
	if m := exposureSet.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if m := levelThree.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return obsIDOf(name)
}

// obsNumber is programme and observation number of a name, "" if it has none.
func obsNumber(id string) string {
	m := numbered.FindStringSubmatch(id)
	if m == nil {
		return ""
	}
	return m[1] + cmp.Or(m[2], m[3])
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash's Write never fails
	return mix(h.Sum64())
}

const mjdEpoch = 40587 // MJD of 1970-01-01

func toMJD(t time.Time) float64 { return float64(t.UnixMilli())/86_400_000 + mjdEpoch }

func fromMJD(d float64) time.Time {
	return time.UnixMilli(int64((d-mjdEpoch)*86_400_000 + 0.5)).UTC()
}
