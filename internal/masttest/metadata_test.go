package masttest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/masttest"
)

// mashupReply is a reply of the Mashup service in its plain shape.
type mashupReply struct {
	Status string           `json:"status"`
	Msg    string           `json:"msg"`
	Data   []map[string]any `json:"data"`
	Fields []struct{ Name, Type string }
	Paging struct{ Page, PageSize, PagesFiltered, Rows, RowsFiltered int }
}

func raw(t *testing.T, s *masttest.Server, request string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/v0/invoke",
		strings.NewReader(url.Values{"request": {request}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func invoke(t *testing.T, s *masttest.Server, service, params string, more ...string) mashupReply {
	t.Helper()
	resp := raw(t, s, fmt.Sprintf(`{"service":%q,"params":%s,"format":"json","pagesize":50000,"page":1%s}`, service, params, strings.Join(more, "")))
	var r mashupReply
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{
		Observations: 100, PerProgram: 20, Planned: 7, Exclusive: 5})})
	tests := []struct {
		name, filters string
		want          int
	}{
		{"none", `[]`, 107},
		{"collection", `[{"paramName":"obs_collection","separator":";","values":["JWST"]}]`, 107},
		{"programme", `[{"paramName":"proposal_id","values":["10002"]}]`, 20},
		{"two programmes", `[{"paramName":"proposal_id","values":["10002","10004","1"]}]`, 40},
		{"a number is silently no match", `[{"paramName":"proposal_id","values":[10002]}]`, 0},
		{"a nested list as well", `[{"paramName":"proposal_id","values":[["10002"]]}]`, 0},
		{"level as text", `[{"paramName":"calib_level","values":["3"]}]`, 20},
		{"planned", `[{"paramName":"calib_level","values":["-1"]}]`, 7},
		{"and", `[{"paramName":"calib_level","values":["3"]},{"paramName":"proposal_id","values":["10002"]}]`, 4},
		{"wildcard", `[{"paramName":"instrument_name","values":[],"freeText":"nircam%"}]`, 43},
		{"wildcard or value", `[{"paramName":"instrument_name","values":["MIRI/IMAGE"],"freeText":"NIRCAM%"}]`, 65},
		{"separator", `[{"paramName":"filters","separator":";","values":["G235H"]}]`, 20},
		{"no separator", `[{"paramName":"filters","values":["G235H"]}]`, 0},
		{"range", `[{"paramName":"t_exptime","values":[{"min":600,"max":700}]}]`, 20},
		{"closed range", `[{"paramName":"t_exptime","values":[{"min":171.788,"max":171.788}]}]`, 80},
		{"range with text is no match", `[{"paramName":"t_exptime","values":[{"min":"600","max":"700"}]}]`, 0},
		{"null times match no range", `[{"paramName":"t_min","values":[{"min":0,"max":99999}]}]`, 100},
		{"rights", `[{"paramName":"dataRights","values":["EXCLUSIVE_ACCESS"]}]`, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := invoke(t, s, "Mast.Caom.Filtered", `{"columns":"COUNT_BIG(*)","filters":`+tt.filters+`}`)
			if n.Status != "COMPLETE" || len(n.Data) != 1 || n.Data[0]["Column1"] != float64(tt.want) {
				t.Errorf("count: %+v, want %d", n, tt.want)
			}
			r := invoke(t, s, "mast.CAOM.filtered", `{"columns":"obs_id,t_min","filters":`+tt.filters+`}`)
			if len(r.Data) != tt.want || r.Paging.RowsFiltered != tt.want || r.Paging.PagesFiltered != 1 {
				t.Errorf("%d rows, paging %+v; want %d", len(r.Data), r.Paging, tt.want)
			}
		})
	}
	for _, bad := range []string{`[{"paramName":"nonsense","values":["1"]}]`, `[{"paramName":"proposal_id","values":[null]}]`, `7`} {
		if r := invoke(t, s, "Mast.Caom.Filtered", `{"columns":"*","filters":`+bad+`}`); r.Status != "ERROR" || r.Msg == "" {
			t.Errorf("%s: %+v, want ERROR", bad, r)
		}
	}
}

func TestCone(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 50})})
	var at masttest.Observation
	for o := range s.Observations() {
		at = o
		break
	}
	r := invoke(t, s, "Mast.Caom.Cone", fmt.Sprintf(`{"ra":%g,"dec":%g,"radius":0.001}`, at.RA, at.Dec))
	if len(r.Data) != 5 || r.Data[0]["distance"] != float64(0) {
		t.Errorf("cone: %d rows, want the visit's 5 at distance 0", len(r.Data))
	}
	r = invoke(t, s, "Mast.Caom.Filtered.Position", fmt.Sprintf(
		`{"columns":"*","filters":[{"paramName":"calib_level","values":["3"]}],"position":"%g, %g, 0.001"}`, at.RA, at.Dec+0.02))
	if len(r.Data) != 1 {
		t.Errorf("position beside the centre: %d rows, want 1 whose footprint overlaps", len(r.Data))
	}
}

func TestPagingAndPolling(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{Executing: 2})
	seen := map[string]int{}
	page, pages := 1, 1
	for page <= pages {
		request := fmt.Sprintf(`{"service":"Mast.Caom.Products","params":{"obsid":"200000000,200000004"},"format":"json","pagesize":50,"page":%d}`, page)
		for poll := 0; ; poll++ {
			var r mashupReply
			if err := json.NewDecoder(raw(t, s, request).Body).Decode(&r); err != nil {
				t.Fatal(err)
			}
			if r.Status == "EXECUTING" {
				continue
			}
			if poll != 2 {
				t.Errorf("page %d came after %d polls, want 2", page, poll)
			}
			pages = r.Paging.PagesFiltered
			for _, row := range r.Data {
				seen[fmt.Sprint(row["dataURI"], row["parent_obsid"])]++
			}
			break
		}
		page++
	}
	if pages != 4 || len(seen) != 60+96 {
		t.Errorf("%d pages, %d rows; want 4 and 156", pages, len(seen))
	}
	for k, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", k, n)
		}
	}
}

func TestProductsRepeatFilesUnderParents(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 5})})
	r := invoke(t, s, "Mast.Caom.Products", `{"obsid":"200000000,200000001,200000002,200000003,200000004"}`)
	guide, uris := 0, map[string]bool{}
	foreign := 0
	for _, row := range r.Data {
		uris[row["dataURI"].(string)] = true
		if strings.Contains(row["productFilename"].(string), "_gs-") {
			guide++
		}
		if row["obsID"] != row["parent_obsid"] {
			foreign++
		}
		if _, ok := row["obsID"].(string); !ok {
			t.Fatalf("obsID is %T, want string", row["obsID"])
		}
	}
	if len(r.Data) != 336 || len(uris) != 96 || guide*100/len(r.Data) != 69 || foreign == 0 {
		t.Errorf("%d rows, %d files, %d guide stars, %d foreign", len(r.Data), len(uris), guide, foreign)
	}
	if s.Requests()[0].Obsids != 5 || s.Requests()[0].Rows != 336 {
		t.Errorf("recorded %+v", s.Requests()[0])
	}
}

func TestJoinLimits(t *testing.T) {
	t.Parallel()
	ids := `{"obsid":"200000000,200000001,200000002"}`
	for how, want := range map[masttest.JoinFailure]string{masttest.JoinError: "ERROR", masttest.JoinExecuting: "EXECUTING"} {
		s := masttest.Start(t, masttest.Config{Joins: masttest.JoinLimit{Obsids: 2, How: how}})
		if r := invoke(t, s, "Mast.Caom.Products", ids); r.Status != want {
			t.Errorf("%s: status %q, want %q", how, r.Status, want)
		}
		if r := invoke(t, s, "Mast.Caom.Products", `{"obsid":200000000}`); r.Status != "COMPLETE" || len(r.Data) != 60 {
			t.Errorf("%s: a small join gives %q, %d rows", how, r.Status, len(r.Data))
		}
	}
	s := masttest.Start(t, masttest.Config{Joins: masttest.JoinLimit{Rows: 100}})
	resp := raw(t, s, `{"service":"Mast.Caom.Products","params":`+ids+`,"format":"json"}`)
	if resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504", resp.StatusCode)
	}
}

func TestRowLimitResets(t *testing.T) {
	t.Parallel()
	s := masttest.Start(t, masttest.Config{RowLimit: 9})
	r := ask(t, "GET", s.URL+"/api/v0/invoke?request="+url.QueryEscape(`{"service":"Mast.Caom.Filtered","params":{"filters":[]},"format":"json"}`))
	if r.err == nil {
		t.Errorf("10 rows over a limit of 9: status %d, want a reset", r.StatusCode)
	}
	if n := invoke(t, s, "Mast.Caom.Filtered", `{"columns":"COUNT_BIG(*)","filters":[]}`); n.Data[0]["Column1"] != 10.0 {
		t.Errorf("count: %+v", n)
	}
}

func TestKeywordServices(t *testing.T) {
	t.Parallel()
	cat, err := masttest.Recorded(masttest.RecordedConfig{Programs: []string{"1216", "5324"}})
	if err != nil {
		t.Fatal(err)
	}
	s := masttest.Start(t, masttest.Config{Catalog: cat})
	want := map[string]masttest.File{}
	for f := range s.Files(nil) {
		want[f.Name] = f
	}
	got := 0
	for _, svc := range []string{"Nircam", "NIRISS", "Nirspec", "miri", "Fgs"} {
		r := invoke(t, s, "Mast.Jwst.Filtered."+svc, `{"columns":"filename,fileSize,checksum,isStale,ingestCompletionDate,publicReleaseDate_mjd",`+
			`"filters":[{"paramName":"program","values":["1216","5324"]}]}`)
		if r.Status != "COMPLETE" {
			t.Fatalf("%s: %+v", svc, r)
		}
		for _, row := range r.Data {
			got++
			f := want[row["filename"].(string)]
			if row["fileSize"] != float64(f.Size) || row["checksum"] != s.MD5(f.URI) ||
				row["ingestCompletionDate"] != fmt.Sprintf("/Date(%d)/", f.IngestedAt.UnixMilli()) {
				t.Errorf("%v\nwant %+v", row, f)
			}
		}
	}
	if got != len(want) || got == 0 {
		t.Errorf("%d rows, want %d", got, len(want))
	}
	r := invoke(t, s, "Mast.Jwst.Filtered.Nirspec", `{"columns":"*","filters":[]}`)
	if len(r.Fields) < 200 || r.Data[0]["gs_mag"] != nil {
		t.Errorf("%d columns, want those of the archive, unknown ones null", len(r.Fields))
	}
}

func TestMetadataLies(t *testing.T) {
	t.Parallel()
	s, _ := one(t, masttest.Config{Faults: []masttest.Fault{{Do: masttest.DoSize, Value: "+1"}, {Do: masttest.DoChecksum, Value: "sha256"}}})
	var obsid int64
	for o := range s.Observations() {
		obsid = o.Obsid
	}
	r := invoke(t, s, "Mast.Caom.Products", fmt.Sprintf(`{"obsid":"%d"}`, obsid))
	if r.Data[0]["size"] != float64(oneSize+1) {
		t.Errorf("size %v, want one more than %d", r.Data[0]["size"], oneSize)
	}
	r = invoke(t, s, "Mast.Jwst.Filtered.Miri", `{"columns":"*","filters":[]}`)
	if r.Data[0]["checksum"] != s.SHA256(oneURI)[:32] || r.Data[0]["fileSize"] != float64(oneSize+1) {
		t.Errorf("checksum %v, size %v", r.Data[0]["checksum"], r.Data[0]["fileSize"])
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for shape, path := range map[masttest.Shape]string{masttest.ShapeTables: `"Tables":[{"Fields":[`, masttest.ShapeExtJS: `"data":{"Tables":[{"ExtendedProperties":{"Paging":{`} {
		s := masttest.Start(t, masttest.Config{Shape: shape, NumericIDs: true})
		r := ask(t, "GET", s.URL+"/api/v0/invoke?request="+url.QueryEscape(`{"service":"Mast.Caom.Filtered","params":{"columns":"obsid","filters":[]},"format":"json"}`))
		if !strings.Contains(string(r.body), path) || !strings.Contains(string(r.body), `"Rows":[[200000000],[200000001]`) || !json.Valid(r.body) {
			t.Errorf("%s: %.300s", shape, r.body)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	until := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	cat, err := masttest.Custom(masttest.File{Name: oneName, ReleaseAt: until})
	if err != nil {
		t.Fatal(err)
	}
	s := masttest.Start(t, masttest.Config{Catalog: cat, Tokens: []masttest.Token{{Value: "good", Name: "A B"}, {Value: "other", Programs: []string{"1"}}, {Value: "old", Expired: true}}})
	tests := []struct {
		name, key, value string
		status           int
		anonymous        bool
	}{
		{"none", "X", "", 401, true},
		{"token", "Authorization", "token good", 200, false},
		{"bearer", "Authorization", "Bearer good", 200, false},
		{"cookie", "Cookie", "mast_token=good", 200, false},
		{"no rights", "Authorization", "token other", 401, false},
		{"expired", "Authorization", "token old", 401, true},
		{"unknown", "Authorization", "token x", 401, true},
		{"basic", "Authorization", "Basic good", 401, true},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			if r := ask(t, method, s.URL+fileURL+oneURI, tt.key, tt.value); r.StatusCode != tt.status {
				t.Errorf("%s: %s gives %d, want %d", tt.name, method, r.StatusCode, tt.status)
			}
		}
		var who struct{ Anon bool }
		if r := ask(t, "GET", s.URL+"/whoami", tt.key, tt.value); r.StatusCode != 200 || json.Unmarshal(r.body, &who) != nil || who.Anon != tt.anonymous {
			t.Errorf("%s: whoami %d %s", tt.name, r.StatusCode, r.body)
		}
	}
	s.ExpireToken("good")
	if r := ask(t, "GET", s.URL+fileURL+oneURI, "Authorization", "token good"); r.StatusCode != 401 {
		t.Errorf("after ExpireToken: %d", r.StatusCode)
	}
	b, err := json.Marshal(s.Requests())
	if err != nil || strings.Contains(string(b), "good") {
		t.Errorf("the record holds a token: %s (%v)", b, err)
	}
}

func TestPathLookupAndCloud(t *testing.T) {
	t.Parallel()
	s, want := one(t, masttest.Config{})
	var m map[string]struct {
		Status int     `json:"status_code"`
		Path   *string `json:"path"`
	}
	r := ask(t, "GET", s.URL+"/api/v0.1/path_lookup/?use_cloud_path=true&uri="+oneURI+"&uri=mast:JWST/product/no.fits")
	if err := json.Unmarshal(r.body, &m); err != nil {
		t.Fatal(err)
	}
	if m[oneURI].Status != 200 || *m[oneURI].Path != "/jwst/public/jw02733/jw02733002001/"+oneName || m["mast:JWST/product/no.fits"].Status != 404 {
		t.Errorf("%s", r.body)
	}
	if r := ask(t, "GET", s.URL+"/stpubdata"+*m[oneURI].Path); r.StatusCode != 200 || len(r.body) != len(want) || !strings.Contains(r.Header.Get("ETag"), "-") {
		t.Errorf("cloud: %d, %d bytes, ETag %s", r.StatusCode, len(r.body), r.Header.Get("ETag"))
	}
	if r := ask(t, "GET", s.URL+"/stpubdata"+*m[oneURI].Path, "Authorization", "token x"); r.StatusCode != 400 {
		t.Errorf("cloud with a token: %d", r.StatusCode)
	}
	if r := ask(t, "GET", s.URL+"/api/v0.1/path_lookup/?uri=a"+strings.Repeat("&uri=a", 40)); r.StatusCode != 414 {
		t.Errorf("41 URIs: %d", r.StatusCode)
	}
}
