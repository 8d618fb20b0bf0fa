package mast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/mast"
)

func TestFiltersOnTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, always(reply(1, 1, 0)))
	lo, hi := 59800.0, 59830.5
	r, err := a.client(t, nil).Observations(context.Background(), mast.Query{Filters: []mast.Filter{
		{Column: "obs_collection", Values: []string{"JWST"}, Separator: ";"},
		{Column: "t_min", Min: &lo, Max: &hi},
		{Column: "target_name", FreeText: "Io & <*>"},
	}, Position: "346.62237, -5.04140, 0.00833333"})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	body := a.requests()[0].body
	if strings.Contains(body, "+") || !strings.HasPrefix(body, "request=%7B%22service%22%3A%22Mast.Caom.Filtered.Position%22") {
		t.Errorf("form %s", body)
	}
	want := map[string]any{
		"columns": "*", "position": "346.62237, -5.04140, 0.00833333",
		"filters": []any{
			map[string]any{"paramName": "obs_collection", "values": []any{"JWST"}, "separator": ";"},
			map[string]any{"paramName": "t_min", "values": []any{map[string]any{"min": 59800.0, "max": 59830.5}}},
			map[string]any{"paramName": "target_name", "values": []any{}, "freeText": "Io & <%>"},
		},
	}
	request := asked(t, body)
	if d := cmp.Diff(want, request["params"]); d != "" {
		t.Errorf("params (-want +got):\n%s", d)
	}
	if request["format"] != "json" || request["pagesize"] != 400000.0 {
		t.Errorf("request %v", request)
	}
}

func TestFiltersRefused(t *testing.T) {
	t.Parallel()
	a := serve(t, always(reply(1, 1, 0)))
	c := a.client(t, nil)
	one, two := 1.0, 2.0
	for _, f := range []mast.Filter{
		{}, {Column: "a"}, {Column: "a", Min: &one}, {Column: "a", Min: &two, Max: &one},
		{Column: "a", Min: &one, Max: &two, Values: []string{"x"}},
	} {
		if _, err := c.Observations(context.Background(), mast.Query{Filters: []mast.Filter{f}}); !errors.Is(err, mast.ErrInput) {
			t.Errorf("filter %+v: %v, want ErrInput", f, err)
		}
	}
	if _, err := c.Products(context.Background(), nil); !errors.Is(err, mast.ErrInput) {
		t.Errorf("Products(none) = %v, want ErrInput", err)
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestProductsRequest(t *testing.T) {
	t.Parallel()
	a := serve(t, always(reply(1, 1, 0)))
	r, err := a.client(t, nil).Products(context.Background(), []int64{84343195, 7})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	request := asked(t, a.requests()[0].body)
	if d := cmp.Diff(map[string]any{"obsid": "84343195,7"}, request["params"]); d != "" || request["service"] != "Mast.Caom.Products" {
		t.Errorf("asked %v (-want +got):\n%s", request, d)
	}
}

func TestKeywords(t *testing.T) {
	t.Parallel()
	const sum = "988f90cad25ebfcae20481d6d7aa35e1"
	a := serve(t, always(reply(1, 1, 3,
		`{"filename":"jw01_x1d.fits","fileSetName":"jw01","productLevel":"3","fileSize":190080,"checksum":"`+sum+`","ArchiveFileID":5924537,
		"ingestCompletionDate":"\/Date(1656800279651)\/","publicReleaseDate_mjd":59774.854166666664,"isStale":true,"cal_ver":"1.5.3","program":1039}`,
		`{"fileName":"jw02_gs-fg_cal.fits","fileSize":"2880","checksum":"short","ingestCompletionDate":"2022-07-02T22:17:59.651000","isStale":"False"}`,
		`{"dataURI":"mast:JWST/product/jw03_cal.fits","fileSize":null,"checksum":null,"ingestCompletionDate_mjd":null}`)))
	c := a.client(t, nil)
	r, err := c.Keywords(context.Background(), "Nircam", mast.Query{Filters: []mast.Filter{{Column: "program", Values: []string{"1039"}}}})
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, r.KeywordRows())
	_ = r.Close()
	ingested := time.Date(2022, 7, 2, 22, 17, 59, 651e6, time.UTC)
	want := []mast.KeywordRow{
		{URI: "mast:JWST/product/jw01_x1d.fits", FileSet: "jw01", Level: "3", Size: 190080,
			Checksum:   []byte("\x98\x8f\x90\xca\xd2\x5e\xbf\xca\xe2\x04\x81\xd6\xd7\xaa\x35\xe1"),
			IngestedAt: ingested, ReleaseAt: time.Date(2022, 7, 14, 20, 30, 0, 0, time.UTC), Stale: true, CalVer: "1.5.3", Program: "1039"},
		{URI: "mast:JWST/product/jw02_gs-fg_cal.fits", Size: 2880, IngestedAt: ingested},
		{URI: "mast:JWST/product/jw03_cal.fits", Size: -1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	r, err = c.Keywords(context.Background(), "GuideStar", mast.Query{Filters: []mast.Filter{{Column: "filename", FreeText: "jw01*"}}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	reqs := a.requests()
	for i, name := range []string{"filename", "fileName"} {
		request := asked(t, reqs[i].body)
		if columns := request["params"].(map[string]any)["columns"].(string); !strings.HasPrefix(columns, name+",fileSetName,") {
			t.Errorf("%s: columns %s", request["service"], columns)
		}
	}
	if !strings.Contains(reqs[1].body, "%22paramName%22%3A%22fileName%22") {
		t.Errorf("guide-star filter: %s", reqs[1].body)
	}
}

func TestCountRefusesNonsense(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`{"Column1":"1234"}`: 1234, `{"x":0}`: 0, `{"Column1":null}`: -1, `{"Column1":"many"}`: -1, `{"Column1":1},{"Column1":2}`: -1,
	} {
		n, err := serve(t, always(`{"status":"COMPLETE","data":[`+text+`]}`)).client(t, nil).CountKeywords(context.Background(), "Miri", mast.Query{})
		if want >= 0 && (n != want || err != nil) || want < 0 && !errors.Is(err, mast.ErrProtocol) {
			t.Errorf("count of %s = %d, %v; want %d", text, n, err, want)
		}
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]mast.Identity{
		`{"eppn":"","ezid":"anonymous","anon":true,"scopes":[],"session":null,"token":null,"attrib":{}}`: {Anonymous: true, ID: "anonymous"},
		`{"ezid":"jdoe","anon":false,"attrib":{"display_name":"Jane Doe"}}`:                              {Name: "Jane Doe", ID: "jdoe"},
	} {
		got, err := serve(t, always(text)).client(t, nil).WhoAmI(context.Background())
		if got != want || err != nil {
			t.Errorf("WhoAmI() = %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := serve(t, always(`{}`)).client(t, nil).WhoAmI(context.Background()); !errors.Is(err, mast.ErrProtocol) {
		t.Errorf("WhoAmI() = %v, want ErrProtocol", err)
	}
}

func TestCloudPaths(t *testing.T) {
	t.Parallel()
	a := serve(t, always(recorded(t, "mast_relative_path.json")))
	c := a.client(t, nil)
	uris := []string{"mast:HST/product/u9o40504m_c3m.fits", "mast:HST/product/does_not_exist.fits"}
	got, err := c.CloudPaths(context.Background(), uris)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]mast.CloudPath{uris[0]: {Status: 200, Key: "hst/public/u9o4/u9o40504m/u9o40504m_c3m.fits"}, uris[1]: {Status: 404}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("CloudPaths (-want +got):\n%s", d)
	}
	if s := a.requests()[0]; s.path != "/api/v0.1/path_lookup/" || strings.Count(s.query, "uri=") != 2 || !strings.HasSuffix(s.query, "&use_cloud_path=true") {
		t.Errorf("asked %s?%s", s.path, s.query)
	}
	if _, err := c.CloudPaths(context.Background(), make([]string, 41)); !errors.Is(err, mast.ErrInput) {
		t.Errorf("CloudPaths(41) = %v, want ErrInput", err)
	}
}

func TestFileKeywords(t *testing.T) {
	t.Parallel()
	const uri = "mast:JWST/product/jw01039-o004_t001_miri_ch3-long_x1d.fits"
	a := serve(t, always(recorded(t, "viz-keywords-excerpt.json")))
	got, err := a.client(t, nil).FileKeywords(context.Background(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if got.URI != uri || got.Size != 190080 || len(got.Checksum) != 16 || got.CRDSCtx != "jwst_0913.pmap" || got.Program != "1039" ||
		!got.ReleaseAt.Equal(time.Date(2022, 7, 14, 20, 30, 0, 0, time.UTC)) || got.Instrument != "MIRI" {
		t.Errorf("FileKeywords() = %+v", got)
	}
	for name, handler := range map[string]http.HandlerFunc{"404": raw(404, ""), "empty object": always("{}")} {
		if _, err := serve(t, handler).client(t, nil).FileKeywords(context.Background(), uri); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: FileKeywords() = %v, want fs.ErrNotExist", name, err)
		}
	}
	if _, err := serve(t, always(`"text"`)).client(t, nil).FileKeywords(context.Background(), uri); !errors.Is(err, mast.ErrProtocol) {
		t.Errorf("FileKeywords() of a string = %v, want ErrProtocol", err)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	a := serve(t, always(recorded(t, "columnsconfig.json")))
	got, err := a.client(t, nil).Columns(context.Background(), "Mast.Caom.Cone")
	if err != nil {
		t.Fatal(err)
	}
	if s := a.requests()[0]; s.method != "POST" || s.path != "/portal/Mashup/Mashup.asmx/columnsconfig" || s.body != "colConfigId=Mast.Caom.Cone" {
		t.Errorf("asked %s %s %s", s.method, s.path, s.body)
	}
	if c := got["filters"]; c.Separator != ";" || c.Numeric || c.Title != "Filters" {
		t.Errorf("filters: %+v", c)
	}
	if c := got["t_min"]; !c.Numeric {
		t.Errorf("t_min: %+v", c)
	}
	if _, ok := got["_selected_"]; ok || len(got) != 50 {
		t.Errorf("%d columns, want 50 without _selected_", len(got))
	}
	if _, err := serve(t, always("")).client(t, nil).Columns(context.Background(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Columns() of an unknown service = %v, want fs.ErrNotExist", err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	a := serve(t, scripted(always(`{"status":"EXECUTING"}`), always(recorded(t, "resolver.json"))))
	ra, dec, name, err := a.client(t, nil).Lookup(context.Background(), "TIC 307210830")
	if err != nil || ra != 124.531756290083 || dec != -68.3129998725044 || name != "TIC 307210830" {
		t.Errorf("Lookup() = %v, %v, %q, %v", ra, dec, name, err)
	}
	if reqs := a.requests(); len(reqs) != 2 || reqs[0].body != reqs[1].body || asked(t, reqs[0].body)["service"] != "Mast.Name.Lookup" {
		t.Errorf("asked %v", reqs)
	}
	if _, _, _, err := serve(t, always(`{"resolvedCoordinate":[],"status":""}`)).client(t, nil).Lookup(context.Background(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup() of nobody = %v, want fs.ErrNotExist", err)
	}
}

// Many rows are walked through in little memory, and a row that is too large is an error.
//
// It runs alone, for it looks at the heap of the whole process.
func TestMemory(t *testing.T) {
	const rows = 20_000
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"COMPLETE","data":[`)
		for i := range rows {
			if i > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = io.WriteString(w, productRow(i))
		}
		_, _ = io.WriteString(w, `]}`)
	}).client(t, nil)
	r, err := c.Products(context.Background(), []int64{1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	n, last := 0, ""
	var stats runtime.MemStats
	for p, err := range r.Products() {
		if err != nil {
			t.Fatal(err)
		}
		if last = p.URI; n == rows-1 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
		}
		n++
	}
	if n != rows || last != fmt.Sprintf("mast:JWST/product/jw01039-o%03d_t001_miri_ch3-long_%05d_s3d.fits", (rows-1)/40%1000, rows-1) {
		t.Errorf("%d rows, last %q", n, last)
	}
	// The rows themselves are 14 MB of JSON.
	if stats.HeapAlloc > 8<<20 {
		t.Errorf("%d MB on the heap after %d rows", stats.HeapAlloc>>20, n)
	}
}

// What rows have between their values takes no more memory than one row, however they differ.
//
// It runs alone, for it looks at the heap of the whole process.
func TestMemoryOfUnevenRows(t *testing.T) {
	const rows = 64
	var heap uint64
	body, w := io.Pipe() // which holds nothing back: what was written was read
	go func() {
		blanks, names := strings.Repeat(" ", 512<<10), ""
		_, _ = io.WriteString(w, `{"data":[{}`)
		for i := range rows - 1 {
			_, _ = fmt.Fprintf(w, `,{%s%s"column%d":0}`, names, blanks, i)
			names += fmt.Sprintf(`"column%d":0,`, i)
		}
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		heap = stats.HeapAlloc
		_, _ = io.WriteString(w, `]}`)
		_ = w.Close()
	}()
	c, err := mast.New(mast.Config{Spool: t.TempDir(), Transport: answer{body}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Products(context.Background(), []int64{1})
	if err != nil || r.Rows() != rows {
		t.Fatalf("Products() = %v, %v", r, err)
	}
	_ = r.Close()
	if heap > 8<<20 {
		t.Errorf("%d MB on the heap after %d rows of half a MB", heap>>20, rows)
	}
}

// Long texts are not kept, however many there are.
//
// It runs alone, for it looks at the heap of the whole process.
func TestMemoryOfLongTexts(t *testing.T) {
	const rows = 64
	c, err := mast.New(mast.Config{Spool: t.TempDir(), Transport: memory(replyOf(rows, func(i int) string {
		return fmt.Sprintf(`{"obs_id":"%0*d"}`, 512<<10, i)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Products(context.Background(), []int64{1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before, n := heap(), 0
	for p, err := range r.Products() {
		if err != nil || len(p.ObsName) != 512<<10 {
			t.Fatalf("row %d: name of %d bytes, %v", n, len(p.ObsName), err)
		}
		if n++; n == rows {
			if more := heap() - before; more > 8<<20 {
				t.Errorf("%d MB more on the heap after %d rows of half a MB", more>>20, rows)
			}
		}
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}

// answer answers one request.
type answer struct{ body io.ReadCloser }

func (a answer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: a.body, Request: req}, nil
}

func TestHugeRow(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 9<<20)
	for name, text := range map[string]string{"row": `{"data":[{"s_region":"` + huge + `"}]}`, "message": `{"msg":"` + huge + `","data":[]}`} {
		c := serve(t, always(text)).client(t, nil)
		if _, err := c.Products(context.Background(), []int64{1}); !errors.Is(err, mast.ErrTooLarge) {
			t.Errorf("%s: Products() = %v, want ErrTooLarge", name, err)
		}
	}
	c := serve(t, always(`{"status":"COMPLETE","data":[{"size":1},{"obs_id":"`+strings.Repeat(`\\`, 1<<20)+`"},{"size":3}]}`)).client(t, nil)
	if got := products(t, c); len(got) != 3 || len(got[1].ObsName) != 1<<20 || got[2].Size != 3 {
		t.Errorf("%d products", len(got))
	}
}

// What is accepted is JSON, and all its rows can be walked through; nothing panics.
func FuzzReply(f *testing.F) {
	for _, name := range []string{"products.json", "countsResp.json", "advSearch.json"} {
		f.Add([]byte(recorded(f, name)))
	}
	f.Add([]byte(`{"Tables":[{"Fields":[{"name":"a"},"b"],"Rows":[[1,"\"\\"],[null,{"x":["]"]}]]}]}`))
	f.Add([]byte(`{"data":{"Tables":[{"Rows":[[]],"Columns":[]}]},"status":"COMPLETE"}`))
	f.Add([]byte(`{"data":[{"size":1e3,"obsID":"7","\u0061":true},{}],"paging":{"pagesFiltered":"1"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := mast.New(mast.Config{RetryFor: time.Nanosecond, Timeout: 20 * time.Millisecond, PollEvery: time.Hour, Transport: canned(text)})
		if err != nil {
			t.Fatal(err)
		}
		mast.SetFirstRetry(c, time.Hour)
		r, err := c.Products(t.Context(), []int64{1})
		if err != nil {
			return
		}
		defer func() { _ = r.Close() }()
		if !json.Valid(text) {
			t.Fatal("accepted what is no JSON")
		}
		if n := len(collect(t, r.Products())); int64(n) != r.Rows() {
			t.Errorf("%d products, Rows() = %d", n, r.Rows())
		}
		// The other kinds of rows have columns of other types.
		o, err := c.Observations(t.Context(), mast.Query{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = o.Close() }()
		k, err := c.Keywords(t.Context(), "Miri", mast.Query{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = k.Close() }()
		if o, k := len(collect(t, o.Observations())), len(collect(t, k.KeywordRows())); int64(o) != r.Rows() || o != k {
			t.Errorf("%d observations, %d keyword rows, %d products", o, k, r.Rows())
		}
	})
}

// canned answers every request with the same text.
type canned []byte

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.Write(c)
	resp := w.Result()
	resp.Request = req
	resp.Header.Set("Content-Type", "application/json")
	return resp, nil
}

func ExampleClient_Products() {
	s := httptest.NewServer(always(`{"status":"COMPLETE","data":[
		{"obsID":"84343195","dataURI":"mast:JWST/product/jw02733_i2d.fits","productFilename":"jw02733_i2d.fits","size":2880}]}`))
	defer s.Close()
	c, err := mast.New(mast.Config{BaseURL: s.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	reply, err := c.Products(context.Background(), []int64{84343195})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = reply.Close() }()
	for p, err := range reply.Products() {
		fmt.Println(p.ObsID, p.URI, p.Size, err)
	}
	// Output: 84343195 mast:JWST/product/jw02733_i2d.fits 2880 <nil>
}
