package masttest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Control returns a handler by which another process steers the server, for end-to-end scripts; paths end in
//
//	POST faults      a fault script: added to those in force      POST clear          removes all faults
//	POST reprocess   ?glob=…                                      POST storm          ?on=true|false
//	POST expire      every token                                  POST renew          every token
//	GET  requests    the record, a JSON object a line             POST forget         empties the record
//	GET  files       the truth: uri, size, version, sha256 a line (?glob=…)
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	post := func(name string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			out, err := f(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out) // the caller may be gone
		})
	}
	post("faults", func(r *http.Request) (any, error) {
		fs, err := ParseFaults(r.Body)
		if err == nil {
			s.SetFault(fs...)
		}
		return len(fs), err
	})
	post("clear", func(*http.Request) (any, error) { s.ClearFaults(); return "ok", nil })
	post("forget", func(*http.Request) (any, error) { s.ForgetRequests(); return "ok", nil })
	post("expire", func(*http.Request) (any, error) { s.ExpireToken(""); return "ok", nil })
	post("renew", func(*http.Request) (any, error) { s.RenewToken(""); return "ok", nil })
	post("storm", func(r *http.Request) (any, error) {
		s.SetStorm(strings.EqualFold(r.FormValue("on"), "true"))
		return "ok", nil
	})
	post("reprocess", func(r *http.Request) (any, error) { return s.Reprocess(r.FormValue("glob")), nil })
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		enc := json.NewEncoder(w)
		for _, q := range s.Requests() {
			if enc.Encode(q) != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /files", s.controlFiles)
	return mux
}

func (s *Server) controlFiles(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	glob := r.FormValue("glob")
	for f := range s.Files(func(f File) bool { return globURI(glob, f.URI) }) {
		line := struct {
			URI     string `json:"uri"`
			Size    int64  `json:"size"`
			Version int    `json:"version"`
			SHA256  string `json:"sha256"`
		}{f.URI, f.Size, f.Version, s.SHA256(f.URI)}
		if enc.Encode(line) != nil {
			return
		}
	}
}
