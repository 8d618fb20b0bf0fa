package masttest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// productFields are the 20 columns of Mast.Caom.Products and the _selected_ that the archive still sends.
func productFields() (names, types []string) {
	list := "obsID string,obs_collection string,dataproduct_type string,obs_id string,description string,type string," +
		"dataURI string,productType string,productGroupDescription string,productSubGroupDescription string," +
		"productDocumentationURL string,project string,prvversion string,proposal_id string,productFilename string,size int," +
		"parent_obsid string,dataRights string,calib_level int,filters string,_selected_ boolean"
	for f := range strings.SplitSeq(list, ",") {
		n, t, _ := strings.Cut(f, " ")
		names, types = append(names, n), append(types, t)
	}
	return names, types
}

// appendProduct appends cell i of a product row, in the order of productFields.
func (s *Server) appendProduct(b []byte, p *Product, i int, lies bool) []byte {
	switch i {
	case 0:
		return appendIdent(b, p.Obsid, s.cfg.NumericIDs)
	case 1:
		return append(b, `"JWST"`...)
	case 2:
		return appendString(b, dataType(p.ExpType))
	case 3:
		return appendString(b, p.ObsID)
	case 4:
		return appendString(b, describeProduct(p))
	case 5:
		if p.Level == 3 {
			return append(b, `"D"`...)
		}
		return append(b, `"S"`...)
	case 6:
		return appendString(b, p.URI)
	case 7:
		return appendString(b, p.Type)
	case 8:
		return appendValue(b, orNil(p.Group), false)
	case 9:
		return appendValue(b, orNil(p.SubGroup), false)
	case 11:
		return append(b, `"CALJWST"`...)
	case 12:
		return appendValue(b, orNil(p.CalVer), false)
	case 13:
		return appendString(b, p.Program)
	case 14:
		return appendString(b, p.Name)
	case 15:
		return s.appendSize(b, &p.File, lies)
	case 16:
		return appendIdent(b, p.Parent, s.cfg.NumericIDs)
	case 17:
		return appendString(b, s.rights(!p.ReleaseAt.After(s.cfg.Now())))
	case 18:
		return strconv.AppendInt(b, int64(p.Level), 10)
	case 19:
		return appendValue(b, orNil(p.Filters), false)
	}
	return append(b, "null"...)
}

func describeProduct(p *Product) string {
	switch {
	case p.Type == "AUXILIARY":
		return "source/other: guide star or auxiliary file"
	case p.Type == "PREVIEW" || p.Type == "THUMBNAIL":
		return "Preview-Full"
	case p.Level == 3:
		return "exposure/target (L2b/L3): combined product"
	}
	return "exposure (L2a/L2b): calibrated exposure"
}

// appendSize appends the size that lists give, which need not be that of the bytes.
func (s *Server) appendSize(b []byte, f *File, lies bool) []byte {
	if v := s.listedSize(f, lies, DoProduct, DoSize); v != nil {
		return strconv.AppendInt(b, v.(int64), 10)
	}
	return append(b, "null"...)
}

// listedSize is an int64 or nil; the first of kinds that is set counts.
func (s *Server) listedSize(f *File, lies bool, kinds ...Do) any {
	if !lies {
		return f.Size
	}
	var ft Fault
	ok := false
	for _, do := range kinds {
		if ft, ok = s.faults.listed(f.URI, do); ok {
			break
		}
	}
	if !ok {
		return f.Size
	}
	if ft.Value == "null" || ft.Value == "" {
		return nil
	}
	n, err := strconv.ParseInt(ft.Value, 10, 64)
	if err != nil {
		return nil
	}
	if strings.HasPrefix(ft.Value, "+") || n < 0 {
		return f.Size + n
	}
	return n
}

// products answers Mast.Caom.Products.
func (c *call) products(m *mashup) {
	var ids []int64
	seen := map[int64]bool{}
	asked := 0
	for s := range strings.SplitSeq(m.str("obsid"), ",") {
		asked++
		id, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err == nil && !seen[id] { // a join: one id twice gives its rows once, and a wrong one none
			seen[id] = true
			ids = append(ids, id)
		}
	}
	c.s.rec.change(c.ent, func(q *Request) { q.Obsids = asked })
	total := 0
	for _, id := range ids {
		total += c.s.cat.Rows(id)
	}
	if c.joinFails(asked, total) || c.tooMany(total) {
		return
	}
	first := (int(m.Page) - 1) * int(m.Pagesize)
	g := grid{total: total, rows: max(0, min(int(m.Pagesize), total-first))}
	g.names, g.types = productFields()
	g.each = func(yield func(func([]byte, int) []byte) bool) { c.eachProduct(ids, first, g.rows, yield) }
	c.reply(m, g)
}

// eachProduct yields the rows [first, first+n) of a join.
func (c *call) eachProduct(ids []int64, first, n int, yield func(func([]byte, int) []byte) bool) {
	lies := c.s.faults.anyListed()
	at := 0
	for _, id := range ids {
		if rows := c.s.cat.Rows(id); at+rows <= first { // whole observations before the page cost nothing
			at += rows
			continue
		}
		for p := range c.s.cat.Products(id) {
			if at >= first+n {
				return
			}
			at++
			if at <= first {
				continue
			}
			p.File = c.s.current(p.File)
			if !yield(func(b []byte, i int) []byte { return c.s.appendProduct(b, &p, i, lies) }) {
				return
			}
		}
	}
}

// joinFails makes a large join fail as configured.
func (c *call) joinFails(obsids, rows int) bool {
	j := c.s.cfg.Joins
	if (j.Obsids == 0 || obsids <= j.Obsids) && (j.Rows == 0 || rows <= j.Rows) {
		// A join that works takes its time before the first byte.
		return sleep(c.ctx, j.PerRow*time.Duration(rows)) != nil
	}
	switch j.How {
	case JoinError:
		c.failed("Cannot continue the execution because the session is in the kill state.")
	case JoinExecuting:
		if sleep(c.ctx, c.s.cfg.Hold) == nil {
			c.executing()
		}
	case JoinHang:
		<-c.ctx.Done()
	case JoinReset:
		c.reset()
	default:
		c.html(http.StatusGatewayTimeout, "Gateway Timeout")
	}
	return true
}
