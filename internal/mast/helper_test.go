package mast_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"jwstbulk/internal/mast"
)

// archive is a server that answers with a handler and remembers what it was asked.
type archive struct {
	*httptest.Server

	mu   sync.Mutex // guards seen
	seen []seen
}

type seen struct {
	method, path, query, body string
	header                    http.Header
}

func serve(t *testing.T, h http.HandlerFunc) *archive {
	t.Helper()
	a := &archive{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.seen = append(a.seen, seen{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Clone()})
		a.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *archive) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// client returns a client of the archive with short waits.
func (a *archive) client(t *testing.T, change func(*mast.Config)) *mast.Client {
	t.Helper()
	cfg := mast.Config{BaseURL: a.URL, Spool: t.TempDir(), PollEvery: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := mast.New(cfg)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	mast.SetFirstRetry(c, time.Millisecond)
	t.Cleanup(c.Close)
	return c
}

func recorded(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asked decodes the form of a request to the query service.
func asked(t *testing.T, body string) map[string]any {
	t.Helper()
	values, err := url.ParseQuery(body)
	if err != nil {
		t.Fatalf("form %q: %v", body, err)
	}
	var request map[string]any
	if err := json.Unmarshal([]byte(values.Get("request")), &request); err != nil {
		t.Fatalf("request %q: %v", values.Get("request"), err)
	}
	return request
}

func always(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// scripted answers each request with the next step; the last one is repeated.
func scripted(steps ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		step := steps[min(next, len(steps)-1)]
		next++
		mu.Unlock()
		step(w, r)
	}
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "status %d", code)
	}
}

// reset breaks the connection after some bytes of a body that was announced longer.
func reset(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)+1000))
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// reply makes a reply of the query service with rows of this text.
func reply(page, pages, total int, rows ...string) string {
	return fmt.Sprintf(`{"status":"COMPLETE","msg":"","data":[%s],"fields":[],"paging":{"page":%d,"pageSize":2,`+
		`"pagesFiltered":%d,"rows":%d,"rowsFiltered":%d,"rowsTotal":%d}}`, strings.Join(rows, ","), page, pages, len(rows), total, total)
}

func collect[T any](t *testing.T, seq func(func(T, error) bool)) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("row %d: %v", len(all), err)
		}
		all = append(all, v)
	}
	return all
}

func products(t *testing.T, c *mast.Client) []mast.Product {
	t.Helper()
	r, err := c.Products(context.Background(), []int64{1})
	if err != nil {
		t.Fatalf("Products() = %v", err)
	}
	defer func() { _ = r.Close() }()
	return collect(t, r.Products())
}
