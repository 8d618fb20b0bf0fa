package masttest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is a simulated archive: an http.Handler, and after Listen or Start a running server. All methods are safe for
// concurrent use.
type Server struct {
	URL string // http://127.0.0.1:PORT after Listen or Start, without a slash at the end

	cfg     Config
	cat     Catalog
	faults  faults
	rec     recorder
	digests *digests
	rate    throttle
	busy    gauge
	control http.Handler // nil without a ControlPath

	mu       sync.Mutex // guards all below
	versions map[string]int
	tokens   []Token
	grants   map[string]bool // signatures of redirects handed out
	polls    map[[32]byte]int
	storm    bool
	servers  []*http.Server
	alt      string // URL of the second listener, "" until a redirect needs it
	done     chan struct{}
	closed   bool
}

// New makes a server that does not listen: an http.Handler for a listener of the caller's. Close frees what it holds.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Catalog == nil {
		cfg.Catalog = Synthetic(SyntheticConfig{})
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.RowLimit == 0 {
		cfg.RowLimit = defaultRowLimit
	}
	d, err := openDigests(cfg.DigestFile)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, cat: cfg.Catalog, digests: d, versions: map[string]int{}, tokens: slices.Clone(cfg.Tokens),
		grants: map[string]bool{}, polls: map[[32]byte]int{}, done: make(chan struct{})}
	s.rec.log, s.rec.drop = cfg.Log, cfg.ForgetRequests
	if cfg.ControlPath != "" {
		s.control = http.StripPrefix(strings.TrimSuffix(cfg.ControlPath, "/"), s.Control())
	}
	s.rate.perSecond = cfg.Rate
	s.SetFault(cfg.Faults...)
	return s, nil
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Start serves on a free port of 127.0.0.1 until the test ends.
func Start(tb TB, cfg Config) *Server {
	tb.Helper()
	s, err := New(cfg)
	if err != nil {
		tb.Fatalf("starting the simulated archive: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if err := s.Listen("127.0.0.1:0"); err != nil {
		tb.Fatalf("starting the simulated archive: %v", err)
	}
	return s
}

// Listen begins to serve on a loopback address and sets URL. Any other address is refused.
func (s *Server) Listen(addr string) error {
	u, err := s.listen(addr)
	if err != nil {
		return err
	}
	s.URL = u
	return nil
}

func (s *Server) listen(addr string) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("masttest: listening: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("masttest: listening: %q is not a loopback address", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("masttest: listening: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return "", errors.New("masttest: listening: server is closed")
	}
	s.servers = append(s.servers, srv)
	go func() { _ = srv.Serve(l) }() // returns when Close closes srv
	return "http://" + l.Addr().String(), nil
}

// Close stops listening, cuts what is being answered and closes the digest file.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	servers := s.servers
	s.mu.Unlock()
	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Close())
	}
	return errors.Join(append(errs, s.digests.close())...)
}

// SetFault adds faults to those in force. It panics on an invalid one, which is an error in the test.
func (s *Server) SetFault(fs ...Fault) {
	for _, f := range fs {
		if err := f.validate(); err != nil {
			panic(fmt.Sprintf("masttest: SetFault: %v", err))
		}
		s.faults.add(f)
	}
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.faults.clear() }

// SetStorm switches a time of 503 replies to everything on or off.
func (s *Server) SetStorm(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storm = on
}

// SetRate changes Config.Rate.
func (s *Server) SetRate(bytesPerSecond int64) { s.rate.set(bytesPerSecond) }

// ExpireToken makes a token behave as expired from now on; "" expires all.
func (s *Server) ExpireToken(value string) { s.setExpired(value, true) }

// RenewToken makes an expired token valid again; "" renews all.
func (s *Server) RenewToken(value string) { s.setExpired(value, false) }

func (s *Server) setExpired(value string, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.tokens {
		if value == "" || s.tokens[i].Value == value {
			s.tokens[i].Expired = expired
		}
	}
}

// Reprocess gives every file whose URI or name matches the glob its next version, as the archive does when it runs the
// pipeline again: same name, new bytes, ETag, checksum, versions and ingest date; the recorded second version where
// there is one, else one of the same size. It returns the URIs.
func (s *Server) Reprocess(glob string) []string {
	var out []string
	if f, ok := s.lookup(glob); ok { // no walk through millions for one file
		s.bump(f)
		return []string{f.URI}
	}
	for f := range s.cat.Files() {
		if globURI(glob, f.URI) {
			s.bump(s.current(f))
			out = append(out, f.URI)
		}
	}
	return out
}

func (s *Server) bump(f File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[f.URI] = f.Version + 1
}

// current returns the version of f served now.
func (s *Server) current(f File) File {
	s.mu.Lock()
	v, changed := s.versions[f.URI]
	s.mu.Unlock()
	if !changed || v == f.Version {
		return f
	}
	g, ok := s.cat.File(f.URI, v)
	if !ok {
		return f
	}
	return g
}

// lookup finds a file by URI; the case of what stands before the name is loose, as on the archive.
func (s *Server) lookup(uri string) (File, bool) {
	const prefix = "mast:JWST/product/"
	if len(uri) > len(prefix) && strings.EqualFold(uri[:len(prefix)], prefix) {
		uri = prefix + uri[len(prefix):]
	}
	f, ok := s.cat.File(uri, 0)
	if !ok {
		return File{}, false
	}
	return s.current(f), true
}

// Files yields the catalogue's files as served now, those that keep returns true for; nil keeps all.
func (s *Server) Files(keep func(File) bool) iter.Seq[File] {
	return func(yield func(File) bool) {
		for f := range s.cat.Files() {
			f = s.current(f)
			if (keep == nil || keep(f)) && !yield(f) {
				return
			}
		}
	}
}

// Observations yields the catalogue's observations.
func (s *Server) Observations() iter.Seq[Observation] { return s.cat.Observations() }

// Content returns the bytes served now for a URI; ok is false for an unknown one. The reader is safe for concurrent use.
func (s *Server) Content(uri string) (r *io.SectionReader, ok bool) {
	f, ok := s.lookup(uri)
	if !ok {
		return nil, false
	}
	c := newContent(f)
	return io.NewSectionReader(c, 0, c.size), true
}

// SHA256 returns the 64 hex digits of the bytes served now for a URI, "" for an unknown one.
func (s *Server) SHA256(uri string) string {
	f, ok := s.lookup(uri)
	if !ok {
		return ""
	}
	return hashOf(sha256.New(), f)
}

// MD5 returns the 32 hex digits of the bytes served now for a URI, "" for an unknown one.
func (s *Server) MD5(uri string) string {
	f, ok := s.lookup(uri)
	if !ok {
		return ""
	}
	return s.digests.md5(f)
}

// writeJSON answers with a value as JSON.
func (c *call) writeJSON(status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(c.w, err.Error(), http.StatusInternalServerError)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b) // the client may be gone; the record says how much was sent
}
