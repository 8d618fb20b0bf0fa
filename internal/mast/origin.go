package mast

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// origin is scheme, host and port: two URLs of which one of these differs are different parties.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	return origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), port}
}

func (o origin) String() string { return o.scheme + "://" + net.JoinHostPort(o.host, o.port) }

func (o origin) loopback() bool {
	if o.host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(o.host)
	return err == nil && addr.IsLoopback()
}

func (o origin) stsci() bool { return strings.HasSuffix(o.host, ".stsci.edu") }

// parseBase checks an archive's address.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("archive address is not a URL") // the parser's error would repeat a password
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("archive address %q does not begin with https:// or http://", RedactURL(raw))
	case u.Hostname() == "":
		return nil, fmt.Errorf("archive address %q names no host", RedactURL(raw))
	case u.User != nil:
		return nil, fmt.Errorf("archive address %q contains a user name; tokens are given apart", RedactURL(raw))
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("archive address %q contains a query or a fragment", RedactURL(raw))
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// checkTokenOrigin decides whether a token may be sent to base: over https, or http on the loopback interface, and to
// the archive's domain or the loopback interface or the one origin the user named for it.
func checkTokenOrigin(base *url.URL, tokenFor string) error {
	o := originOf(base)
	if o.scheme != "https" && !o.loopback() {
		return fmt.Errorf("token would go to %s unencrypted: use https", o)
	}
	if o.loopback() || o.stsci() {
		return nil
	}
	if tokenFor == "" {
		return fmt.Errorf("token would go to %s, which is not below stsci.edu: name that origin for the token, or give none", o)
	}
	named, err := url.Parse(tokenFor)
	if err != nil || named.Host == "" {
		return errors.New("the origin named for the token is not of the form https://host[:port]")
	}
	if originOf(named) != o {
		return fmt.Errorf("token is for %s, but the archive is %s", originOf(named), o)
	}
	return nil
}

// tokenTransport adds the token to requests to one origin. It is the only place that reads the secret; as every hop of
// a redirect is a request of its own here, nothing is carried along to another origin.
type tokenTransport struct {
	next  http.RoundTripper
	token Token
	to    origin
}

func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.token.IsZero() && originOf(req.URL) == t.to {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "token "+t.token.secret)
	}
	return t.next.RoundTrip(req)
}

// hostRule says where redirects of downloads may lead.
type hostRule struct {
	base    string // host name of the source itself, at any port
	extra   []string
	archive bool   // also to hosts below stsci.edu
	bucket  string // also to this bucket of Amazon's, in any region; "" for none
}

// archiveHosts is where the archive's own redirects may lead: to its domain, and to the public copy of JWST data.
func archiveHosts(cfg Config, base *url.URL) hostRule {
	return hostRule{base: strings.ToLower(base.Hostname()), extra: cfg.AllowHosts, archive: true, bucket: "stpubdata"}
}

// chosen reports whether the user named the host of u: such a host may well be in the local network.
func (h hostRule) chosen(u *url.URL) bool {
	named := func(host string) bool { return strings.EqualFold(host, u.Hostname()) }
	return named(h.base) || slices.ContainsFunc(h.extra, named)
}

func (h hostRule) allows(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	if amazonHost.MatchString(host) && h.bucket != "" { // a host for everybody's buckets
		return amazonBucket(u) == h.bucket
	}
	return h.chosen(u) || h.archive && strings.HasSuffix(host, ".stsci.edu")
}
