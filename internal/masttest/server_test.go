package masttest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"

	"jwstbulk/internal/masttest"
)

func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

const fileURL = "/api/v0.1/Download/file?uri="

func TestDownloadServesTheTruth(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{})
	n := 0
	for f := range s.Files(nil) {
		if n++; n%7 != 0 {
			continue
		}
		resp, b := get(t, s.URL+fileURL+f.URI)
		if resp.StatusCode != 200 || int64(len(b)) != f.Size {
			t.Fatalf("%s: status %d, %d bytes, want %d", f.Name, resp.StatusCode, len(b), f.Size)
		}
		sum := sha256.Sum256(b)
		if got, want := hex.EncodeToString(sum[:]), s.SHA256(f.URI); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", f.Name, got, want)
		}
		if s.Sent(f.URI) != f.Size {
			t.Errorf("%s: Sent = %d, want %d", f.Name, s.Sent(f.URI), f.Size)
		}
	}
	if n != 2*96 {
		t.Errorf("%d files, want 192", n)
	}
}
