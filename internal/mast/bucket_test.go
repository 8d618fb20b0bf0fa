package mast_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"jwstbulk/internal/mast"
)

func TestParseBucket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address, want string // want "" for an error
	}{
		{mast.DefaultBucket, mast.DefaultBucket},
		{"s3://stpubdata", "https://stpubdata.s3.amazonaws.com"},
		{"s3://stpubdata/", "https://stpubdata.s3.amazonaws.com"},
		{"s3://my.bucket", "https://s3.amazonaws.com/my.bucket"},
		{"https://s3.amazonaws.com/stpubdata", "https://s3.amazonaws.com/stpubdata"},
		{"https://s3.eu-west-1.amazonaws.com/stpubdata/", "https://s3.eu-west-1.amazonaws.com/stpubdata"},
		{"https://s3-eu-west-1.amazonaws.com/stpubdata", "https://s3-eu-west-1.amazonaws.com/stpubdata"},
		{"https://stpubdata.s3.dualstack.us-east-1.amazonaws.com", "https://stpubdata.s3.dualstack.us-east-1.amazonaws.com"},
		{"https://stpubdata.s3.cn-north-1.amazonaws.com.cn", "https://stpubdata.s3.cn-north-1.amazonaws.com.cn"},
		{"http://127.0.0.1:9000/stpubdata", "http://127.0.0.1:9000/stpubdata"},
		{"https://objects.example.org/mirror/stpubdata", "https://objects.example.org/mirror/stpubdata"},
		{"https://stpubdata.objects.example.org", "https://stpubdata.objects.example.org"},

		{"", ""}, {"stpubdata", ""}, {"ftp://stpubdata", ""}, {"s3://", ""}, {"s3://Upper", ""}, {"s3://stpubdata/jwst", ""},
		{"https://s3.amazonaws.com", ""}, {"https://s3.amazonaws.com/", ""}, {"https://s3.us-east-1.amazonaws.com/a/b", ""},
		{"https://stpubdata.s3.amazonaws.com/jwst", ""}, {"https://ec2.us-east-1.amazonaws.com/stpubdata", ""},
		{"https://stpubdata.s3-website-us-east-1.amazonaws.com", ""}, {"http://127.0.0.1:9000", ""}, {"https://[::1]/", ""},
		{"http://localhost:9000/", ""}, {"https://user:secret@objects.example.org/b", ""}, {"https://objects.example.org/b?x=1", ""},
		{"https://objects.example.org/%zz", ""},
	}
	for _, tt := range tests {
		u, err := mast.ParseBucket(tt.address)
		switch {
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("ParseBucket(%q) repeats the password: %v", tt.address, err)
		case (err != nil) != (tt.want == ""), err == nil && u.String() != tt.want:
			t.Errorf("ParseBucket(%q) = %v, %v; want %q", tt.address, u, err, tt.want)
		}
	}
}

// TestBucketRedirects: a bucket's redirects stay in the bucket, whatever region it is in, and on the host the user named.
func TestBucketRedirects(t *testing.T) {
	t.Parallel()
	const virtual, pathStyle = "https://stpubdata.s3.amazonaws.com", "https://s3.us-east-1.amazonaws.com/stpubdata"
	tests := []struct {
		name, from       string
		status           int
		location, region string
		want             string // "" for none; "refused"
	}{
		{"another region", virtual, 307, "https://stpubdata.s3.us-west-2.amazonaws.com/k", "", "https://stpubdata.s3.us-west-2.amazonaws.com/k"},
		{"the other style", virtual, 301, "https://s3.us-west-2.amazonaws.com/stpubdata/k", "", "https://s3.us-west-2.amazonaws.com/stpubdata/k"},
		{"region alone", virtual, 301, "", "us-west-2", "https://stpubdata.s3.us-west-2.amazonaws.com/k"},
		{"region alone, path style", pathStyle, 301, "", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/stpubdata/k"},
		{"region that is none", virtual, 301, "", "evil.org/", ""},
		{"region alone of another server", "https://objects.example.org/b", 301, "", "us-west-2", ""},
		{"another bucket", virtual, 307, "https://evil.s3.us-west-2.amazonaws.com/k", "", "refused"},
		{"another bucket, path style", pathStyle, 307, "https://s3.us-east-1.amazonaws.com/evil/k", "", "refused"},
		{"another service", virtual, 307, "https://stpubdata.s3-website-us-east-1.amazonaws.com/k", "", "refused"},
		{"the archive", virtual, 302, "https://mast.stsci.edu/k", "", "refused"},
		{"to http", virtual, 302, "http://stpubdata.s3.amazonaws.com/k", "", "refused"},
		{"same host", "https://objects.example.org/b", 302, "https://objects.example.org/c/k", "", "https://objects.example.org/c/k"},
		{"away from a server of one's own", "https://objects.example.org/b", 302, "https://stpubdata.s3.amazonaws.com/k", "", "refused"},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.location != "" {
			h.Set("Location", tt.location)
		}
		h.Set("X-Amz-Bucket-Region", tt.region)
		got, err := mast.BucketRedirect(tt.from, "k", tt.status, h)
		if errors.Is(err, mast.ErrRedirect) {
			got, err = "refused", nil
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// TestBucketOpen: an object is asked for without any secret, with its checksum, and refused in S3's words.
func TestBucketOpen(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "gone.fits") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"))
			return
		}
		serveFile(w, r)
	})
	b, err := mast.NewBucket(mast.Config{Token: mast.NewToken("s3cr3t"), UserAgent: "ua"}, s.URL+"/stpubdata")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, key := range []string{"", "/jwst/x.fits", "jwst/../x.fits", "jwst//x.fits", "jwst/"} {
		if _, err := b.Open(t.Context(), key, 0, mast.Validator{}); !errors.Is(err, mast.ErrInput) {
			t.Errorf("Open(%q) = %v, want ErrInput", key, err)
		}
	}
	body, err := b.Open(t.Context(), "jwst/public/a+b c.fits", 500, mast.Validator{ETag: tag})
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	var e *mast.Error
	if _, err := b.Open(t.Context(), "jwst/gone.fits", 0, mast.Validator{}); !errors.As(err, &e) || e.Status != 404 || e.Code != "NoSuchKey" ||
		e.Message != "NoSuchKey: The specified key does not exist." {
		t.Errorf("Open(gone) = %v, want NoSuchKey", err)
	}
	got := s.requests()
	if len(got) != 2 || got[0].path != "/stpubdata/jwst/public/a+b c.fits" || body.From != 500 {
		t.Fatalf("requests %+v from %d, want two, the first for the key from 500", got, body.From)
	}
	for _, r := range got {
		if r.header.Get("X-Amz-Checksum-Mode") != "ENABLED" || r.header.Get("User-Agent") != "ua" || r.header.Get("Authorization") != "" || r.header.Get("Cookie") != "" {
			t.Errorf("headers %v", r.header)
		}
	}
}

func TestS3Digests(t *testing.T) {
	t.Parallel()
	const sha = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
	full := map[string]string{"X-Amz-Checksum-Type": "FULL_OBJECT", "X-Amz-Checksum-Sha256": sha, "X-Amz-Checksum-Crc64nvme": "AAAAAAAAAAE=",
		"X-Amz-Checksum-Crc32c": "AAAAAQ=="}
	with := func(more ...string) map[string]string {
		m := map[string]string{}
		for k, v := range full {
			m[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	const tagged = `"0123456789abcdef0123456789abcdef"`
	tests := []struct {
		name                    string
		header                  map[string]string
		complete                bool
		sha, crc64, crc32c, md5 bool
	}{
		{"full object", full, true, true, true, true, false},
		{"of a part", full, false, false, false, false, false},
		{"composite", with("X-Amz-Checksum-Type", "COMPOSITE"), true, false, false, false, false},
		{"type not said", with("X-Amz-Checksum-Type", ""), true, false, false, false, false},
		{"of parts by its form", with("X-Amz-Checksum-Sha256", sha+"-3", "X-Amz-Checksum-Crc64nvme", "AAAA", "X-Amz-Checksum-Crc32c", "no"), true, false, false, false, false},
		{"tag of one piece", map[string]string{"ETag": tagged}, false, false, false, false, true},
		{"encrypted by S3", map[string]string{"ETag": tagged, "X-Amz-Server-Side-Encryption": "AES256"}, true, false, false, false, true},
		{"encrypted by a key of KMS", map[string]string{"ETag": tagged, "X-Amz-Server-Side-Encryption": "aws:kms"}, true, false, false, false, false},
		{"encrypted by the owner", map[string]string{"ETag": tagged, "X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256"}, true, false, false, false, false},
		{"tag of parts", map[string]string{"ETag": `"0123456789abcdef0123456789abcdef-2"`}, true, false, false, false, false},
		{"weak tag", map[string]string{"ETag": "W/" + tagged}, true, false, false, false, false},
		{"other tag", map[string]string{"ETag": `"0123456789abcdef0123456789abcdeg"`}, true, false, false, false, false},
		{"nothing", nil, true, false, false, false, false},
	}
	for _, tt := range tests {
		h := http.Header{}
		for k, v := range tt.header {
			h.Set(k, v)
		}
		d := mast.S3Digests(h, tt.complete)
		if d.SHA256 != nil != tt.sha || d.CRC64NVME != nil != tt.crc64 || d.CRC32C != nil != tt.crc32c || d.MD5 != nil != tt.md5 ||
			d.IsZero() != !(tt.sha || tt.crc64 || tt.crc32c || tt.md5) {
			t.Errorf("%s: %+v", tt.name, d)
		}
		if tt.crc64 && !bytes.Equal(d.CRC64NVME, []byte{0, 0, 0, 0, 0, 0, 0, 1}) {
			t.Errorf("%s: CRC64NVME %x", tt.name, d.CRC64NVME)
		}
	}
}
