package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/manifest"
)

const golden = `{"format":"jwstbulk-manifest","version":1,"complete":true,"missing":0,"files":2,"bytes":7,"root":"a5f07c9c1dd1611c5fd40bbfe18759e2a8d9d72f377cc8af7d2c67d9119e6c7a","query":[{"program":["1345"]}]}
{"uri":"mast:JWST/product/jw01345-o001_asn.json","path":"JWST/x/jw01345-o001_asn.json","size":2,"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","md5":null,"proof":"size","cal_ver":null,"crds_ctx":null,"sdp_ver":null,"date":null,"datamodl":null,"program":null,"instrument":null,"level":null,"obs":[]}
{"uri":"mast:JWST/product/jw01345001001_02201_00001_nrca1_cal.fits","path":"JWST/jw01345001001_02201_00001_nrca1/jw01345001001_02201_00001_nrca1_cal.fits","size":5,"sha256":"277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9","md5":"4b3a6218bb3e3a7303e8a171a60fcf92","proof":"archive","cal_ver":"1.13.4","crds_ctx":"jwst_1188.pmap","sdp_ver":"2023_4a","date":"2024-02-03T04:05:06.789","datamodl":"ImageModel","program":"1345","instrument":"NIRCAM","level":2,"obs":["jw01345-o001_t021_nircam_clear-f115w","jw01345001001_02201_00001_nrca1"]}
`

// The bytes of a manifest are the interface: this test must not change unless Version does.
func TestGolden(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(golden, encoded(t, bare(), full())); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
	h, entries, err := decode(golden)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	if diff := cmp.Diff([]manifest.Entry{bare(), full()}, entries); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	if !h.Complete || h.Files != 2 || h.Bytes != 7 || len(h.Query) != 1 {
		t.Errorf("Header = %+v", h)
	}
}

func TestEmptyManifest(t *testing.T) {
	t.Parallel()
	h := sealed(t, manifest.Header{Missing: 3})
	var out bytes.Buffer
	if err := manifest.Encode(&out, h, all()); err != nil {
		t.Fatal(err)
	}
	got, entries, err := decode(out.String())
	if err != nil || len(entries) > 0 || got.Missing != 3 || got.Complete {
		t.Errorf("%+v, %d entries, %v", got, len(entries), err)
	}
}

// Any JSON reader must see the strings that went in, however odd.
func TestEscapesAgreeWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{`a"b\c`, "tab\tnl\ncr\rbs\bff\f", "\x00\x1f\x7f", "é€\U0001F52D", "\u2028\u2029", "<&>", "\ufffd", `\u00e9`} {
		e := full()
		e.CalVer, e.Obs = odd, []string{odd}
		text := encoded(t, e)
		var got struct {
			CalVer string `json:"cal_ver"`
			Obs    []string
		}
		line := strings.Split(text, "\n")[1]
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.CalVer != odd || got.Obs[0] != odd {
			t.Errorf("%q: encoding/json reads %q, %q, %v", odd, got.CalVer, got.Obs, err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(odd); err != nil || !strings.Contains(line, `"cal_ver":`+strings.TrimSpace(want.String())+`,`) {
			t.Errorf("%q: written as %s, encoding/json writes %s", odd, line, want.String())
		}
		if _, entries, err := decode(text); err != nil || entries[0].CalVer != odd {
			t.Errorf("%q: read back %+v, %v", odd, entries, err)
		}
	}
	e := full()
	e.CalVer = "not \xff UTF-8"
	if _, entries, err := decode(encoded(t, e)); err != nil || entries[0].CalVer != "not \ufffd UTF-8" {
		t.Errorf("invalid UTF-8: read back %+v, %v", entries, err)
	}
}

func TestEntriesThatNoManifestMayHold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		edit  func(e *manifest.Entry)
		field string
	}{
		{"no URI", func(e *manifest.Entry) { e.URI = "" }, "uri"},
		{"URI with a line feed", func(e *manifest.Entry) { e.URI += "\n" }, "uri"},
		{"URI not UTF-8", func(e *manifest.Entry) { e.URI += "\xff" }, "uri"},
		{"URI out of order", func(e *manifest.Entry) { e.URI = "a" }, "uri"},
		{"URI twice", func(e *manifest.Entry) { e.URI = bare().URI }, "uri"},
		{"no path", func(e *manifest.Entry) { e.Path = "" }, "path"},
		{"path up", func(e *manifest.Entry) { e.Path = "../x" }, "path"},
		{"path up inside", func(e *manifest.Entry) { e.Path = "JWST/../../x" }, "path"},
		{"path absolute", func(e *manifest.Entry) { e.Path = "/etc/passwd" }, "path"},
		{"path with a dot", func(e *manifest.Entry) { e.Path = "JWST/./x" }, "path"},
		{"path with two slashes", func(e *manifest.Entry) { e.Path = "JWST//x" }, "path"},
		{"path that ends in a slash", func(e *manifest.Entry) { e.Path = "JWST/" }, "path"},
		{"path is the directory", func(e *manifest.Entry) { e.Path = "." }, "path"},
		{"path in the state directory", func(e *manifest.Entry) { e.Path = ".jwstbulk/queue.db" }, "path"},
		{"path in the state directory, other case", func(e *manifest.Entry) { e.Path = ".JWSTbulk/queue.db" }, "path"},
		{"path of the manifest", func(e *manifest.Entry) { e.Path = "manifest.jsonl" }, "path"},
		{"path with a line feed", func(e *manifest.Entry) { e.Path = "a\nb" }, "path"},
		{"path not UTF-8", func(e *manifest.Entry) { e.Path = "a\xff" }, "path"},
		{"path twice", func(e *manifest.Entry) { e.Path = bare().Path }, "path"},
		{"size negative", func(e *manifest.Entry) { e.Size = -1 }, "size"},
		{"sizes that overflow", func(e *manifest.Entry) { e.Size = 1<<63 - 1 }, "size"},
		{"no digest", func(e *manifest.Entry) { e.SHA256 = [32]byte{} }, "sha256"},
		{"no proof", func(e *manifest.Entry) { e.Proof = "" }, "proof"},
		{"proof unknown", func(e *manifest.Entry) { e.Proof = "faith" }, "proof"},
		{"level out of range", func(e *manifest.Entry) { e.Level = -3 }, "level"},
		{"observation empty", func(e *manifest.Entry) { e.Obs = []string{""} }, "obs"},
		{"observations out of order", func(e *manifest.Entry) { e.Obs = []string{"b", "a"} }, "obs"},
		{"observation twice", func(e *manifest.Entry) { e.Obs = []string{"a", "a"} }, "obs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := full()
			tt.edit(&e)
			_, _, _, err := manifest.Sum(all(bare(), e))
			var p *manifest.ParseError
			if !errors.As(err, &p) || p.Field != tt.field || p.Line != 3 {
				t.Errorf("Sum = %v, want a ParseError of line 3, field %q", err, tt.field)
			}
			h := sealed(t, manifest.Header{}, bare(), full())
			if err := manifest.Encode(io.Discard, h, all(bare(), e)); !errors.As(err, &p) || p.Field != tt.field {
				t.Errorf("Encode = %v, want a ParseError of field %q", err, tt.field)
			}
		})
	}
}

// Each edit makes one spelling fault in the golden manifest.
func TestReaderIsStrict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		line           int64
		field          string
		cause          error
	}{
		{"empty file", golden, "", 1, "", manifest.ErrTruncated},
		{"not JSON", golden, "hello\n", 1, "format", manifest.ErrFormat},
		{"web page", golden, "<html>\n", 1, "format", manifest.ErrFormat},
		{"other format", "jwstbulk-manifest", "other", 1, "format", manifest.ErrFormat},
		{"newer version", `"version":1,`, `"version":2,"sealed":1,`, 1, "version", manifest.ErrVersion},
		{"older version", `"version":1,`, `"version":0,`, 1, "version", nil},
		{"blank between tokens", `"version":1,`, `"version": 1,`, 1, "version", nil},
		{"keys out of order", `"complete":true,"missing":0`, `"missing":0,"complete":true`, 1, "complete", nil},
		{"complete with files missing", `"missing":0`, `"missing":1`, 1, "complete", nil},
		{"missing negative", `"missing":0`, `"missing":-1`, 1, "missing", nil},
		{"complete a number", `"complete":true`, `"complete":1`, 1, "complete", nil},
		{"root in upper case", `"root":"a5f0`, `"root":"A5F0`, 1, "root", nil},
		{"root other", `"root":"a5f0`, `"root":"a5f1`, 1, "root", nil},
		{"files too few", `"files":2`, `"files":1`, 1, "files", nil},
		{"files too many", `"files":2`, `"files":3`, 4, "", manifest.ErrTruncated},
		{"bytes other", `"bytes":7`, `"bytes":8`, 1, "bytes", nil},
		{"query with blanks", `{"program":["1345"]}`, `{"program": ["1345"]}`, 1, "query", nil},
		{"query not an array", `[{"program":["1345"]}]`, `{}`, 1, "query", nil},
		{"query null", `[{"program":["1345"]}]`, `null`, 1, "query", nil},
		{"key unknown", `"query":[`, `"extra":1,"query":[`, 1, "query", nil},
		{"last line cut", "nrca1\"]}\n", "nrca1\"]}", 3, "", manifest.ErrTruncated},
		{"last line half", `"level":2,"obs":["jw01345-o001_t021_nircam_clear-f115w","jw01345001001_02201_00001_nrca1"]}` + "\n", ``, 3, "", manifest.ErrTruncated},
		{"line end of DOS", "\"obs\":[]}\n", "\"obs\":[]}\r\n", 2, "", nil},
		{"empty line", "\"obs\":[]}\n", "\"obs\":[]}\n\n", 3, "uri", nil},
		{"entry not an object", `{"uri":"mast:JWST/product/jw01345-`, `["uri":"mast:JWST/product/jw01345-`, 2, "uri", nil},
		{"entry key missing", `"level":null,`, ``, 2, "level", nil},
		{"entry key unknown", `"obs":[]}`, `"obs":[],"x":1}`, 2, "obs", nil},
		{"size a string", `"size":2`, `"size":"2"`, 2, "size", nil},
		{"size with a zero", `"size":2`, `"size":02`, 2, "size", nil},
		{"size a fraction", `"size":2`, `"size":2.0`, 2, "sha256", nil},
		{"size minus zero", `"size":2`, `"size":-0`, 2, "size", nil},
		{"size too large", `"size":2`, `"size":9223372036854775808`, 2, "size", nil},
		{"digest short", `"sha256":"44`, `"sha256":"4`, 2, "sha256", nil},
		{"digest not hex", `"sha256":"44`, `"sha256":"4g`, 2, "sha256", nil},
		{"digest null", `"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"`, `"sha256":null`, 2, "sha256", nil},
		{"md5 of zeros", `"md5":null`, `"md5":"00000000000000000000000000000000"`, 2, "md5", nil},
		{"md5 in upper case", `"md5":"4b`, `"md5":"4B`, 3, "md5", nil},
		{"empty for null", `"cal_ver":null`, `"cal_ver":""`, 2, "cal_ver", nil},
		{"level minus two", `"level":null`, `"level":-2`, 2, "level", nil},
		{"escape that is not needed", `"cal_ver":"1.13.4"`, `"cal_ver":"1.13\u002e4"`, 3, "cal_ver", nil},
		{"slash escaped", `"cal_ver":"1.13.4"`, `"cal_ver":"1\/4"`, 3, "cal_ver", nil},
		{"escape unknown", `"cal_ver":"1.13.4"`, `"cal_ver":"\x"`, 3, "cal_ver", nil},
		{"half a surrogate", `"cal_ver":"1.13.4"`, `"cal_ver":"\ud800"`, 3, "cal_ver", nil},
		{"control character", `"cal_ver":"1.13.4"`, "\"cal_ver\":\"1\t4\"", 3, "cal_ver", nil},
		{"not UTF-8", `"cal_ver":"1.13.4"`, "\"cal_ver\":\"1\xff4\"", 3, "cal_ver", nil},
		{"observations not closed", `"obs":[]}`, `"obs":["a"}`, 2, "obs", nil},
		{"observation a number", `"obs":[]}`, `"obs":[1]}`, 2, "obs", nil},
		{"path up", `"path":"JWST/x/`, `"path":"../../x/`, 2, "path", nil},
		{"long line", `"obs":[]}`, `"obs":["` + strings.Repeat("x", 1<<20) + `"]}`, 2, "", nil},
		{"last line twice", "nrca1\"]}\n", "nrca1\"]}\n" + golden[strings.LastIndex(golden[:len(golden)-1], "\n")+1:], 4, "uri", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(golden, tt.old, tt.new, 1)
			if text == golden {
				t.Fatal("the edit changed nothing")
			}
			_, _, err := decode(text)
			var p *manifest.ParseError
			if !errors.As(err, &p) || p.Line != tt.line || p.Field != tt.field || p.Cause != tt.cause {
				t.Errorf("%v (%+v), want line %d, field %q, cause %v", err, p, tt.line, tt.field, tt.cause)
			}
		})
	}
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("disk on fire")
	r, err := manifest.Open(io.MultiReader(strings.NewReader(golden[:400]), iotest.ErrReader(boom)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range r.Entries() {
		if n++; !errors.Is(err, boom) {
			t.Errorf("Entries yields %v, want the reader's error", err)
		}
	}
	for range r.Entries() {
		n++
	}
	if n != 1 {
		t.Errorf("%d results, want the error once", n)
	}
	if _, err := manifest.Open(iotest.ErrReader(boom)); !errors.Is(err, boom) {
		t.Errorf("Open = %v, want the reader's error", err)
	}
}

func TestEntriesCanBeTakenUpAgain(t *testing.T) {
	t.Parallel()
	r, err := manifest.Open(iotest.OneByteReader(strings.NewReader(golden)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 3 {
		for e, err := range r.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.URI)
			break
		}
	}
	if diff := cmp.Diff([]string{bare().URI, full().URI}, got); diff != "" {
		t.Errorf("URIs (-want +got):\n%s", diff)
	}
}

func TestEncodeErrors(t *testing.T) {
	t.Parallel()
	good := sealed(t, manifest.Header{}, full())
	boom := errors.New("no more rows")
	failing := func(yield func(manifest.Entry, error) bool) { yield(manifest.Entry{}, boom) }
	if err := manifest.Encode(io.Discard, good, failing); !errors.Is(err, boom) {
		t.Errorf("Encode = %v, want the iterator's error", err)
	}
	for name, edit := range map[string]func(h *manifest.Header){
		"files":    func(h *manifest.Header) { h.Files++ },
		"bytes":    func(h *manifest.Header) { h.Bytes++ },
		"root":     func(h *manifest.Header) { h.Root = strings.Repeat("0", 64) },
		"no root":  func(h *manifest.Header) { h.Root = "" },
		"query":    func(h *manifest.Header) { h.Query = []json.RawMessage{json.RawMessage("{")} },
		"complete": func(h *manifest.Header) { h.Complete, h.Missing = true, 1 },
		"long": func(h *manifest.Header) {
			h.Query = []json.RawMessage{json.RawMessage(`"` + strings.Repeat("x", 16<<20) + `"`)}
		},
	} {
		h := good
		edit(&h)
		if err := manifest.Encode(io.Discard, h, all(full())); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	long := full()
	long.CalVer = strings.Repeat("x", 1<<20)
	var p *manifest.ParseError
	if err := manifest.Encode(io.Discard, sealed(t, manifest.Header{}, long), all(long)); !errors.As(err, &p) || p.Line != 2 {
		t.Errorf("an entry too long to be read back: %v, want a ParseError of line 2", err)
	}
}

// FuzzReader: what the Reader accepts is written back byte for byte.
func FuzzReader(f *testing.F) {
	f.Add(golden)
	f.Add(strings.Split(golden, "\n")[0] + "\n")
	odd := full()
	odd.CalVer, odd.Obs = "\"\\\u2028é\n", nil
	odd.Path = `a\b`
	f.Add(encoded(f, odd))
	f.Add(encoded(f, slices.Collect(keys(many(3)))...))
	f.Fuzz(func(t *testing.T, text string) {
		h, entries, err := decode(text)
		if err != nil {
			var p *manifest.ParseError
			if !errors.As(err, &p) {
				t.Fatalf("%T, want a ParseError: %v", err, err)
			}
			return
		}
		var out bytes.Buffer
		if err := manifest.Encode(&out, h, all(entries...)); err != nil {
			t.Fatalf("Encode of what was read: %v", err)
		}
		if out.String() != text {
			t.Fatalf("read and written:\n%q\n%q", text, out.String())
		}
	})
}

// FuzzEntry: any entry that may stand in a manifest is read back as it was written. It reaches what FuzzReader cannot, which
// would have to guess a root.
func FuzzEntry(f *testing.F) {
	f.Add("mast:JWST/product/a.fits", "JWST/o/a.fits", int64(7), "1.13.4", "\u2028\"", int8(3), "obs")
	f.Add("é", `back\slash`, int64(0), "\x00", "", int8(-2), "\x7f")
	f.Fuzz(func(t *testing.T, uri, path string, size int64, version, program string, level int8, obs string) {
		e := manifest.Entry{URI: uri, Path: path, Size: size, SHA256: [32]byte{1}, Proof: "double", CalVer: version, Program: program, Level: int(level), Obs: []string{obs}}
		if _, _, _, err := manifest.Sum(all(e)); err != nil {
			return
		}
		text := encoded(t, e)
		_, entries, err := decode(text)
		if err != nil {
			t.Fatalf("reading %q: %v", text, err)
		}
		if again := encoded(t, entries...); again != text {
			t.Fatalf("written, read and written:\n%q\n%q", text, again)
		}
		clean := func(s string) string { return string([]rune(s)) }
		e.CalVer, e.Program, e.Obs[0] = clean(version), clean(program), clean(obs)
		if diff := cmp.Diff(e, entries[0]); diff != "" {
			t.Fatalf("read back (-want +got):\n%s", diff)
		}
	})
}

func keys(seq iter.Seq2[manifest.Entry, error]) iter.Seq[manifest.Entry] {
	return func(yield func(manifest.Entry) bool) {
		for e := range seq {
			if !yield(e) {
				return
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	const n = 100_000
	h := manifest.Header{}
	var err error
	if h.Files, h.Bytes, h.Root, err = manifest.Sum(many(n)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := manifest.Encode(io.Discard, h, many(n)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkReader(b *testing.B) {
	const n = 100_000
	text := encoded(b, slices.Collect(keys(many(n)))...)
	for b.Loop() {
		r, err := manifest.Open(strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range r.Entries() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
}
