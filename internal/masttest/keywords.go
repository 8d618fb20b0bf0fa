package masttest

import (
	_ "embed" // column names
	"iter"
	"slices"
	"strings"
	"time"
)

//go:embed testdata/keyword-columns.txt
var keywordColumnNames string

// keywordService is one of Mast.Jwst.Filtered.*: one row per archived FITS file.
type keywordService struct {
	instrument string   // "" for guide stars
	names      []string // columns in order
}

// keywordServices are keyed by the lower-case last part of the service name.
func keywordServices() map[string]keywordService {
	out := map[string]keywordService{}
	for line := range strings.Lines(keywordColumnNames) {
		names := strings.Fields(line)
		if len(names) == 0 {
			continue
		}
		svc := keywordService{instrument: strings.ToUpper(names[0]), names: names[1:]}
		if names[0] == "GuideStar" {
			svc.instrument = ""
		}
		for _, extra := range []string{"date", "ingestStartDate", "ingestCompletionDate", "publicReleaseDate"} {
			if !slices.Contains(svc.names, extra) {
				svc.names = append(svc.names, extra)
			}
		}
		out[strings.ToLower(names[0])] = svc
	}
	return out
}

func (k keywordService) has(f *File) bool {
	guide := strings.Contains(f.Name, "_gs-")
	if k.instrument == "" {
		return guide
	}
	return !guide && f.Instrument == k.instrument && f.Product != ""
}

// keywordCells are the columns the simulator knows; all others are null.
func (s *Server) keywordCells() map[string]column[File] {
	lies := s.faults.anyListed()
	str := func(get func(*File) string) column[File] {
		return column[File]{typ: "string", get: func(f *File) any { return orNil(get(f)) }}
	}
	whole := func(get func(*File) int64) column[File] {
		return column[File]{typ: "int", get: func(f *File) any { return get(f) }}
	}
	yes := func(get func(*File) bool) column[File] {
		return column[File]{typ: "boolean", get: func(f *File) any { return get(f) }}
	}
	name := str(func(f *File) string { return f.Name })
	m := map[string]column[File]{
		"filename": name, "fileName": name,
		"dataURI":       str(func(f *File) string { return f.URI }),
		"fileSetName":   str(func(f *File) string { return f.FileSet }),
		"productLevel":  str(func(f *File) string { return f.Product }),
		"instrume":      str(func(f *File) string { return f.Instrument }),
		"detector":      str(func(f *File) string { return f.Detector }),
		"exp_type":      str(func(f *File) string { return f.ExpType }),
		"program":       str(func(f *File) string { return f.Program }),
		"visit_id":      str(visitID),
		"category":      str(func(*File) string { return "GO" }),
		"cal_ver":       str(func(f *File) string { return f.CalVer }),
		"crds_ctx":      str(func(f *File) string { return f.CRDSCtx }),
		"sdp_ver":       str(func(f *File) string { return f.SDPVer }),
		"telescop":      str(func(*File) string { return "JWST" }),
		"datamodl":      str(func(f *File) string { return f.dataModel() }),
		"filter":        str(func(f *File) string { return f.Filters }),
		"checksum":      str(func(f *File) string { return s.checksum(*f) }),
		"fileSize":      {typ: "int", get: func(f *File) any { return s.listedSize(f, lies, DoSize) }},
		"ArchiveFileID": whole(func(f *File) int64 { return f.ArchiveID }),
		"FileSetId":     whole(func(f *File) int64 { return f.FileSetID }),
		"FileTypeID":    whole(func(f *File) int64 { return f.FileTypeID }),
		"isStale":       yes(func(f *File) bool { return f.Stale }),
		"isRestricted":  yes(func(*File) bool { return false }), // false in every recorded row, exclusive ones included
		"isItar":        yes(func(*File) bool { return false }),
	}
	for n, get := range map[string]func(*File) time.Time{
		"date":                 func(f *File) time.Time { return less(f.IngestedAt, 5*time.Minute) },
		"date_obs":             func(f *File) time.Time { return f.ObservedAt },
		"ingestStartDate":      func(f *File) time.Time { return less(f.IngestedAt, 15*time.Second) },
		"ingestCompletionDate": func(f *File) time.Time { return f.IngestedAt },
		"publicReleaseDate":    func(f *File) time.Time { return f.ReleaseAt },
	} {
		m[n] = column[File]{typ: "datetime", get: func(f *File) any {
			if t := get(f); !t.IsZero() {
				return t
			}
			return nil
		}}
		m[n+"_mjd"] = column[File]{typ: "float", get: func(f *File) any {
			if t := get(f); !t.IsZero() {
				return toMJD(t)
			}
			return nil
		}}
	}
	return m
}

func less(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-d)
}

func visitID(f *File) string {
	if len(f.Name) > 13 && !strings.Contains(f.Name[:13], "-") {
		return f.Name[2:13]
	}
	return ""
}

// keywordColumns are the columns of a service.
func (s *Server) keywordColumns(svc keywordService) []column[File] {
	cells := s.keywordCells()
	out := make([]column[File], 0, len(svc.names))
	for _, n := range svc.names {
		col, ok := cells[n]
		if !ok {
			col = column[File]{typ: "string", get: func(*File) any { return nil }}
		}
		col.name = n
		out = append(out, col)
	}
	return out
}

// keywords answers Mast.Jwst.Filtered.*.
func (c *call) keywords(m *mashup, svc keywordService) {
	filters, err := parseFilters(m.Params["filters"])
	if err != nil {
		c.failed(err.Error())
		return
	}
	cols := c.s.keywordColumns(svc)
	chosen, count, err := choose(m.str("columns"), cols)
	if err != nil {
		c.failed(err.Error())
		return
	}
	conds, err := bind(filters, cols)
	if err != nil {
		c.failed(err.Error())
		return
	}
	sums := slices.ContainsFunc(chosen, func(k column[File]) bool { return k.name == "checksum" })
	answer(c, m, c.keywordRows(svc, filters, conds, sums && !c.s.cfg.MetadataOnly), chosen, count)
}

// keywordRows yields the files a query asks for; with sums it computes their checksums beforehand, many at a time.
func (c *call) keywordRows(svc keywordService, filters []filter, conds []bound[File], sums bool) iter.Seq[File] {
	source := c.candidates(filters)
	matching := func(yield func(File) bool) {
		for f := range source {
			f = c.s.current(f)
			if svc.has(&f) && matchAll(&f, conds) && !yield(f) {
				return
			}
		}
	}
	if !sums || c.s.faults.anyListed() {
		return matching
	}
	warmed := false
	return func(yield func(File) bool) {
		if !warmed { // the first walk counts; the work is worth doing for the walk that is sent
			warmed = true
			matching(yield)
			return
		}
		batch := make([]File, 0, 256)
		flush := func() bool {
			c.s.digests.warm(batch)
			for _, f := range batch {
				if !yield(f) {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for f := range matching {
			if batch = append(batch, f); len(batch) == cap(batch) && !flush() {
				return
			}
		}
		flush()
	}
}

// candidates narrows the walk by file names or programmes the query gives.
func (c *call) candidates(filters []filter) iter.Seq[File] {
	if names := programsOf(filters, "filename"); names != nil {
		return func(yield func(File) bool) {
			for _, n := range names {
				if f, ok := c.s.cat.File("mast:JWST/product/"+n, 0); ok && !yield(f) {
					return
				}
			}
		}
	}
	if p, ok := c.s.cat.(byProgram); ok {
		if progs := programsOf(filters, "program"); progs != nil {
			return p.filesOf(progs)
		}
	}
	return c.s.cat.Files()
}
