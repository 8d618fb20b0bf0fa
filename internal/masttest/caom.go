package masttest

import (
	"fmt"
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// seen is an observation with its distance from the position asked for.
type seen struct {
	Observation
	distance float64 // arcsec; negative without a position
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func floatOrNil(f float64) any {
	if f == 0 {
		return nil
	}
	return f
}

// rights is dataRights for a release date.
func (s *Server) rights(public bool) string {
	if public {
		return "PUBLIC"
	}
	return "EXCLUSIVE_ACCESS"
}

// observationColumns are those of Mast.Caom.Cone as its columnsconfig lists them.
func (s *Server) observationColumns(positional bool) []column[seen] {
	text := func(name string, get func(*seen) string) column[seen] {
		return column[seen]{name, "string", func(o *seen) any { return orNil(get(o)) }}
	}
	num := func(name string, get func(*seen) any) column[seen] { return column[seen]{name, "float", get} }
	none := func(name, typ string) column[seen] { return column[seen]{name, typ, func(*seen) any { return nil }} }
	or := func(v, other string) string {
		if v == "" {
			return other
		}
		return v
	}
	cols := []column[seen]{
		text("intentType", func(o *seen) string { return or(o.Intent, "science") }),
		text("obs_collection", func(o *seen) string { return or(o.Collection, "JWST") }),
		text("provenance_name", func(*seen) string { return "CALJWST" }),
		text("instrument_name", func(o *seen) string { return o.Instrument }),
		text("project", func(o *seen) string { return or(o.Collection, "JWST") }),
		text("filters", func(o *seen) string { return o.Filters }),
		text("wavelength_region", func(*seen) string { return "INFRARED" }),
		text("target_name", func(o *seen) string { return o.Target }),
		text("target_classification", func(o *seen) string { return o.Class }),
		text("obs_id", func(o *seen) string { return o.ObsID }),
		num("s_ra", func(o *seen) any { return o.RA }),
		num("s_dec", func(o *seen) any { return o.Dec }),
		text("dataproduct_type", func(o *seen) string { return o.DataType }),
		text("proposal_pi", func(o *seen) string { return o.PI }),
		{"calib_level", "int", func(o *seen) any { return int64(o.Level) }},
		num("t_min", func(o *seen) any { return floatOrNil(o.TMin) }),
		num("t_max", func(o *seen) any { return floatOrNil(o.TMax) }),
		num("t_exptime", func(o *seen) any { return o.ExpTime }),
		none("em_min", "float"),
		none("em_max", "float"),
		text("obs_title", func(o *seen) string { return o.Title }),
		num("t_obs_release", func(o *seen) any {
			if o.ReleaseAt.IsZero() {
				return nil
			}
			return toMJD(o.ReleaseAt)
		}),
		text("proposal_id", func(o *seen) string { return o.Program }),
		text("proposal_type", func(*seen) string { return "GO" }),
		{"sequence_number", "int", func(*seen) any { return nil }},
		text("s_region", footprint),
		text("jpegURL", func(o *seen) string { return o.product("_i2d.jpg") }),
		text("dataURL", func(o *seen) string { return o.product("_i2d.fits") }),
		text("dataRights", func(o *seen) string { return s.rights(!o.ReleaseAt.After(s.cfg.Now())) }),
		{"mtFlag", "boolean", func(o *seen) any { return o.Moving }},
		none("srcDen", "float"),
		{"obsid", "string", func(o *seen) any { return ident(o.Obsid) }},
		{"objID", "string", func(o *seen) any { return ident(o.ObjID) }},
	}
	if positional {
		cols = append(cols, num("distance", func(o *seen) any { return o.distance }),
			column[seen]{"objID1", "string", func(o *seen) any { return ident(o.ObjID) }})
	}
	return cols
}

func (o *Observation) product(suffix string) string {
	if o.Level < 2 {
		return ""
	}
	return "mast:JWST/product/" + o.ObsID + suffix
}

const footprintDeg = 0.02 // half a side of every footprint, degrees

func footprint(o *seen) string {
	d := footprintDeg
	w := d / max(0.01, math.Cos(o.Dec*math.Pi/180))
	return fmt.Sprintf("POLYGON %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f", o.RA-w, o.Dec-d, o.RA-w, o.Dec+d,
		o.RA+w, o.Dec+d, o.RA+w, o.Dec-d, o.RA-w, o.Dec-d)
}

// cone is a position and a radius, degrees.
type cone struct{ ra, dec, radius float64 }

// distance is the angle from the cone's axis in degrees (haversine formula).
func (k cone) distance(ra, dec float64) float64 {
	const rad = math.Pi / 180
	a := math.Sin((dec - k.dec) * rad / 2)
	b := math.Sin((ra - k.ra) * rad / 2)
	return 2 * math.Asin(math.Sqrt(min(1, a*a+math.Cos(k.dec*rad)*math.Cos(dec*rad)*b*b))) / rad
}

func parseCone(m *mashup, service string) (*cone, error) {
	var parts []string
	switch service {
	case "mast.caom.filtered.position":
		parts = strings.Split(m.str("position"), ",")
	case "mast.caom.cone":
		parts = []string{m.str("ra"), m.str("dec"), m.str("radius")}
	default:
		return nil, nil
	}
	if len(parts) != 3 {
		return nil, fmt.Errorf("position is not 'ra, dec, radius'")
	}
	var v [3]float64
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return nil, fmt.Errorf("position is not 'ra, dec, radius'")
		}
		v[i] = f
	}
	return &cone{v[0], v[1], v[2]}, nil
}

// caom answers the observation services.
func (c *call) caom(m *mashup, service string) {
	at, err := parseCone(m, service)
	if err != nil {
		c.failed(err.Error())
		return
	}
	filters, err := parseFilters(m.Params["filters"])
	if err != nil {
		c.failed(err.Error())
		return
	}
	cols := c.s.observationColumns(at != nil)
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
	rows := c.s.find(at, filters, conds)
	answer(c, m, rows, chosen, count)
}

// find yields the observations a query asks for.
func (s *Server) find(at *cone, filters []filter, conds []bound[seen]) iter.Seq[seen] {
	source := s.cat.Observations()
	if p, ok := s.cat.(byProgram); ok {
		if progs := programsOf(filters, "proposal_id"); progs != nil {
			source = p.observationsOf(progs)
		}
	}
	return func(yield func(seen) bool) {
		for o := range source {
			row := seen{Observation: o, distance: -1}
			if at != nil {
				d := at.distance(o.RA, o.Dec)
				if d > at.radius+footprintDeg*math.Sqrt2 { // any overlap of the footprint counts, not the centre alone
					continue
				}
				row.distance = d * 3600
			}
			if matchAll(&row, conds) && !yield(row) {
				return
			}
		}
	}
}

// byProgram is what a large catalogue offers so that a query for one programme does not walk through all.
type byProgram interface {
	observationsOf(programs []string) iter.Seq[Observation]
	filesOf(programs []string) iter.Seq[File]
}

// programsOf returns the discrete values a query gives for its programme column, nil if it gives none.
func programsOf(filters []filter, param string) []string {
	for _, f := range filters {
		if strings.EqualFold(f.param, param) && len(f.values) > 0 && !f.freeText && len(f.ranges) == 0 {
			return f.values
		}
	}
	return nil
}

// answer counts or pages through rows and replies. The rows are walked twice, so they must be repeatable.
func answer[T any](c *call, m *mashup, rows iter.Seq[T], cols []column[T], count bool) {
	n := 0
	for range rows {
		n++
	}
	if count {
		c.count(m, n)
		return
	}
	if c.tooMany(n) {
		return
	}
	first := (int(m.Page) - 1) * int(m.Pagesize)
	g := grid{total: n, rows: max(0, min(int(m.Pagesize), n-first))}
	for _, col := range cols {
		g.names = append(g.names, col.name)
		g.types = append(g.types, col.typ)
	}
	numeric := c.s.cfg.NumericIDs
	g.each = func(yield func(func([]byte, int) []byte) bool) {
		i := 0
		for row := range rows {
			if i >= first+g.rows || i >= first && !yield(func(b []byte, k int) []byte {
				return appendValue(b, cols[k].get(&row), numeric)
			}) {
				return
			}
			i++
		}
	}
	c.reply(m, g)
}

// caomAll answers the list of missions in the only shape it has.
func (c *call) caomAll() {
	n := 0
	for range c.s.cat.Observations() {
		n++
	}
	facet := map[string]any{"text": "obs_collection", "dataIndex": "obs_collection",
		"ExtendedProperties": map[string]any{"histObj": map[string]any{"hist": []any{}, "JWST": n}}}
	c.writeJSON(http.StatusOK, map[string]any{"status": "COMPLETE", "msg": "",
		"data": map[string]any{"Tables": []any{map[string]any{"Columns": []any{facet}, "Rows": []any{}}}}})
}
