package masttest

import (
	_ "embed" // recorded reply
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

//go:embed testdata/columnsconfig.json
var observationConfig []byte

// columnsConfig answers POST columnsconfig: the recorded reply for observations, one made of the column lists for
// products and keyword services, and an empty body for an unknown id, as the archive does.
func (c *call) columnsConfig() {
	if err := c.r.ParseForm(); err != nil {
		c.html(http.StatusBadRequest, "Bad Request")
		return
	}
	id := strings.ToLower(first(c.r.Form, "colConfigId"))
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch id {
	case "mast.caom.cone", "mast.caom.filtered", "mast.caom.filtered.position":
		_, _ = c.w.Write(observationConfig) // the client may be gone; the record says how much was sent
		return
	case "mast.caom.products":
		c.writeJSON(http.StatusOK, productConfig())
		return
	}
	if svc, ok := keywordServices()[strings.TrimPrefix(id, "mast.jwst.filtered.")]; ok && strings.HasPrefix(id, "mast.jwst.") {
		c.writeJSON(http.StatusOK, configOf(c.s.keywordColumns(svc)))
		return
	}
	c.w.WriteHeader(http.StatusOK)
}

func first(v url.Values, key string) string {
	for k, s := range v {
		if strings.EqualFold(k, key) && len(s) > 0 {
			return s[0]
		}
	}
	return ""
}

// columnConfig is what the simulator says of a column.
type columnConfig struct {
	Text string `json:"text"`
	Type string `json:"vot.datatype"`
}

func productConfig() map[string]columnConfig {
	out := map[string]columnConfig{}
	names, types := productFields()
	for i, n := range names {
		out[n] = columnConfig{n, votable(types[i])}
	}
	return out
}

func configOf[T any](cols []column[T]) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, k := range cols {
		if b, err := json.Marshal(columnConfig{k.name, votable(k.typ)}); err == nil {
			out[k.name] = b
		}
	}
	return out
}

func votable(typ string) string {
	switch typ {
	case "float":
		return "double"
	case "string", "datetime":
		return "char"
	}
	return typ
}
