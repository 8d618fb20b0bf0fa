package masttest

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
)

// Do names one misbehaviour.
type Do string

// The misbehaviours. Those that answer a whole request come first; those that shape a file body can be combined.
const (
	DoStatus       Do = "status"       // answer Status (or the next of Statuses; 0 and 200 pass), with RetryAfter and an HTML body
	DoMissing      Do = "missing"      // 404, for Count requests
	DoDenied       Do = "denied"       // 401 whatever the token; Skip makes it begin after n requests
	DoHTML         Do = "html"         // 200 with an HTML maintenance page
	DoRedirect     Do = "redirect"     // 302 to Value: "same", "port", "loop", or an absolute URL; the target serves the file
	DoSlowHeaders  Do = "slowheaders"  // wait Seconds before the status line
	DoHang         Do = "hang"         // never answer; ends when the client goes away
	DoResetAtStart Do = "resetatstart" // reset the connection before any answer
	DoUnsatisfied  Do = "416"          // 416 to any range request
	DoExecuting    Do = "executing"    // status EXECUTING to a query: the client is to poll; other requests pass

	DoReset         Do = "reset"         // RST after After body bytes of this reply
	DoCut           Do = "cut"           // FIN after After body bytes although Content-Length promised more
	DoChunkCut      Do = "chunkcut"      // chunked body, FIN after After bytes without the last chunk
	DoChunked       Do = "chunked"       // chunked body, complete
	DoNoLength      Do = "nolength"      // close-delimited body; cut cleanly after After bytes if After > 0
	DoTwoLengths    Do = "clte"          // Content-Length and Transfer-Encoding: chunked together
	DoStall         Do = "stall"         // send After bytes, then nothing until the client goes away
	DoDrip          Do = "drip"          // after After bytes, one byte a second (Seconds apart if given)
	DoBitFlip       Do = "bitflip"       // flip one bit of the byte at offset After of the file
	DoGzip          Do = "gzip"          // Content-Encoding: gzip
	DoIgnoreRange   Do = "norange"       // 200 and the whole file to a range request
	DoIgnoreIfRange Do = "ignoreifrange" // 206 although If-Range does not match
	DoOverlap       Do = "overlap"       // 206 that begins After bytes before the asked byte (4096 if 0), and says so
	DoContentRange  Do = "contentrange"  // Content-Range replaced by Value; "two" sends two, "none" omits it, "star" hides the total, "total" lies about it, "backwards" has last < first
	DoMultipart     Do = "multipart"     // 206 as multipart/byteranges
	DoReprocess     Do = "reprocess"     // give the file its next version before answering
	DoWeakETag      Do = "weaketag"      // W/ before the ETag
	DoNoValidators  Do = "novalidators"  // neither ETag nor Last-Modified
	DoDisposition   Do = "disposition"   // Content-Disposition: Value
	DoHeader        Do = "header"        // one more header, Value is "Name: value"
	DoHugeHeader    Do = "hugeheader"    // one more header with a value of After bytes
	DoContentLength Do = "contentlength" // Content-Length replaced by Value; "two" sends two that differ

	DoChecksum Do = "checksum" // metadata lists: first 32 hex digits of Value "sha1" or "sha256", "stale" of the older version, "none", or a literal
	DoSize     Do = "size"     // metadata lists: Value "null", "+N", "-N" or a number
	DoProduct  Do = "product"  // product lists alone, which then contradict the keyword services: the same
)

// Fault says which requests misbehave and how. Faults are looked at in the order they were set; every one that matches
// counts the request, and all that are due apply, except that the first of the whole-request kind answers.
type Fault struct {
	URI        string  `json:"uri,omitempty"`         // glob over the file's URI or its name as path.Match; "" means all files
	Path       string  `json:"path,omitempty"`        // glob over the URL path; for requests that are not about one file
	Method     string  `json:"method,omitempty"`      // "" means GET and POST; "HEAD", "*" any
	Service    string  `json:"service,omitempty"`     // Mashup service, case ignored
	Do         Do      `json:"do"`                    // what happens
	Skip       int     `json:"skip,omitempty"`        // let so many matching requests pass first
	Count      int     `json:"count,omitempty"`       // then act on so many; 0 means for ever
	OneIn      int     `json:"one_in,omitempty"`      // of these act on one in so many, picked at random but the same in every run; 0 means all
	PerURI     bool    `json:"per_uri,omitempty"`     // count Skip and Count for each file by itself
	After      int64   `json:"after,omitempty"`       // bytes, see Do
	Seconds    float64 `json:"seconds,omitempty"`     // see Do
	Status     int     `json:"status,omitempty"`      // DoStatus
	Statuses   []int   `json:"statuses,omitempty"`    // DoStatus: one for each matching request, then it passes
	RetryAfter string  `json:"retry_after,omitempty"` // DoStatus: seconds, or "date:SECONDS" for a date so far ahead
	Value      string  `json:"value,omitempty"`       // see Do
	Body       string  `json:"body,omitempty"`        // DoStatus and DoHTML: the body; "" means a small HTML page
}

var allDo = []Do{DoStatus, DoMissing, DoDenied, DoHTML, DoRedirect, DoSlowHeaders, DoHang, DoResetAtStart, DoUnsatisfied, DoExecuting,
	DoReset, DoCut, DoChunkCut, DoChunked, DoNoLength, DoTwoLengths, DoStall, DoDrip, DoBitFlip, DoGzip, DoIgnoreRange,
	DoIgnoreIfRange, DoOverlap, DoContentRange, DoMultipart, DoReprocess, DoWeakETag, DoNoValidators, DoDisposition,
	DoHeader, DoHugeHeader, DoContentLength, DoChecksum, DoSize, DoProduct}

func (f Fault) validate() error {
	if !slices.Contains(allDo, f.Do) {
		return fmt.Errorf("unknown do %q", f.Do)
	}
	for _, g := range []string{f.URI, f.Path} {
		if _, err := path.Match(g, ""); err != nil {
			return fmt.Errorf("glob %q: %w", g, err)
		}
	}
	if f.Skip < 0 || f.Count < 0 || f.OneIn < 0 || f.After < 0 || f.Seconds < 0 {
		return fmt.Errorf("skip, count, one_in, after and seconds must not be negative")
	}
	if f.Do == DoStatus && f.Status == 0 && len(f.Statuses) == 0 {
		return fmt.Errorf("status needs status or statuses")
	}
	for _, st := range append(slices.Clone(f.Statuses), f.Status) {
		if st != 0 && (st < 200 || st > 599) {
			return fmt.Errorf("status %d is not between 200 and 599", st)
		}
	}
	return nil
}

// ParseFaults reads a fault script: a JSON list of Fault objects. Unknown keys are errors.
func ParseFaults(r io.Reader) ([]Fault, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var fs []Fault
	if err := d.Decode(&fs); err != nil {
		return nil, fmt.Errorf("reading fault script: %w", err)
	}
	for i, f := range fs {
		if err := f.validate(); err != nil {
			return nil, fmt.Errorf("reading fault script: fault %d: %w", i+1, err)
		}
	}
	return fs, nil
}

// armed is a fault with its counters.
type armed struct {
	Fault
	n      int            // matching requests so far
	perURI map[string]int // the same for each URI, if PerURI
}

// faults is the set in force.
type faults struct {
	mu  sync.Mutex // guards set
	set []*armed
}

func (fs *faults) add(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.set = append(fs.set, &armed{Fault: f, perURI: map[string]int{}})
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.set = nil
}

// subject is what a fault is matched against.
type subject struct{ method, path, uri, service string }

func listing(d Do) bool { return d == DoChecksum || d == DoSize || d == DoProduct }

// due counts the request with every matching fault and returns those that act on it, in order.
func (fs *faults) due(sub subject) []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var out []Fault
	for _, a := range fs.set {
		if listing(a.Do) || !a.matches(sub) {
			continue
		}
		n := a.n
		a.n++
		if a.PerURI {
			n = a.perURI[sub.uri]
			a.perURI[sub.uri]++
		}
		n -= a.Skip
		if n < 0 || a.Count > 0 && n >= a.Count || a.OneIn > 1 && mix(hash64(string(a.Do))^uint64(n))%uint64(a.OneIn) != 0 {
			continue
		}
		f := a.Fault
		if f.Do == DoStatus && len(f.Statuses) > 0 {
			if n >= len(f.Statuses) {
				continue
			}
			f.Status = f.Statuses[n]
		}
		out = append(out, f)
	}
	return out
}

// listed returns the metadata fault for a file, if any.
func (fs *faults) listed(uri string, do Do) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.set {
		if a.Do == do && globURI(a.URI, uri) {
			return a.Fault, true
		}
	}
	return Fault{}, false
}

// anyListed tells whether some metadata fault is set, so that long lists need not ask for each row.
func (fs *faults) anyListed() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.ContainsFunc(fs.set, func(a *armed) bool { return listing(a.Do) })
}

func (a *armed) matches(sub subject) bool {
	switch a.Method {
	case "":
		if sub.method == "HEAD" {
			return false
		}
	case "*":
	default:
		if !strings.EqualFold(a.Method, sub.method) {
			return false
		}
	}
	if a.Service != "" && !strings.EqualFold(a.Service, sub.service) {
		return false
	}
	if a.Path != "" {
		if ok, _ := path.Match(a.Path, sub.path); !ok && !strings.EqualFold(a.Path, sub.path) {
			return false
		}
	}
	if a.Path == "" && a.Service == "" || a.URI != "" {
		return sub.uri != "" && globURI(a.URI, sub.uri)
	}
	return true
}

// globURI matches a glob against a URI or its last component.
func globURI(glob, uri string) bool {
	if glob == "" || glob == "*" || glob == uri {
		return true
	}
	if ok, _ := path.Match(glob, path.Base(uri)); ok {
		return true
	}
	ok, _ := path.Match(glob, uri)
	return ok
}
