package masttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// dataset is one row of the Mission Search: an exposure without detector, or a level 3 data set.
type dataset struct {
	File
	levels map[string]bool
	files  []File
}

// datasets gathers the files of a programme, or all, by file set, in catalogue order.
func (s *Server) datasets(programs []string) []*dataset {
	source := s.cat.Files()
	if p, ok := s.cat.(byProgram); ok && programs != nil {
		source = p.filesOf(programs)
	}
	byName := map[string]*dataset{}
	var out []*dataset
	for f := range source {
		f = s.current(f)
		d := byName[f.FileSet]
		if d == nil {
			d = &dataset{File: f, levels: map[string]bool{}}
			byName[f.FileSet] = d
			out = append(out, d)
		}
		if f.Product != "" {
			d.levels[f.Product] = true
		}
		d.files = append(d.files, f)
	}
	return out
}

// search is the body of POST search.
type search struct {
	Limit      int                 `json:"limit"`
	Offset     int                 `json:"offset"`
	Conditions []map[string]string `json:"conditions"`
	CountOnly  bool                `json:"count_only"`
}

// missionSearch answers POST search: conditions on the columns below, limit, offset and count_only. Positions and
// sorting are ignored.
func (c *call) missionSearch() {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	q := search{Limit: 5000}
	if err != nil || json.Unmarshal(raw, &q) != nil {
		c.writeJSON(http.StatusBadRequest, map[string]any{"message": "bad request"})
		return
	}
	var programs []string
	for _, cond := range q.Conditions {
		if p, ok := cond["program"]; ok && !strings.ContainsAny(p, "!<>*.") {
			programs = strings.Split(p, ",")
		}
	}
	rows := []map[string]any{}
	total := 0
	for _, d := range c.s.datasets(programs) {
		row := c.datasetRow(d)
		ok, err := conditions(row, q.Conditions)
		if err != nil {
			c.writeJSON(http.StatusBadRequest, map[string]any{"message": err.Error()})
			return
		}
		if !ok {
			continue
		}
		if total++; total > q.Offset && len(rows) < q.Limit && !q.CountOnly {
			rows = append(rows, row)
		}
	}
	info := []map[string]string{}
	for _, name := range missionColumnNames() {
		info = append(info, map[string]string{"name": name, "type": "VARCHAR"})
	}
	c.writeJSON(http.StatusOK, map[string]any{"messages": []string{}, "search_params": json.RawMessage(raw),
		"totalResults": total, "info": info, "results": rows})
}

func missionColumnNames() []string {
	return []string{"ArchiveFileID", "fileSetName", "productLevel", "instrume", "exp_type", "opticalElements", "date_obs",
		"program", "publicReleaseDate", "access", "cal_ver", "search_key"}
}

func (c *call) datasetRow(d *dataset) map[string]any {
	var levels []string
	for _, l := range []string{"1b", "2a", "2b", "2c", "3"} {
		if d.levels[l] {
			levels = append(levels, l)
		}
	}
	iso := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format("2006-01-02T15:04:05")
	}
	return map[string]any{"ArchiveFileID": d.ArchiveID, "fileSetName": d.FileSet, "productLevel": strings.Join(levels, ", "),
		"instrume": d.Instrument, "exp_type": d.ExpType, "opticalElements": d.Filters, "date_obs": iso(d.ObservedAt),
		"program": json.Number(d.Program), "publicReleaseDate": iso(d.ReleaseAt),
		"access": c.s.rights(!d.ReleaseAt.After(c.s.cfg.Now())), "cal_ver": d.CalVer, "search_key": fmt.Sprint(d.ArchiveID)}
}

// conditions applies "a,b" (or), "!a" (not), "*" (wildcard) and "a..b" (inclusive, as text).
func conditions(row map[string]any, conds []map[string]string) (bool, error) {
	for _, cond := range conds {
		for col, want := range cond {
			v, known := row[col]
			if !known {
				return false, fmt.Errorf("unknown column %q", col)
			}
			if !condition(fmt.Sprint(v), want) {
				return false, nil
			}
		}
	}
	return true, nil
}

func condition(have, want string) bool {
	if not, ok := strings.CutPrefix(want, "!"); ok {
		return !condition(have, not)
	}
	if lo, hi, ok := strings.Cut(want, ".."); ok {
		return have >= lo && have <= hi
	}
	for w := range strings.SplitSeq(want, ",") {
		if like(strings.ReplaceAll(strings.TrimSpace(w), "*", "%"), have) {
			return true
		}
	}
	return false
}

// missionProducts answers list_products (GET, dataset_ids separated by commas) and post_list_products. Guide-star files
// are left out.
func (c *call) missionProducts() {
	var ids []string
	if c.r.Method == http.MethodPost {
		var body struct {
			IDs []string `json:"dataset_ids"`
		}
		if json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxBody)).Decode(&body) != nil {
			c.writeJSON(http.StatusBadRequest, map[string]any{"message": "bad request"})
			return
		}
		ids = body.IDs
	} else {
		ids = strings.Split(c.r.URL.Query().Get("dataset_ids"), ",")
	}
	wanted := map[string]bool{}
	programs := []string{}
	for _, id := range ids {
		wanted[id] = true
		if m := numbered.FindStringSubmatch(id); m != nil {
			programs = append(programs, strings.TrimLeft(m[1], "0"))
		}
	}
	out := []map[string]any{}
	for _, d := range c.s.datasets(programs) {
		if !wanted[d.FileSet] {
			continue
		}
		for _, f := range d.files {
			if !strings.Contains(f.Name, "_gs-") {
				out = append(out, c.missionProduct(f))
			}
		}
	}
	c.writeJSON(http.StatusOK, map[string]any{"products": out})
}

func (c *call) missionProduct(f File) map[string]any {
	return map[string]any{"product_key": f.FileSet + "_" + f.Name, "access": c.s.rights(!f.ReleaseAt.After(c.s.cfg.Now())),
		"dataset": f.FileSet, "instrument_name": f.Instrument, "filters": f.Filters, "filename": f.Name,
		"uri": f.FileSet + "/" + f.Name, "authz_primary_identifier": f.FileSet, "authz_secondary_identifier": "CAL",
		"file_suffix": "_" + suffixOf(f.Name), "category": f.Product, "size": f.Size, "type": "science"}
}

func (c *call) missionColumns() {
	out := []map[string]any{}
	for _, n := range missionColumnNames() {
		out = append(out, map[string]any{"column_name": n, "qual_type": "string", "description": n, "field_name": n,
			"queryable": true, "default_output": true, "indexed": true, "datatype": "varchar"})
	}
	c.writeJSON(http.StatusOK, out)
}
