package masttest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// mashup is one request to the Mashup service.
type mashup struct {
	Service  string                     `json:"service"`
	Params   map[string]json.RawMessage `json:"params"`
	Format   string                     `json:"format"`
	Page     looseInt                   `json:"page"`
	Pagesize looseInt                   `json:"pagesize"`
}

// looseInt reads a number or a string of digits.
type looseInt int

func (n *looseInt) UnmarshalJSON(b []byte) error {
	v, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return fmt.Errorf("bad number %s", b)
	}
	*n = looseInt(v)
	return nil
}

// str reads a parameter that is a string or a bare number.
func (m *mashup) str(name string) string {
	raw := bytes.TrimSpace(m.Params[name])
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if bytes.Equal(raw, []byte("null")) {
		return ""
	}
	return string(raw)
}

const maxBody = 64 << 20

// invoke answers POST and GET /api/v0/invoke.
func (c *call) invoke() {
	raw := c.r.URL.RawQuery
	if c.r.Method == http.MethodPost {
		b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
		if err != nil {
			c.html(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
			return
		}
		raw = string(b)
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		c.failed("Bad request: " + err.Error())
		return
	}
	m := mashup{Format: "extjs", Page: 1, Pagesize: 1000}
	if err := json.Unmarshal([]byte(form.Get("request")), &m); err != nil {
		c.failed("Bad request: " + err.Error())
		return
	}
	c.s.rec.change(c.ent, func(q *Request) { q.Service, q.Page = m.Service, int(m.Page) })
	if c.wholeRequest(c.s.faults.due(subject{method: c.r.Method, path: c.r.URL.Path, service: m.Service})) {
		return
	}
	if m.Page < 1 || m.Pagesize < 1 {
		c.failed("Bad page or pagesize.")
		return
	}
	if c.stillExecuting(raw) {
		return
	}
	c.serve(&m)
}

// stillExecuting answers the first polls of a request. The archive knows a request again by its bytes.
func (c *call) stillExecuting(raw string) bool {
	key := sha256.Sum256([]byte(raw))
	c.s.mu.Lock()
	n := c.s.polls[key]
	if n < c.s.cfg.Executing {
		c.s.polls[key] = n + 1
	} else {
		delete(c.s.polls, key)
	}
	c.s.mu.Unlock()
	if n >= c.s.cfg.Executing {
		return false
	}
	if sleep(c.ctx, c.s.cfg.Hold) == nil {
		c.executing()
	}
	return true
}

func (c *call) executing() {
	c.writeJSON(http.StatusOK, map[string]any{"status": "EXECUTING", "msg": "", "percent complete": 50})
}

func (c *call) failed(msg string) {
	c.writeJSON(http.StatusOK, map[string]any{"status": "ERROR", "msg": msg, "data": []any{}, "fields": []any{}})
}

// serve runs the service a request names.
func (c *call) serve(m *mashup) {
	service := strings.ToLower(m.Service)
	switch service {
	case "mast.caom.filtered", "mast.caom.filtered.position", "mast.caom.cone":
		c.caom(m, service)
	case "mast.caom.products":
		c.products(m)
	case "mast.caom.all", "mast.missions.list":
		c.caomAll()
	case "mast.name.lookup":
		c.nameLookup(m)
	case "mast.jwstedb.mnemonics":
		c.mnemonics(m)
	case "mast.jwstedb.dictionary":
		c.failed("Must be logged in as an authorized user to access this service.")
	default:
		if name, ok := strings.CutPrefix(service, "mast.jwst.filtered."); ok {
			if svc, ok := keywordServices()[name]; ok {
				c.keywords(m, svc)
				return
			}
		}
		c.failed(fmt.Sprintf("Unknown service '%s'.", m.Service))
	}
}

// count answers COUNT_BIG(*).
func (c *call) count(m *mashup, n int) {
	c.reply(m, grid{names: []string{"Column1"}, types: []string{"string"}, total: 1, rows: 1,
		each: func(yield func(func([]byte, int) []byte) bool) {
			yield(func(b []byte, _ int) []byte { return strconv.AppendInt(b, int64(n), 10) })
		}})
}

// tooMany resets the connection of a query with more rows than the archive gives.
func (c *call) tooMany(rows int) bool {
	if c.s.cfg.RowLimit < 0 || rows <= c.s.cfg.RowLimit {
		return false
	}
	c.reset()
	return true
}

// reply writes a page in the shape asked for.
func (c *call) reply(m *mashup, g grid) {
	c.s.rec.change(c.ent, func(q *Request) { q.Rows = g.rows })
	shape := c.s.cfg.Shape
	if shape == "" {
		shape = ShapeJSON
		if strings.EqualFold(m.Format, "extjs") {
			shape = ShapeExtJS
		}
	}
	c.w.Header().Set("Content-Type", "application/json")
	w := bufio.NewWriterSize(c.w, 128<<10)
	switch shape {
	case ShapeTables:
		_, _ = w.WriteString(`{"status":"COMPLETE","msg":"","Tables":[{"Fields":`)
		writeFields(w, g)
		_, _ = w.WriteString(`,"Rows":`)
		c.writeRows(w, g, false)
		_, _ = fmt.Fprintf(w, `}],"paging":%s}`, paging(m, g))
	case ShapeExtJS:
		_, _ = fmt.Fprintf(w, `{"status":"COMPLETE","msg":"","data":{"Tables":[{"ExtendedProperties":{"Paging":%s},"Columns":`, paging(m, g))
		writeColumns(w, g)
		_, _ = w.WriteString(`,"Fields":`)
		writeFields(w, g)
		_, _ = w.WriteString(`,"Rows":`)
		c.writeRows(w, g, false)
		_, _ = w.WriteString(`}]}}`)
	default:
		_, _ = w.WriteString(`{"status":"COMPLETE","msg":"","data":`)
		c.writeRows(w, g, true)
		_, _ = w.WriteString(`,"fields":`)
		writeFields(w, g)
		_, _ = fmt.Fprintf(w, `,"paging":%s}`, paging(m, g))
	}
	_ = w.Flush() // the client may be gone; the record says how much was sent
}

func paging(m *mashup, g grid) string {
	pages := max(1, (g.total+int(m.Pagesize)-1)/int(m.Pagesize))
	return fmt.Sprintf(`{"page":%d,"pageSize":%d,"pagesFiltered":%d,"rows":%d,"rowsFiltered":%d,"rowsTotal":%d}`,
		m.Page, m.Pagesize, pages, g.rows, g.total, g.total)
}

func writeFields(w *bufio.Writer, g grid) {
	_ = w.WriteByte('[') // an error shows at Flush
	for i, n := range g.names {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = fmt.Fprintf(w, `{"name":%q,"type":%q}`, n, g.types[i])
	}
	_ = w.WriteByte(']')
}

func writeColumns(w *bufio.Writer, g grid) {
	_ = w.WriteByte('[') // an error shows at Flush
	for i, n := range g.names {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = fmt.Fprintf(w, `{"text":%q,"dataIndex":%q}`, n, n)
	}
	_ = w.WriteByte(']')
}

// writeRows streams the rows of a page as objects or as lists.
func (c *call) writeRows(w *bufio.Writer, g grid, objects bool) {
	keys := make([]string, len(g.names))
	if objects {
		for i, n := range g.names {
			keys[i] = strconv.Quote(n) + ":"
		}
	}
	open, end := byte('['), byte(']')
	if objects {
		open, end = '{', '}'
	}
	_ = w.WriteByte('[') // an error shows at the next Write
	first := true
	var b []byte
	g.each(func(appendCell func([]byte, int) []byte) bool {
		b = b[:0]
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, open)
		for i := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, keys[i]...)
			b = appendCell(b, i)
		}
		b = append(b, end)
		_, err := w.Write(b)
		return err == nil
	})
	_ = w.WriteByte(']')
}
