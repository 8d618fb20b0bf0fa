package masttest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// mnemonic is one entry of the engineering database's list.
type mnemonic struct {
	Subsystem   string        `json:"subsystem"`
	Name        string        `json:"tlmMnemonic"`
	ID          int64         `json:"tlmIdentifier"`
	Description string        `json:"description"`
	SQLType     string        `json:"sqlDataType"`
	Unit        string        `json:"unit"`
	every       time.Duration // between samples
}

func mnemonics() []mnemonic {
	return []mnemonic{
		{"AC", "SA_ZADUCMDX", 180001, "simulated small angle command", "real", "rad", 256 * time.Millisecond},
		{"AC", "SA_ZATTEST2", 180002, "simulated attitude estimate", "real", "", 256 * time.Millisecond},
		{"OTE", "SO_ZFXPOSNS", 81669, "x axis position of the FSM", "float", "rad", 64 * time.Millisecond},
		{"ICDH", "ICTM_EVENT_MSG", 210001, "simulated event message", "nvarchar", "", time.Minute},
		{"ZZ", "ZZZZZZ", 0, "", "", "", 0},
	}
}

func (c *call) mnemonics(m *mashup) {
	cols := []column[mnemonic]{
		{"subsystem", "string", func(x *mnemonic) any { return x.Subsystem }},
		{"tlmMnemonic", "string", func(x *mnemonic) any { return x.Name }},
		{"tlmIdentifier", "int", func(x *mnemonic) any { return x.ID }},
		{"description", "string", func(x *mnemonic) any { return x.Description }},
		{"sqlDataType", "string", func(x *mnemonic) any { return x.SQLType }},
		{"unit", "string", func(x *mnemonic) any { return x.Unit }},
	}
	list := mnemonics()
	answer(c, m, func(yield func(mnemonic) bool) {
		for _, x := range list {
			if !yield(x) {
				return
			}
		}
	}, cols, false)
}

var seriesName = regexp.MustCompile(`^([A-Z0-9_]+)-(\d{8}T\d{6})-(\d{8}T\d{6})\.csv$`)

// edb answers a series made up on the fly: CRLF lines, one sample before and one after the interval, no Content-Length.
func (c *call) edb(name string) {
	const stamp = "20060102T150405"
	m := seriesName.FindStringSubmatch(name)
	var mn mnemonic
	for _, x := range mnemonics() {
		if m != nil && x.Name == m[1] && x.every > 0 {
			mn = x
		}
	}
	if mn.Name == "" {
		c.html(http.StatusNotFound, "File not found")
		return
	}
	from, err1 := time.Parse(stamp, m[2])
	to, err2 := time.Parse(stamp, m[3])
	if err1 != nil || err2 != nil || to.Before(from) {
		c.html(http.StatusBadRequest, "Bad Request")
		return
	}
	c.w.Header().Set("Content-Type", "text/csv")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return
	}
	var b strings.Builder
	b.WriteString("theTime,MJD,euvalue,sqldataType\r\n")
	step := mn.every.Nanoseconds()
	for n := (from.UnixNano() - 1) / step; ; n++ {
		at := time.Unix(0, n*step).UTC()
		value := fmt.Sprintf("%.10f", float64(mix(uint64(n))%2_000_000)/1e6-1)
		if mn.SQLType == "nvarchar" {
			value = `"event ""` + fmt.Sprint(n) + `"", simulated"`
		}
		fmt.Fprintf(&b, "%s,%.10f,%s,%s\r\n", at.Format("2006-01-02 15:04:05.000000"), toMJD(at), value, mn.SQLType)
		last := at.After(to)
		if b.Len() > 64<<10 || last {
			if _, err := c.w.Write([]byte(b.String())); err != nil || last {
				return
			}
			b.Reset()
		}
	}
}
