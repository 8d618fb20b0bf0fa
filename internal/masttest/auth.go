package masttest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
)

// tokenOf returns the token that came with a request: header "Authorization: token X" or "Bearer X", or the cookie
// mast_token that astroquery sends.
func tokenOf(r *http.Request) (value string, present bool) {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, v, ok := strings.Cut(h, " ")
		if ok && (strings.EqualFold(scheme, "token") || strings.EqualFold(scheme, "Bearer")) {
			return strings.TrimSpace(v), true
		}
		return "", true
	}
	if ck, err := r.Cookie("mast_token"); err == nil && ck.Value != "" {
		return ck.Value, true
	}
	return "", false
}

// valid finds a token that is known and not expired.
func (s *Server) valid(value string) (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Value == value && !t.Expired {
			return t, true
		}
	}
	return Token{}, false
}

// may tells whether a token, or none, may fetch a file now.
func (s *Server) may(value string, f File) bool {
	if !f.ReleaseAt.After(s.cfg.Now()) {
		return true
	}
	t, ok := s.valid(value)
	return ok && (t.Programs == nil || slices.Contains(t.Programs, f.Program))
}

// grant makes a signature that stands for the rights of the request that was redirected, as a pre-signed URL does.
func (c *call) grant() string {
	sig := rand.Text()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.grants[sig] = true
	return sig
}

// granted tells whether a request carries a signature. "none" marks a request that was redirected without rights.
func (c *call) granted(sig string) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return sig == "none" || c.s.grants[sig]
}

func (c *call) signed() bool {
	sig := c.r.URL.Query().Get("signature")
	return sig != "" && sig != "none" && c.granted(sig)
}

func (c *call) unauthorized() {
	c.html(http.StatusUnauthorized, "You are not authorized to access this file")
}

// whoami never fails: a bad or expired token makes the caller anonymous.
func (c *call) whoami() {
	value, _ := tokenOf(c.r)
	t, ok := c.s.valid(value)
	if !ok {
		c.writeJSON(http.StatusOK, map[string]any{"eppn": "", "ezid": "anonymous", "anon": true, "scopes": []string{},
			"session": nil, "token": nil, "attrib": map[string]any{}})
		return
	}
	name := t.Name
	if name == "" {
		name = "Simulated User"
	}
	c.writeJSON(http.StatusOK, map[string]any{"eppn": "user@simulated.invalid", "ezid": "simulated", "anon": false,
		"scopes": []string{"mast:user:info", "mast:exclusive_access"}, "session": nil, "token": map[string]any{"usage": "api"},
		"attrib": map[string]any{"display_name": name, "internal": "False", "email": "user@simulated.invalid"}})
}

// secondListener starts, once, a listener on another port that serves the same archive.
func (s *Server) secondListener() (string, error) {
	s.mu.Lock()
	u := s.alt
	s.mu.Unlock()
	if u != "" {
		return u, nil
	}
	u, err := s.listen("127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alt == "" {
		s.alt = u
	}
	return s.alt, nil
}
