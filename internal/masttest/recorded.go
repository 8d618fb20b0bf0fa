package masttest

import (
	"bytes"
	"compress/gzip"
	_ "embed" // recorded tables
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed testdata/keyword-rows.csv.gz
var keywordRows []byte

//go:embed testdata/programme-2733-observations.csv
var programmeObservations []byte

//go:embed testdata/programme-2733-products.csv
var programmeProducts []byte

// RecordedConfig selects from the recorded keyword rows: 16,653 versions of 14,653 real FITS files of 189 programmes.
type RecordedConfig struct {
	// Scale divides the recorded sizes, rounding up to whole FITS blocks of 2,880 bytes; 0 means 1000. Two versions of a
	// name have equal sizes exactly where the record says so. 1 keeps the true sizes (1.35 TB in all).
	Scale int64
	// Programs keeps only these, without zero padding; nil keeps all.
	Programs []string
	// Old serves the first version of each file until Reprocess; the newest otherwise.
	Old bool
}

// Recorded makes the catalogue of recorded keyword rows, grouped into observations.
func Recorded(cfg RecordedConfig) (Catalog, error) {
	if cfg.Scale == 0 {
		cfg.Scale = 1000
	}
	if cfg.Scale < 1 {
		return nil, fmt.Errorf("masttest: scale %d is below 1", cfg.Scale)
	}
	z, err := gzip.NewReader(bytes.NewReader(keywordRows))
	if err != nil {
		return nil, fmt.Errorf("masttest: reading recorded rows: %w", err)
	}
	t := newTable()
	keep := setOf(cfg.Programs)
	err = eachRow(z, func(row record) error {
		if keep != nil && !keep[row("program")] {
			return nil
		}
		f, err := recordedFile(row)
		if err != nil {
			return err
		}
		t.addFile(f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("masttest: reading recorded rows: %w", err)
	}
	t.order()
	t.scale(cfg.Scale)
	if cfg.Old {
		for u := range t.first {
			t.first[u] = 1
		}
	}
	t.group(80_000_000)
	return t, nil
}

func setOf(list []string) map[string]bool {
	if list == nil {
		return nil
	}
	m := map[string]bool{}
	for _, p := range list {
		m[strings.TrimLeft(p, "0")] = true
	}
	return m
}

// record is one row of a table: its cells by column name.
type record func(column string) string

// eachRow reads a CSV table with a head line. A row is valid until f returns.
func eachRow(r io.Reader, f func(row record) error) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	names, err := in.Read()
	if err != nil {
		return err
	}
	head := make(map[string]int, len(names))
	for i, k := range names {
		head[k] = i
	}
	for {
		rec, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		cell := func(column string) string {
			if i, ok := head[column]; ok {
				return rec[i]
			}
			return ""
		}
		if err := f(cell); err != nil {
			return err
		}
	}
}

func recordedFile(row record) (File, error) {
	var bad error
	num := func(k string) int64 {
		n, err := strconv.ParseInt(row(k), 10, 64)
		bad = errors.Join(bad, err)
		return n
	}
	mjd := func(k string) time.Time {
		d, err := strconv.ParseFloat(row(k), 64)
		bad = errors.Join(bad, err)
		return fromMJD(d)
	}
	size := num("fileSize")
	f := File{URI: row("uri"), Name: row("filename"), Size: size, Instrument: row("instrume"), Detector: row("detector"),
		Product: row("productLevel"), ExpType: row("exp_type"), Program: row("program"), FileSet: row("fileSetName"),
		ReleaseAt: mjd("publicReleaseDate_mjd"), IngestedAt: mjd("ingestCompletionDate_mjd"), ObservedAt: mjd("date_obs_mjd"),
		CalVer: row("cal_ver"), CRDSCtx: row("crds_ctx"), SDPVer: row("sdp_ver"), Stale: row("isStale") == "True",
		ArchiveID: num("ArchiveFileID"), FileSetID: num("FileSetId"), FileTypeID: num("FileTypeID"),
		recorded: row("checksum"), size: size}
	if bad != nil {
		return File{}, fmt.Errorf("row of %q: %w", f.Name, bad)
	}
	return describe(f), nil
}

// order puts the versions of each file in the order the archive made them.
func (t *table) order() {
	for _, vs := range t.versions {
		if len(vs) > 1 && vs[0].ArchiveID > vs[1].ArchiveID {
			vs[0], vs[1] = vs[1], vs[0]
			vs[0].Version, vs[1].Version = 1, 2
		}
	}
}

// scale divides all sizes and keeps unequal versions unequal and in their order.
func (t *table) scale(by int64) {
	if by == 1 {
		return
	}
	for _, vs := range t.versions {
		for i := range vs {
			vs[i].Size = scaled(vs[i].size, by)
		}
		if len(vs) == 2 && vs[0].Size == vs[1].Size && vs[0].size != vs[1].size {
			larger := 0
			if vs[1].size > vs[0].size {
				larger = 1
			}
			vs[larger].Size += fitsBlock
		}
	}
}

// scaled divides a size and rounds up to whole FITS blocks.
func scaled(size, by int64) int64 {
	n := (size + by - 1) / by
	return (n + fitsBlock - 1) / fitsBlock * fitsBlock
}

// Programme2733 makes the catalogue of one real, public programme: its 12 observations as a query by proposal_id gives
// them, and the 80 level 2 science files of jw02733-o002_t001_miri_f1130w at their true sizes, 2.44 GB.
func Programme2733() (Catalog, error) {
	t := newTable()
	if err := eachRow(bytes.NewReader(programmeProducts), t.programmeFile); err != nil {
		return nil, fmt.Errorf("masttest: reading programme 2733: %w", err)
	}
	next := int64(87_602_300)
	err := eachRow(bytes.NewReader(programmeObservations), func(row record) error {
		o, err := programmeObservation(row, next)
		if err != nil {
			return err
		}
		next += 3
		if o.ObsID == "jw02733-o002_t001_miri_f1130w" {
			for id := range t.hidden {
				t.also[o.Obsid] = append(t.also[o.Obsid], id)
			}
			slices.Sort(t.also[o.Obsid])
		}
		t.obs = append(t.obs, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("masttest: reading programme 2733: %w", err)
	}
	return t, nil
}

func (t *table) programmeFile(row record) error {
	obsid, err1 := strconv.ParseInt(row("obsID"), 10, 64)
	size, err2 := strconv.ParseInt(row("size"), 10, 64)
	level, err3 := strconv.Atoi(row("calib_level"))
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	f := describe(File{Name: row("productFilename"), Size: size, Level: level, Program: "2733", Filters: "F1130W",
		CalVer: "1.8.2", CRDSCtx: "jwst_1017.pmap", SDPVer: "2022_4a", ExpType: "MIR_IMAGE",
		ObservedAt: time.Date(2022, 6, 12, 13, 0, 0, 0, time.UTC), ReleaseAt: time.Date(2022, 7, 13, 0, 0, 0, 0, time.UTC)})
	t.addFile(f)
	t.own[obsid] = append(t.own[obsid], f.URI)
	t.hidden[obsid] = struct{}{}
	return nil
}

func programmeObservation(row record, obsid int64) (Observation, error) {
	level, err := strconv.Atoi(row("calib_level"))
	if err != nil {
		return Observation{}, err
	}
	blank := func(s string) string {
		if s == "--" {
			return ""
		}
		return s
	}
	o := Observation{Obsid: obsid, ObjID: obsid + 70_000_000, ObsID: row("obs_id"), Level: level,
		DataType: row("dataproduct_type"), Filters: blank(row("filters")), Target: row("target_name"), RA: 151.757, Dec: -40.4364,
		TMin: 59742.5, TMax: 59742.6, ExpTime: 2708.4, ReleaseAt: time.Date(2022, 7, 13, 0, 0, 0, 0, time.UTC), Program: "2733",
		PI: blank(row("proposal_pi")), Title: "JWST Early Release Observations", Collection: row("obs_collection")}
	switch {
	case strings.Contains(o.ObsID, "_miri"):
		o.Instrument = "MIRI/IMAGE"
	case strings.Contains(o.ObsID, "_nircam"):
		o.Instrument = "NIRCAM/IMAGE"
	}
	return o, nil
}
