package masttest

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Request is what the server remembers of one request.
type Request struct {
	Time      time.Time     `json:"time"`
	Elapsed   time.Duration `json:"elapsed_ns"` // 0 while it is being answered
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	URI       string        `json:"uri,omitempty"`      // of the file, as resolved; "" for other requests
	Service   string        `json:"service,omitempty"`  // of a Mashup request
	Range     string        `json:"range,omitempty"`    // request header
	IfRange   string        `json:"if_range,omitempty"` // request header
	UserAgent string        `json:"user_agent,omitempty"`
	Host      string        `json:"host,omitempty"`
	Status    int           `json:"status"`           // 0 if the connection ended without a status line
	Sent      int64         `json:"sent"`             // body bytes written, also of a reply that was cut
	Token     bool          `json:"token"`            // a token came with it; its value is never kept
	Obsids    int           `json:"obsids,omitempty"` // of a product request
	Rows      int           `json:"rows,omitempty"`   // on this page
	Page      int           `json:"page,omitempty"`
	Fault     Do            `json:"fault,omitempty"` // the first that acted
}

// Body tells whether the request asked for bytes of a file.
func (r Request) Body() bool { return r.URI != "" && r.Method == "GET" && downloadPath(r.Path) }

// entry is a request under way; Sent is counted here.
type entry struct {
	req  Request
	sent atomic.Int64
}

type recorder struct {
	mu   sync.Mutex // guards list, the req of each entry, and writes to log
	list []*entry
	log  io.Writer
	drop bool
}

func (r *recorder) begin(req Request) *entry {
	e := &entry{req: req}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drop {
		return e
	}
	r.list = append(r.list, e)
	return e
}

func (r *recorder) change(e *entry, f func(*Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&e.req)
}

func (r *recorder) end(e *entry, elapsed time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.req.Elapsed = max(elapsed, 1)
	e.req.Sent = e.sent.Load()
	if r.log == nil {
		return
	}
	if line, err := json.Marshal(e.req); err == nil {
		_, _ = r.log.Write(append(line, '\n')) // the log is a convenience; a broken one must not break replies
	}
}

// Requests returns all requests so far in the order they came, also those still being answered.
func (s *Server) Requests() []Request {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	out := make([]Request, len(s.rec.list))
	for i, e := range s.rec.list {
		out[i] = e.req
		out[i].Sent = e.sent.Load()
	}
	return out
}

// ForgetRequests empties the record.
func (s *Server) ForgetRequests() {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	s.rec.list = nil
}

// BodyRequests returns the GET requests for bytes of files whose URI or name matches the glob.
func (s *Server) BodyRequests(uri string) []Request {
	return slices.DeleteFunc(s.Requests(), func(r Request) bool { return !r.Body() || !globURI(uri, r.URI) })
}

// Count returns how many requests had this URL path.
func (s *Server) Count(path string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

// Sent returns the body bytes written in reply to requests for files whose URI or name matches the glob.
func (s *Server) Sent(uri string) int64 {
	var n int64
	for _, r := range s.BodyRequests(uri) {
		n += r.Sent
	}
	return n
}
