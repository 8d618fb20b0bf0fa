package manifest

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Mix is a programme and instrument whose files were not all made by one version of the pipeline and its reference files.
type Mix struct {
	Program    string         `json:"program"`
	Instrument string         `json:"instrument"`
	CalVer     []VersionCount `json:"cal_ver"`  // sorted by name; one if all agree
	CRDSCtx    []VersionCount `json:"crds_ctx"` // likewise
}

// VersionCount is a version and the number of files that have it.
type VersionCount struct {
	Name  string `json:"name"`
	Files int64  `json:"files"`
}

// Mixed returns the programmes and instruments among the entries that mix cal_ver or crds_ctx, sorted; files that do not say
// are left out of the account. Errors are those of entries.
func Mixed(entries iter.Seq2[Entry, error]) ([]Mix, error) {
	type group struct{ program, instrument string }
	type counts struct{ cal, crds map[string]int64 }
	all := map[group]counts{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if e.CalVer == "" && e.CRDSCtx == "" {
			continue
		}
		g := group{e.Program, e.Instrument}
		n, ok := all[g]
		if !ok {
			n = counts{map[string]int64{}, map[string]int64{}}
			all[g] = n
		}
		if e.CalVer != "" {
			n.cal[e.CalVer]++
		}
		if e.CRDSCtx != "" {
			n.crds[e.CRDSCtx]++
		}
	}
	var out []Mix
	for g, n := range all {
		if len(n.cal) > 1 || len(n.crds) > 1 {
			out = append(out, Mix{g.program, g.instrument, versions(n.cal), versions(n.crds)})
		}
	}
	slices.SortFunc(out, func(a, b Mix) int {
		return cmp.Or(cmp.Compare(len(a.Program), len(b.Program)), cmp.Compare(a.Program, b.Program), cmp.Compare(a.Instrument, b.Instrument))
	})
	return out, nil
}

func versions(n map[string]int64) []VersionCount {
	var out []VersionCount
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, VersionCount{name, n[name]})
	}
	return out
}
