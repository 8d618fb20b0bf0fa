//go:build e2e

package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sim is a running simulated archive.
type sim struct {
	*proc
	url string
	log string // path of its log of requests
}

// fault is one entry of a fault script, in mastsim's own words (mastsim -help).
type fault map[string]any

// startSim runs bin/mastsim on a free port of the loopback interface until the test ends.
func startSim(t *testing.T, faults []fault, args ...string) *sim {
	t.Helper()
	return startSimIn(t, nil, faults, args...)
}

// startSimIn is startSim by way of a command that runs the command given to it, such as one that enters a namespace.
func startSimIn(t *testing.T, wrap []string, faults []fault, args ...string) *sim {
	t.Helper()
	dir := t.TempDir()
	s := &sim{log: filepath.Join(dir, "requests.jsonl")}
	args = append([]string{"--listen", "127.0.0.1:0", "--log", s.log}, args...)
	if len(faults) > 0 {
		script, err := json.Marshal(faults)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "faults.json")
		if err := os.WriteFile(path, script, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--faults", path)
	}
	first := &firstLine{line: make(chan string, 1)}
	line := slices.Concat(wrap, []string{binary("mastsim")}, args)
	s.proc = launch(t, dir, nil, first, line[0], line[1:]...)
	select {
	case line := <-first.line:
		s.url = urlIn.FindString(line)
	case <-s.done:
	case <-time.After(20 * time.Second):
	}
	if s.url == "" {
		s.kill()
		t.Fatalf("mastsim %s did not print its address:\n%s%s", strings.Join(args, " "), first.text.String(), s.stderr.String())
	}
	return s
}

var urlIn = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// firstLine is a writer that keeps what is written and hands out the first line that holds an address.
type firstLine struct {
	line chan string
	mu   sync.Mutex // guards text and sent
	text bytes.Buffer
	sent bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(p)
	if m := urlIn.Find(f.text.Bytes()); !f.sent && m != nil && bytes.HasSuffix(f.text.Bytes(), []byte("\n")) {
		f.sent = true
		f.line <- string(m)
	}
	return len(p), nil
}

// request is one line of the archive's log.
type request struct {
	Time    time.Time `json:"time"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	URI     string    `json:"uri"`
	Range   string    `json:"range"`
	IfRange string    `json:"if_range"`
	Status  int       `json:"status"`
	Sent    int64     `json:"sent"`
	Service string    `json:"service"`
	Rows    int       `json:"rows"`
	Fault   string    `json:"fault"` // the first that acted
}

// body tells whether the request asked for bytes of a file.
func (r request) body() bool {
	return r.Method == http.MethodGet && r.URI != "" && !strings.Contains(r.Path, "/viz/")
}

// from returns the first byte asked for.
func (r request) from(t *testing.T) int64 {
	t.Helper()
	if r.Range == "" {
		return 0
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.Range, "bytes="), "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		t.Fatalf("the log of requests has the range %q", r.Range)
	}
	return n
}

// requests returns the finished requests in the order they came.
func (s *sim) requests(t *testing.T) []request {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for line := range bytes.Lines(text) {
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break // being written
			}
			t.Fatalf("log of requests: %v in %s", err, line)
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b request) int { return a.Time.Compare(b.Time) })
	return all
}

// bodies returns the requests for bytes of files that came at or after since.
func (s *sim) bodies(t *testing.T, since time.Time) []request {
	t.Helper()
	return slices.DeleteFunc(s.requests(t), func(r request) bool { return !r.body() || r.Time.Before(since) })
}

// truth is what the archive serves for a file.
type truth struct {
	sha256 string // hex
	size   int64
}

// fetchTruth asks an archive for the files, by plain net/http, and returns their digests and lengths.
func fetchTruth(t *testing.T, base string, uris []string) map[string]truth {
	t.Helper()
	var (
		mu    sync.Mutex // guards got and fails
		got   = make(map[string]truth, len(uris))
		fails []error
		work  = make(chan string)
		wg    sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			for uri := range work {
				tr, err := fetchOne(base, uri)
				mu.Lock()
				got[uri] = tr
				if err != nil {
					fails = append(fails, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, uri := range uris {
		work <- uri
	}
	close(work)
	wg.Wait()
	for _, err := range fails {
		t.Error(err)
	}
	if len(fails) > 0 {
		t.FailNow()
	}
	return got
}

func fetchOne(base, uri string) (truth, error) {
	resp, err := http.Get(base + "/api/v0.1/Download/file?uri=" + url.QueryEscape(uri))
	if err != nil {
		return truth{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return truth{}, fmt.Errorf("fetching the truth of %s: %s", uri, resp.Status)
	}
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	if err != nil {
		return truth{}, fmt.Errorf("fetching the truth of %s: %w", uri, err)
	}
	return truth{hex.EncodeToString(h.Sum(nil)), n}, nil
}
