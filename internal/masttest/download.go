package masttest

import (
	"compress/gzip"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// uri is the file a download request names: a query parameter, a product_name, a path below /Download/file/, or a
// cloud key.
func (c *call) uri() string {
	q := c.r.URL.Query()
	if u := q.Get("uri"); u != "" {
		return u
	}
	if n := q.Get("product_name"); n != "" {
		return "mast:JWST/product/" + path.Base(n)
	}
	p := c.r.URL.Path
	if strings.HasPrefix(p, "/stpubdata/") {
		return "mast:JWST/product/" + path.Base(p)
	}
	if i := strings.Index(strings.ToLower(p), "/download/file/"); i >= 0 {
		return "mast:" + p[i+len("/download/file/"):]
	}
	return ""
}

// download answers GET and HEAD for the bytes of a file.
func (c *call) download() {
	uri := c.uri()
	f, known := c.s.lookup(uri)
	if known {
		uri = f.URI
	}
	c.s.rec.change(c.ent, func(q *Request) { q.URI = uri })
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		c.w.Header().Set("Allow", "GET, HEAD")
		c.html(http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	due := c.s.faults.due(subject{method: c.r.Method, path: c.r.URL.Path, uri: uri})
	if c.wholeRequest(due) {
		return
	}
	if c.cloud() && c.cloudRefuses(f, known) {
		return
	}
	if strings.HasPrefix(uri, "mast:jwstedb/") {
		c.edb(strings.TrimPrefix(uri, "mast:jwstedb/"))
		return
	}
	if !known || c.s.cfg.MetadataOnly {
		c.html(http.StatusNotFound, "File not found")
		return
	}
	if value, _ := tokenOf(c.r); !c.cloud() && !c.signed() && !c.s.may(value, f) {
		c.unauthorized()
		return
	}
	if c.r.Method == http.MethodHead {
		c.send(f, due)
		return
	}
	if !c.s.busy.enter(c.s.cfg.MaxTransfers) {
		c.retryAfter(c.s.cfg.RetryAfter)
		c.html(http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	defer c.s.busy.leave()
	c.send(f, due)
}

// send decides what to send of a file and how.
func (c *call) send(f File, due []Fault) {
	if has(due, DoReprocess) {
		c.s.bump(f)
		f, _ = c.s.lookup(f.URI)
	}
	c.versionHeaders(f, due)
	h := c.w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", contentType(f.Name))
	h.Set("Content-Disposition", "attachment; filename="+f.Name)
	from, to, status := c.wanted(f, due)
	if status == http.StatusRequestedRangeNotSatisfiable || has(due, DoUnsatisfied) && c.r.Header.Get("Range") != "" {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", f.Size))
		c.html(http.StatusRequestedRangeNotSatisfiable, "Range Not Satisfiable")
		return
	}
	if x, ok := find(due, DoOverlap); ok && status == http.StatusPartialContent {
		back := x.After
		if back == 0 {
			back = 4096
		}
		from = max(0, from-back)
	}
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, f.Size))
	}
	c.headerFaults(f, from, to, status, due)
	b := &body{c: c, src: flipped(newContent(f), due), from: from, to: to, status: status, total: f.Size}
	if c.r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.FormatInt(to-from, 10))
		c.w.WriteHeader(status)
		return
	}
	b.send(due)
}

// versionHeaders sets ETag and Last-Modified.
func (c *call) versionHeaders(f File, due []Fault) {
	v := c.s.cfg.Validators
	if has(due, DoWeakETag) {
		v = ValidatorsWeak
	}
	if has(due, DoNoValidators) {
		v = ValidatorsNone
	}
	h := c.w.Header()
	tag := c.etag(f)
	switch v {
	case ValidatorsStrong, ValidatorsETag:
		h.Set("ETag", tag)
	case ValidatorsWeak:
		h.Set("ETag", "W/"+tag)
	}
	if v == ValidatorsStrong || v == ValidatorsWeak || v == ValidatorsLastModified {
		h.Set("Last-Modified", f.modified().Format(http.TimeFormat))
	}
}

// etag is a strong one; in the cloud it looks like that of an upload in parts.
func (c *call) etag(f File) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d %d", f.URI, f.Version, f.Size) // a hash's Write never fails
	if c.cloud() {
		return fmt.Sprintf("\"%032x-%d\"", h.Sum64(), 1+f.Size/(8<<20))
	}
	return fmt.Sprintf("\"%016x\"", h.Sum64())
}

func (f File) modified() time.Time {
	if f.IngestedAt.IsZero() {
		return time.Date(2025, 1, 1, 0, 0, f.Version, 0, time.UTC)
	}
	return f.IngestedAt.UTC().Truncate(time.Second)
}

// wanted reads Range and If-Range (RFC 9110 sections 13.1.5 and 14.2). Several ranges are answered with the whole file,
// as the RFC allows.
func (c *call) wanted(f File, due []Fault) (from, to int64, status int) {
	spec, ok := strings.CutPrefix(c.r.Header.Get("Range"), "bytes=")
	if !ok || has(due, DoIgnoreRange) || strings.Contains(spec, ",") {
		return 0, f.Size, http.StatusOK
	}
	if cond := c.r.Header.Get("If-Range"); cond != "" && !has(due, DoIgnoreIfRange) && !c.sameVersion(cond) {
		return 0, f.Size, http.StatusOK
	}
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return 0, f.Size, http.StatusOK
	}
	if first == "" { // the last n bytes
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, f.Size, http.StatusOK
		}
		if n == 0 || f.Size == 0 {
			return 0, 0, http.StatusRequestedRangeNotSatisfiable
		}
		return max(0, f.Size-n), f.Size, http.StatusPartialContent
	}
	a, err := strconv.ParseInt(first, 10, 64)
	if err != nil || a < 0 {
		return 0, f.Size, http.StatusOK
	}
	b := f.Size - 1
	if last != "" {
		if b, err = strconv.ParseInt(last, 10, 64); err != nil || b < a {
			return 0, f.Size, http.StatusOK
		}
	}
	if a >= f.Size {
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	}
	return a, min(b, f.Size-1) + 1, http.StatusPartialContent
}

// sameVersion compares an If-Range value with the reply's headers: a strong ETag, or the exact date.
func (c *call) sameVersion(cond string) bool {
	h := c.w.Header()
	if strings.HasPrefix(cond, "W/") {
		return false
	}
	if strings.HasPrefix(cond, `"`) {
		return cond == h.Get("ETag")
	}
	return cond == h.Get("Last-Modified")
}

// headerFaults lets faults lie in the headers.
func (c *call) headerFaults(f File, from, to int64, status int, due []Fault) {
	h := c.w.Header()
	for _, x := range due {
		switch x.Do {
		case DoDisposition:
			h.Set("Content-Disposition", x.Value)
		case DoHeader:
			if k, v, ok := strings.Cut(x.Value, ":"); ok {
				h.Add(k, strings.TrimSpace(v))
			}
		case DoHugeHeader:
			h.Set("X-Padding", strings.Repeat("x", int(x.After)))
		case DoContentRange:
			if status == http.StatusPartialContent {
				setContentRange(h, x.Value, from, to, f.Size)
			}
		}
	}
}

func setContentRange(h http.Header, how string, from, to, size int64) {
	switch how {
	case "none":
		h.Del("Content-Range")
	case "two":
		h["Content-Range"] = []string{h.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", 0, to-from-1, size)}
	case "star":
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", from, to-1))
	case "total":
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size+fitsBlock))
	case "backwards":
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", to-1, from, size))
	default:
		h.Set("Content-Range", how)
	}
}

func find(due []Fault, do Do) (Fault, bool) {
	i := slices.IndexFunc(due, func(f Fault) bool { return f.Do == do })
	if i < 0 {
		return Fault{}, false
	}
	return due[i], true
}

func has(due []Fault, do Do) bool {
	_, ok := find(due, do)
	return ok
}

// flip is a content with one bit wrong.
type flip struct {
	io.ReaderAt
	at int64
}

func (f flip) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if f.at >= off && f.at < off+int64(n) {
		p[f.at-off] ^= 4
	}
	return n, err
}

func flipped(src io.ReaderAt, due []Fault) io.ReaderAt {
	for _, x := range due {
		if x.Do == DoBitFlip {
			src = flip{src, x.After}
		}
	}
	return src
}

// gzipped compresses a stretch of a file.
func gzipped(w io.Writer, r io.Reader) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, r); err != nil {
		return err
	}
	return z.Close()
}
