package masttest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// vizFile finds the file a viz request names, or answers 404.
func (c *call) vizFile() (File, bool) {
	f, ok := c.s.lookup(c.r.URL.Query().Get("uri"))
	if !ok {
		c.writeJSON(http.StatusNotFound, map[string]any{"message": "no such file"})
		return f, false
	}
	c.s.rec.change(c.ent, func(q *Request) { q.URI = f.URI })
	return f, true
}

// vizKeywords answers the archive's knowledge of one FITS file as a flat object; dates are ISO text here.
func (c *call) vizKeywords() {
	f, ok := c.vizFile()
	if !ok {
		return
	}
	if f.Product == "" {
		c.writeJSON(http.StatusNotFound, map[string]any{"message": "no keywords for this file"})
		return
	}
	out := map[string]any{}
	for name, col := range c.s.keywordCells() {
		v := col.get(&f)
		if col.typ == "datetime" && v != nil {
			s, _ := text(v)
			v = strings.Replace(s, "Z", "", 1)
		}
		out[name] = v
	}
	delete(out, "fileName")
	c.writeJSON(http.StatusOK, out)
}

// vizParameters answers the observation that owns a file.
func (c *call) vizParameters() {
	f, ok := c.vizFile()
	if !ok {
		return
	}
	for o := range c.s.find(nil, []filter{{param: "proposal_id", values: []string{f.Program}}}, nil) {
		if o.ObsID != f.ObsID {
			continue
		}
		out := map[string]json.RawMessage{}
		for _, col := range c.s.observationColumns(false) {
			out[col.name] = appendValue(nil, col.get(&o), true) // numbers, in the recorded reply
		}
		c.writeJSON(http.StatusOK, out)
		return
	}
	c.writeJSON(http.StatusNotFound, map[string]any{"message": "no observation for this file"})
}

// vizProducts answers the product rows of the observation that owns a file, by obs_id; level narrows them.
func (c *call) vizProducts() {
	f, ok := c.vizFile()
	if !ok {
		return
	}
	level := c.r.URL.Query().Get("level")
	names, _ := productFields()
	out := map[string][]map[string]json.RawMessage{}
	for o := range c.s.find(nil, []filter{{param: "proposal_id", values: []string{f.Program}}}, nil) {
		if o.ObsID != f.ObsID {
			continue
		}
		for p := range c.s.cat.Products(o.Obsid) {
			p.File = c.s.current(p.File)
			row := map[string]json.RawMessage{}
			for i, n := range names {
				row[n] = c.s.appendProduct(nil, &p, i, false)
			}
			if level == "" || level == string(row["calib_level"]) {
				out[p.ObsID] = append(out[p.ObsID], row)
			}
		}
	}
	c.writeJSON(http.StatusOK, out)
}

// vizMnemonics answers the engineering mnemonics, all or one.
func (c *call) vizMnemonics() {
	name := strings.ToUpper(c.r.URL.Query().Get("name"))
	out := []mnemonic{}
	for _, m := range mnemonics() {
		if name == "" || m.Name == name {
			out = append(out, m)
		}
	}
	c.writeJSON(http.StatusOK, map[string]any{"data": out})
}
