package masttest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one request being answered.
type call struct {
	s   *Server
	w   *tally
	r   *http.Request
	ent *entry
	ctx context.Context
}

// tally counts body bytes and remembers the status.
type tally struct {
	http.ResponseWriter
	rec    *recorder
	ent    *entry
	status int
}

func (t *tally) WriteHeader(status int) {
	t.note(status)
	t.ResponseWriter.WriteHeader(status)
}

// note records the status before the client can see it, so that a test that has a reply also finds its record.
func (t *tally) note(status int) {
	if t.status != 0 {
		return
	}
	t.status = status
	t.rec.change(t.ent, func(q *Request) { q.Status = status })
}

func (t *tally) Write(p []byte) (int, error) {
	t.note(http.StatusOK)
	t.ent.sent.Add(int64(len(p))) // before the client can see them, for the same reason
	n, err := t.ResponseWriter.Write(p)
	t.ent.sent.Add(int64(n - len(p)))
	return n, err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.control != nil && strings.HasPrefix(r.URL.Path, s.cfg.ControlPath) {
		s.control.ServeHTTP(w, r)
		return
	}
	start := time.Now()
	_, token := tokenOf(r)
	ent := s.rec.begin(Request{Time: start, Method: r.Method, Path: r.URL.Path, Range: r.Header.Get("Range"),
		IfRange: r.Header.Get("If-Range"), UserAgent: r.UserAgent(), Host: r.Host, Token: token})
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	c := &call{s: s, w: &tally{ResponseWriter: w, rec: &s.rec, ent: ent}, r: r, ent: ent, ctx: ctx}
	defer func() { s.rec.end(ent, time.Since(start)) }()
	if sleep(ctx, s.cfg.Latency) != nil {
		return
	}
	c.route()
}

func downloadPath(p string) bool {
	p = strings.ToLower(p)
	return strings.HasSuffix(p, "/download/file") || strings.Contains(p, "/download/file/") ||
		strings.HasSuffix(p, "/retrieve_product") || strings.HasPrefix(p, "/stpubdata/")
}

func (c *call) route() {
	p := strings.ToLower(c.r.URL.Path)
	if c.stormy() {
		return
	}
	if downloadPath(p) {
		c.download()
		return
	}
	if p == "/api/v0/invoke" || p == "/api/v0.1/invoke" {
		c.invoke() // looks at faults itself: they may name a service
		return
	}
	if c.wholeRequest(c.s.faults.due(subject{method: c.r.Method, path: c.r.URL.Path})) {
		return
	}
	handlers := map[string]func(){
		"/whoami": c.whoami,
		"/portal/mashup/mashup.asmx/columnsconfig": c.columnsConfig,
		"/api/v0.1/download/bundle.sh":             c.bundle,
		"/api/v0.1/path_lookup":                    c.pathLookup,
		"/viz/api/v0.1/keywords/search":            c.vizKeywords,
		"/viz/api/v0.1/parameters":                 c.vizParameters,
		"/viz/api/v0.1/products":                   c.vizProducts,
		"/viz/api/v0.1/info/mnemonics":             c.vizMnemonics,
		"/search/jwst/api/v0.1/search":             c.missionSearch,
		"/search/jwst/api/v0.1/list_products":      c.missionProducts,
		"/search/jwst/api/v0.1/post_list_products": c.missionProducts,
		"/search/util/api/v0.1/column_list":        c.missionColumns,
		"/api":                                     c.alive,
	}
	h := handlers[strings.TrimSuffix(p, "/")]
	if h == nil {
		c.html(http.StatusNotFound, "no such page")
		return
	}
	h()
}

// queried tells whether the request is one to the query service.
func (c *call) queried() bool { return strings.HasSuffix(strings.ToLower(c.r.URL.Path), "/invoke") }

func (c *call) alive() {
	c.w.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprint(c.w, "<html><title>MAST API</title></html>")
}

// stormy answers 503 while a storm is on.
func (c *call) stormy() bool {
	c.s.mu.Lock()
	storm := c.s.storm
	c.s.mu.Unlock()
	if !storm {
		return false
	}
	c.retryAfter(c.s.cfg.RetryAfter)
	c.html(http.StatusServiceUnavailable, "Service Unavailable")
	return true
}

// retryAfter sets the header from seconds or "date:SECONDS".
func (c *call) retryAfter(v string) {
	if v == "" {
		return
	}
	if sec, ok := strings.CutPrefix(v, "date:"); ok {
		if n, err := strconv.ParseFloat(sec, 64); err == nil {
			v = time.Now().Add(time.Duration(n * float64(time.Second))).UTC().Format(http.TimeFormat)
		}
	}
	c.w.Header().Set("Retry-After", v)
}

func (c *call) html(status int, text string) {
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(c.w, "<!DOCTYPE html>\n<html><head><title>%d %s</title></head><body><h1>%s</h1></body></html>\n",
			status, http.StatusText(status), text)
	}
}

// wholeRequest lets the faults that answer a request by themselves do so.
func (c *call) wholeRequest(due []Fault) (answered bool) {
	for _, f := range due {
		c.s.rec.change(c.ent, func(q *Request) {
			if q.Fault == "" {
				q.Fault = f.Do
			}
		})
	}
	for _, f := range due {
		switch f.Do {
		case DoSlowHeaders:
			if sleep(c.ctx, seconds(f.Seconds)) != nil {
				return true
			}
		case DoHang:
			<-c.ctx.Done()
			return true
		case DoResetAtStart:
			c.reset()
			return true
		case DoStatus:
			if f.Status != 0 && f.Status != http.StatusOK {
				c.retryAfter(f.RetryAfter)
				c.page(f.Status, f.Body)
				return true
			}
		case DoMissing:
			c.html(http.StatusNotFound, "Not Found")
			return true
		case DoExecuting:
			if c.queried() {
				c.executing()
				return true
			}
		case DoDenied:
			c.unauthorized()
			return true
		case DoHTML:
			c.page(http.StatusOK, f.Body)
			return true
		case DoRedirect:
			if c.redirect(f.Value) {
				return true
			}
		}
	}
	return false
}

func (c *call) page(status int, body string) {
	if body == "" {
		c.html(status, "The archive is down for maintenance")
		return
	}
	c.w.Header().Set("Content-Type", "text/html")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = fmt.Fprint(c.w, body)
	}
}

// reset ends the connection with a RST.
func (c *call) reset() {
	conn, _, err := http.NewResponseController(c.w.ResponseWriter).Hijack()
	if err != nil {
		return
	}
	rst(conn)
}

func rst(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // makes Close send a RST; failing leaves a FIN, which is a fault as well
	}
	_ = conn.Close()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// redirect answers 302 unless this request already followed one.
func (c *call) redirect(to string) bool {
	q := c.r.URL.Query()
	if c.granted(q.Get("signature")) {
		return false
	}
	base := "http://" + c.r.Host
	switch to {
	case "loop":
		c.w.Header().Set("Location", base+c.r.URL.RequestURI())
		c.w.WriteHeader(http.StatusFound)
		return true
	case "", "same":
	case "port":
		alt, err := c.s.secondListener()
		if err != nil {
			c.html(http.StatusInternalServerError, err.Error())
			return true
		}
		base = alt
	default:
		base = strings.TrimSuffix(to, "/")
	}
	value, _ := tokenOf(c.r)
	if f, ok := c.s.lookup(c.uri()); ok && c.s.may(value, f) {
		q.Set("signature", c.grant())
	} else {
		q.Set("signature", "none")
	}
	c.w.Header().Set("Location", base+c.r.URL.Path+"?"+q.Encode())
	c.w.WriteHeader(http.StatusFound)
	return true
}
