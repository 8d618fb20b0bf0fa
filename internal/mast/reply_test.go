package mast_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
)

func TestRecordedProducts(t *testing.T) {
	t.Parallel()
	c := serve(t, always(recorded(t, "products.json"))).client(t, nil)
	got := products(t, c)
	if len(got) != 22 {
		t.Fatalf("%d products, want 22", len(got))
	}
	want := mast.Product{
		ObsID: 2003738726, ObsName: "U9O40504M", URI: "mast:HST/product/u9o40504m_c3m.fits", ProductType: "AUXILIARY",
		Size: 207360, Level: mast.LevelUnknown,
	}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("first product (-want +got):\n%s", d)
	}
}

func TestRecordedObservations(t *testing.T) {
	t.Parallel()
	c := serve(t, always(recorded(t, "caom.json"))).client(t, nil)
	r, err := c.Observations(context.Background(), mast.Query{Position: "23.1, 60.6, 0.2"})
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, r.Observations())
	if len(got) != 19 || r.Rows() != 19 || r.Requests() != 1 {
		t.Fatalf("%d observations, Rows() = %d, Requests() = %d; want 19, 19, 1", len(got), r.Rows(), r.Requests())
	}
	o := got[0]
	if o.ObsID != 2003585980 || o.ObsName != "U27XCS01T" || o.Level != 3 || o.RA != 23.11817129395 ||
		o.Instrument != "WFPC2/WFC" || o.ProposalID != "5371" || o.TMin != 49756.25506 || o.ExpTime != 1500 ||
		math.Abs(o.Distance-293.097343) > 1e-3 || o.PI != "Griffiths" {
		t.Errorf("first observation: %+v", o)
	}
	if want := time.Date(1996, 2, 8, 19, 4, 4, 800e6, time.UTC); !o.ReleaseAt.Equal(want) {
		t.Errorf("ReleaseAt = %v, want %v", o.ReleaseAt, want)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range r.Observations() {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("iterating a closed reply = %v, want os.ErrClosed", err)
		}
	}
}

func TestRecordedCount(t *testing.T) {
	t.Parallel()
	a := serve(t, always(recorded(t, "countsResp.json")))
	n, err := a.client(t, nil).Count(context.Background(), mast.Query{Filters: []mast.Filter{{Column: "obs_collection", Values: []string{"JWST"}}}})
	if n != 599 || err != nil {
		t.Errorf("Count() = %d, %v; want 599", n, err)
	}
	req := asked(t, a.requests()[0].body)
	if req["service"] != "Mast.Caom.Filtered" || req["params"].(map[string]any)["columns"] != "COUNT_BIG(*)" {
		t.Errorf("asked %v", req)
	}
}

// The three shapes of replies, ids as numbers and strings, nulls left out, names listed twice, escapes.
func TestShapes(t *testing.T) {
	t.Parallel()
	want := []mast.Product{{
		ObsID: 84343195, ParentObsID: 84343190, ObsName: "a \"b\" \\ é", URI: "mast:JWST/product/a_i2d.fits",
		Size: 2880, Level: 3, Rights: "PUBLIC",
	}}
	const names = `{"name":"obsID"},{"name":"_selected_"},{"name":"parent_obsid"},{"name":"obs_id"},{"name":"dataURI"},` +
		`{"name":"productFilename"},{"name":"description"},{"name":"size"},{"name":"calib_level"},{"name":"dataRights"},{"name":"dataRights"}`
	const row = `["84343195",null,84343190,"a \"b\" \\ \u00e9","mast:JWST\/product\/a_i2d.fits","a_i2d.fits","-",2880,"3","PUBLIC",null]`
	for _, tt := range []struct{ name, text string }{
		{"data", `{"status":"COMPLETE","data":[{"obsID":84343195,"parent_obsid":"84343190","obs_id":"a \"b\" \\ é","size":"2880",
			"dataURI":"mast:JWST/product/a_i2d.fits","productFilename":"a_i2d.fits","description":"-","calib_level":3,
			"dataRights":null , "dataRights" : "PUBLIC","_selected_":null,"more":{"x":["}",1]}}]}`},
		{"tables with fields", `{"Tables":[{"Fields":[` + names + `],"Rows":[` + row + `]}]}`},
		{"tables with columns behind the rows", `{"status":"COMPLETE","Tables":[{"Rows":[` + row + `],"Columns":[{"dataIndex":"obsID"},{"dataIndex":"_selected_"},
			{"dataIndex":"parent_obsid"},{"dataIndex":"obs_id"},{"dataIndex":"dataURI"},{"dataIndex":"productFilename"},{"dataIndex":"description"},
			{"dataIndex":"size"},{"dataIndex":"calib_level"},{"text":"Rights","dataIndex":"dataRights"},{"name":"dataRights"}]}, {"Rows":[]}]}`},
		{"extjs", `{"status":"COMPLETE","msg":"","data":{"Tables":[{"ExtendedProperties":{"Paging":{"page":1,"pagesFiltered":1,"rowsFiltered":1}},
			"Name":"x","Fields":[` + names + `],"Columns":[{"dataIndex":"other"}],"Rows":[` + row + `]}]}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(want, products(t, serve(t, always(tt.text)).client(t, nil))); d != "" {
				t.Errorf("products (-want +got):\n%s", d)
			}
		})
	}
}

func TestEmptyReplies(t *testing.T) {
	t.Parallel()
	for _, text := range []string{reply(1, 1, 0), `{"status":"COMPLETE","data":null}`, `{"status":"complete","data":[ ]}`} {
		if got := products(t, serve(t, always(text)).client(t, nil)); len(got) != 0 {
			t.Errorf("%s: %v, want nothing", text, got)
		}
	}
}

func TestPagesAndPolls(t *testing.T) {
	t.Parallel()
	const executing = `{"status":"EXECUTING","percent complete":10,"msg":""}`
	a := serve(t, scripted(
		always(executing), always(executing), always(reply(1, 3, 5, `{"size":1}`, `{"size":2}`)),
		always(executing), always(reply(2, 3, 5, `{"size":3}`, `{"size":4}`)), always(reply(3, 3, 5, `{"size":5}`)),
	))
	got := products(t, a.client(t, nil))
	var sizes []int64
	for _, p := range got {
		sizes = append(sizes, p.Size)
	}
	if d := cmp.Diff([]int64{1, 2, 3, 4, 5}, sizes); d != "" {
		t.Errorf("sizes (-want +got):\n%s", d)
	}
	reqs := a.requests()
	if len(reqs) != 6 {
		t.Fatalf("%d requests, want 6", len(reqs))
	}
	for _, pair := range [][2]int{{0, 1}, {1, 2}, {3, 4}} {
		if reqs[pair[0]].body != reqs[pair[1]].body {
			t.Errorf("poll %d differs from %d:\n%s\n%s", pair[1], pair[0], reqs[pair[0]].body, reqs[pair[1]].body)
		}
	}
	first, last := asked(t, reqs[0].body), asked(t, reqs[5].body)
	if first["page"] != 1.0 || last["page"] != 3.0 || first["cacheBreaker"] != last["cacheBreaker"] || first["cacheBreaker"] == "" {
		t.Errorf("first request %v, last %v", first, last)
	}
	if h := reqs[0].header.Get("Content-Type"); h != "application/x-www-form-urlencoded" {
		t.Errorf("Content-Type %q", h)
	}
}

func TestRepliesThatFail(t *testing.T) {
	t.Parallel()
	good := recorded(t, "products.json")
	for _, tt := range []struct {
		name     string
		handler  http.HandlerFunc
		want     error
		status   int
		requests int
	}{
		{"ERROR", always(`{"status":"ERROR","msg":"Incorrect syntax near '*'."}`), mast.ErrService, 200, 1},
		{"unknown status", always(`{"status":"KILLED","msg":"x"}`), mast.ErrService, 200, 1},
		{"504", status(504), mast.ErrTimeout, 504, 1},
		{"500", status(500), nil, 500, 4},
		{"400", status(400), nil, 400, 1},
		{"404", status(404), os.ErrNotExist, 404, 1},
		{"401", status(401), os.ErrPermission, 401, 1},
		{"reset", reset(good[:3000]), mast.ErrShort, 200, 4},
		{"half, cleanly ended", always(good[:len(good)/2]), mast.ErrShort, 200, 4},
		{"nothing", always(""), mast.ErrShort, 200, 4},
		{"web page as such", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html>maintenance"))
		}, mast.ErrHTML, 200, 4},
		{"web page as JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("\n <!DOCTYPE html>"))
		}, mast.ErrHTML, 200, 4},
		{"not JSON", always(`{"status":COMPLETE}`), mast.ErrProtocol, 200, 1},
		{"two values", always(`{"data":[]} {}`), mast.ErrProtocol, 200, 1},
		{"no rows at all", always(`{"status":"COMPLETE"}`), mast.ErrProtocol, 200, 1},
		{"rows of numbers", always(`{"status":"COMPLETE","data":[1]}`), mast.ErrProtocol, 200, 1},
		{"fewer rows than announced", always(reply(1, 1, 3, `{"size":1}`)), mast.ErrShort, 0, 1},
		{"redirect", status(302, "Location", "https://login.invalid/"), mast.ErrRedirect, 302, 1},
		{"encoded", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("{}"))
		}, mast.ErrEncoding, 200, 1},
		{"too large", always(`{"status":"COMPLETE","data":[` + fmt.Sprintf("%20000s", "") + `]}`), mast.ErrTooLarge, 200, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, tt.handler)
			c := a.client(t, func(cfg *mast.Config) { cfg.MaxReply = 16 << 10 })
			r, err := c.Products(context.Background(), []int64{1})
			if err == nil {
				t.Fatalf("Products() = %d rows, want an error", r.Rows())
			}
			var e *mast.Error
			if !errors.As(err, &e) || e.Status != tt.status {
				t.Errorf("Products() = %v (status %d), want status %d", err, e.Status, tt.status)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Products() = %v, want %v", err, tt.want)
			}
			if n := len(a.requests()); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// What is wrong with a reply is said with its place in all of it, before, in and behind the rows.
func TestBrokenSyntax(t *testing.T) {
	t.Parallel()
	const rows = `{"data":[{"size":1}, {"size":2}`
	for text, want := range map[string]string{
		`{"status":COMPLETE}`:                  `invalid character 'C' at start of value within "/status" after offset 10`,
		rows + `,{"size":x}]}`:                 `invalid character 'x' at start of value within "/data/2/size" after offset 40`,
		rows + `,{"size":01}]}`:                `invalid character '1' after object value (expecting ',' or '}') within "/data/2" after offset 41`,
		rows + `,{"size":"` + "\n" + `"}]}`:    `invalid character '\n' in string (expecting non-control character) within "/data/2/size" after offset 41`,
		rows + `{"size":3}]}`:                  `invalid character '{' after row 1 (expecting ',' or ']') at offset 31`,
		rows + `,]}`:                           `invalid character ']' at start of value within "/data/2" after offset 32`,
		`{"data":[,{"size":1}]}`:               `invalid character ',' at start of value within "/data/0" after offset 9`,
		rows + `,"a"]}`:                        `row 2 is a string`,
		rows + `,[3]]}`:                        `row 2 is not of the kind of those before: arrays and objects are mixed`,
		rows + `],"paging":{"pagesFiltered" 1`: `invalid character '1' after object name (expecting ':') within "/paging/pagesFiltered" after offset 59`,
		rows + `]} x`:                          `invalid character 'x' at start of value after offset 34`,
		rows + `],"data":[]}`:                  `two arrays of rows`,
		`{"Tables":[{"Rows":[[1],{"size":2}],"Fields":["size"]}]}`:                                     `row 1 is not of the kind of those before: arrays and objects are mixed`,
		`{"Tables":[{"Rows":[[1,2]],"Fields":["size"]}]}`:                                              `row has more values than there are columns (1)`,
		`{"data":[[` + strings.Repeat("1,", 10_000) + `1]]}`:                                           `row 0 has more than 10000 values`,
		`{"data":[{"` + strings.Repeat("x", 3<<20) + `":1},{"` + strings.Repeat("y", 3<<20) + `":1}]}`: `row 1 makes more than 10000 columns, or names of over 4194304 bytes`,
	} {
		_, err := serve(t, always(text)).client(t, nil).Products(context.Background(), []int64{1})
		if !errors.Is(err, mast.ErrProtocol) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.50s: %v, want ErrProtocol … %s", text, err, want)
		}
	}
	for _, text := range []string{rows, rows + ",", rows + `,{"si`, rows + `,tru`, rows + `]`, rows + `],"a":{`} {
		_, err := serve(t, always(text)).client(t, func(c *mast.Config) { c.RetryFor = 1 }).Products(context.Background(), []int64{1})
		if want := fmt.Sprintf("JSON ends after %d bytes", len(text)); !errors.Is(err, mast.ErrShort) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want ErrShort … %s", text, err, want)
		}
	}
}

func TestRetriesHeal(t *testing.T) {
	t.Parallel()
	good := recorded(t, "products.json")
	for name, bad := range map[string]http.HandlerFunc{
		"503": status(503), "429 with Retry-After": status(429, "Retry-After", "0"), "reset": reset(good[:9000]),
		"half": always(good[:9000]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, scripted(bad, bad, always(good)))
			if got := products(t, a.client(t, nil)); len(got) != 22 {
				t.Errorf("%d products, want 22", len(got))
			}
			reqs := a.requests()
			if len(reqs) != 3 || reqs[0].body != reqs[2].body {
				t.Errorf("%d requests, want 3 of the same bytes", len(reqs))
			}
		})
	}
}

func TestTimeoutIsNotRetried(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"no headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"executing":  always(`{"status":"EXECUTING"}`),
	} {
		a := serve(t, handler)
		c := a.client(t, func(cfg *mast.Config) { cfg.Timeout = 50 * time.Millisecond })
		_, err := c.Products(context.Background(), []int64{1})
		if !errors.Is(err, mast.ErrTimeout) {
			t.Errorf("%s: Products() = %v, want ErrTimeout", name, err)
		}
		if n := len(a.requests()); name == "no headers" && n != 1 {
			t.Errorf("%s: %d requests, want 1", name, n)
		}
	}
}

func TestSpoolLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := serve(t, always(recorded(t, "products.json"))).client(t, func(cfg *mast.Config) { cfg.Spool = dir })
	r, err := c.Products(context.Background(), []int64{1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes() < 12000 {
		t.Errorf("Bytes() = %d, want the size of the reply", r.Bytes())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); len(names) != 0 || err != nil {
		t.Errorf("spool holds %v, %v after Close; want nothing", names, err)
	}
}
