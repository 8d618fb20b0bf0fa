package mast

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// DefaultBucket is the public copy of JWST data: open to everybody, without a signature and without a charge.
const DefaultBucket = "https://stpubdata.s3.us-east-1.amazonaws.com"

// Bucket opens objects of one public S3 bucket. It never sends a token: it has none. It is safe for concurrent use.
type Bucket struct {
	base  *url.URL
	files *opener
	idle  func()
}

// NewBucket returns a Bucket for an address that ParseBucket accepts. Of cfg it uses UserAgent, HeaderTimeout, Connections,
// Limiter, OnRequest, Transport, Logger and Now. It makes no request.
func NewBucket(cfg Config, address string) (*Bucket, error) {
	cfg.Token, cfg.AllowHosts = Token{}, nil
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("configuring the bucket: %w", err)
	}
	base, err := ParseBucket(address)
	if err != nil {
		return nil, fmt.Errorf("configuring the bucket: %w", err)
	}
	b := &Bucket{base: base, idle: func() {}}
	transport := cfg.Transport
	if transport == nil {
		t := newTransport(cfg.Connections, cfg.HeaderTimeout)
		transport, b.idle = t, t.CloseIdleConnections
	}
	b.files = newOpener(cfg, transport, hostRule{base: strings.ToLower(base.Hostname()), bucket: amazonBucket(base)})
	b.files.s3 = true
	return b, nil
}

// Close drops idle connections. Bodies handed out stay valid.
func (b *Bucket) Close() { b.idle() }

// Open is Client.Open for the object of a key ("jwst/public/…"), with the same gates. It asks for the object's checksum too.
// Redirects lead to the same host or to the same bucket in another of Amazon's regions, and nowhere else. An *Error has the
// Code of S3.
func (b *Bucket) Open(ctx context.Context, key string, from int64, held Validator) (*Body, error) {
	const op = "the public copy"
	if key == "" || path.Clean("/"+key) != "/"+key || from < 0 {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: key %q at offset %d", ErrInput, Printable(key, 200), from)}
	}
	u := *b.base
	u.Path += "/" + key
	u.RawPath = strings.ReplaceAll(u.EscapedPath(), "+", "%2B") // which S3 would take for a space
	return b.files.open(ctx, &u, attempt{op: op, name: path.Base(key), from: from, held: held})
}

// ParseBucket checks the address of a bucket: s3://BUCKET, https://BUCKET.s3.REGION.amazonaws.com,
// https://s3.REGION.amazonaws.com/BUCKET, or on any other host https://HOST/BUCKET or https://BUCKET.HOST. Plain http is
// accepted too. It cannot know whether there is a bucket.
func ParseBucket(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("bucket address is not a URL") // the parser's error would repeat a password
	case u.Scheme == "s3" && bucketName.MatchString(u.Host) && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "":
		if strings.Contains(u.Host, ".") { // no certificate covers it as a part of the host
			return &url.URL{Scheme: "https", Host: "s3.amazonaws.com", Path: "/" + u.Host}, nil
		}
		return &url.URL{Scheme: "https", Host: u.Host + ".s3.amazonaws.com"}, nil
	case u.Scheme == "s3":
		return nil, fmt.Errorf("bucket address %q is not of the form s3://BUCKET", RedactURL(raw))
	}
	if u, err = parseBase(raw); err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	host := strings.ToLower(u.Hostname())
	_, notIP := netip.ParseAddr(host)
	switch {
	case strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn"):
		if bucket := amazonBucket(u); bucket == "" || strings.Trim(u.Path, "/") != "" && u.Path != "/"+bucket {
			return nil, fmt.Errorf("%q is no address of a bucket at Amazon: want https://BUCKET.s3.REGION.amazonaws.com", RedactURL(raw))
		}
	case u.Path == "" && (notIP == nil || !strings.Contains(host, ".")):
		return nil, fmt.Errorf("%q names a host but no bucket: want https://HOST/BUCKET", RedactURL(raw))
	}
	return u, nil
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	amazonHost = regexp.MustCompile(`^(?:([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3(?:\.dualstack)?(?:[.-][a-z]{2}(?:-[a-z]+)+-[0-9])?\.(amazonaws\.com(?:\.cn)?)$`)
	regionName = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-[0-9]$`)
)

// amazonBucket returns which bucket of Amazon's u lies in, whatever the region and the style of the address; "" if in none.
func amazonBucket(u *url.URL) string {
	m := amazonHost.FindStringSubmatch(strings.ToLower(u.Hostname()))
	if m == nil {
		return ""
	}
	bucket := m[1]
	if bucket == "" {
		bucket, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	if !bucketName.MatchString(bucket) {
		return ""
	}
	return bucket
}

// inRegion returns where a bucket of Amazon's is that answered 301 with the name of its region and no Location, "" if that
// is not what happened.
func inRegion(u *url.URL, resp *http.Response) string {
	region := resp.Header.Get("X-Amz-Bucket-Region")
	m := amazonHost.FindStringSubmatch(strings.ToLower(u.Hostname()))
	if m == nil || !regionName.MatchString(region) {
		return ""
	}
	next := *u
	next.Host = "s3." + region + "." + m[2]
	if m[1] != "" {
		next.Host = m[1] + "." + next.Host
	}
	return next.String()
}

var s3Error = regexp.MustCompile(`<Code>([A-Za-z0-9]{1,64})</Code>(?:\s*<Message>([^<]{1,200})</Message>)?`)

// sayS3 makes words of S3's XML. The status decides what an error means; this is a courtesy.
func (e *Error) sayS3() {
	if m := s3Error.FindStringSubmatch(e.Message); m != nil {
		e.Code, e.Message = m[1], strings.TrimSuffix(m[1]+": "+m[2], ": ")
	}
}
