package fits_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"jwstbulk/internal/fits"
)

const ecsv = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\n# - {name: b, datatype: string}\n" +
	"# schema: astropy-2.0\na b\n1 \"two words\"\n2 x\n"

func images(tb testing.TB) (jpg, pngFile []byte) {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	copy(img.Pix, noise(len(img.Pix)))
	var j, p bytes.Buffer
	if err := jpeg.Encode(&j, img, nil); err != nil {
		tb.Fatal(err)
	}
	if err := png.Encode(&p, img); err != nil {
		tb.Fatal(err)
	}
	return j.Bytes(), p.Bytes()
}

func TestLight(t *testing.T) {
	t.Parallel()
	jpg, pngFile := images(t)
	with := func(b []byte, tail ...byte) string { return string(append(bytes.Clone(b), tail...)) }
	flip := bytes.Clone(pngFile)
	flip[len(flip)/2] ^= 4
	const page = "<!DOCTYPE html>\n<html><head><title>Access denied</title>"
	tests := []struct {
		name, file, body string
		want             string // "" = whole
		cause            error
		notes            int
	}{
		{"json", "a_asn.json", `{"asn_id": "o001", "products": [{"n": -1.5e3, "x": null, "s": "a\u00e9\"\n"}, [], {}, true]}`, "", nil, 0},
		{"json number alone", "a.json", " 12 \n", "", nil, 0},
		{"json with mark and NaN", "a.json", "\xef\xbb\xbf[NaN, -Infinity]", "", nil, 1},
		{"json empty", "a.json", "", "empty", fits.ErrTruncated, 0},
		{"json blank", "a.json", "\n\n", "not complete", fits.ErrTruncated, 0},
		{"json cut", "a.json", `{"a": [1, 2`, "not complete", fits.ErrTruncated, 0},
		{"json cut in a string", "a.json", `{"a": "x`, "not complete", fits.ErrTruncated, 0},
		{"json twice", "a.json", `{} {}`, "unexpected", nil, 0},
		{"json with a comma too many", "a.json", `[1,]`, "unexpected", nil, 0},
		{"json brackets", "a.json", `[1}`, "do not match", nil, 0},
		{"json word", "a.json", `[nul]`, "unknown value", nil, 0},
		{"json number", "a.json", `[01]`, "unknown value", nil, 0},
		{"json escape", "a.json", `["\x"]`, "unknown escape", nil, 0},
		{"json hole", "a.json", `["a` + "\x00\x00", "control character", nil, 0},
		{"json deep", "a.json", strings.Repeat("[", 1001), "too deeply", nil, 0},
		{"json long number", "a.json", strings.Repeat("1", 500), "does not end", nil, 0},
		{"json page", "a.json", page, "web page", fits.ErrHTML, 0},
		{"ecsv", "a_cat.ecsv", ecsv, "", nil, 0},
		{"ecsv with commas", "a.ecsv", "# %ECSV 1.0\n# delimiter: ','\n#\na,b\n1,\"2,5\"\n", "", nil, 0},
		{"ecsv upper case suffix", "A.ECSV", ecsv, "", nil, 0},
		{"ecsv cut in the last row", "a.ecsv", ecsv[:len(ecsv)-3], "not complete", fits.ErrTruncated, 0},
		{"ecsv without last line feed", "a.ecsv", ecsv[:len(ecsv)-1], "line break", fits.ErrTruncated, 0},
		{"ecsv cut in the comments", "a.ecsv", ecsv[:40], "line break", fits.ErrTruncated, 0},
		{"ecsv cut after a comment", "a.ecsv", ecsv[:18], "no line of column names", fits.ErrTruncated, 0},
		{"ecsv cut in the first line", "a.ecsv", ecsv[:5], "first line is not complete", fits.ErrTruncated, 0},
		{"ecsv that is csv", "a.ecsv", "a,b\n1,2\n", "not ECSV", nil, 0},
		{"ecsv short and foreign", "a.ecsv", "{}", "not ECSV", nil, 0},
		{"ecsv ragged", "a.ecsv", ecsv + "1 2 3\n", "", nil, 1},
		{"ecsv hole", "a.ecsv", ecsv + "\x00", "NUL", nil, 0},
		{"csv", "edb.csv", "theTime,MJD,euvalue,sqldataType\r\n2022,59760.9,0.15,float\r\n", "", nil, 0},
		{"csv with bars and commas inside", "a_pool.csv", "A|B|C\n1|(1, 2)|NULL\n", "", nil, 0},
		{"csv with a line break in a field", "a.csv", "a,b\n\"x\ny\",2\n", "", nil, 0},
		{"csv last line open", "a.csv", "a,b\n1,2", "", nil, 1},
		{"csv last line short", "a.csv", "a,b\n1,2\n1", "not complete", fits.ErrTruncated, 0},
		{"csv names too long to count", "a.csv", strings.Repeat("a,", 40000) + "\n1\n", "", nil, 0},
		{"csv page", "a.csv", page, "web page", fits.ErrHTML, 0},
		{"csv empty", "a.csv", "", "empty", fits.ErrTruncated, 0},
		{"jpeg", "a_thumb.jpg", string(jpg), "", nil, 0},
		{"jpeg with zeros behind", "a.jpeg", with(jpg, 0, 0, 0), "", nil, 1},
		{"jpeg cut", "a.jpg", string(jpg[:len(jpg)-1]), "no end mark", fits.ErrTruncated, 0},
		{"jpeg with a hole to the end", "a.jpg", string(jpg[:400]) + strings.Repeat("\x00", 300), "no end mark", fits.ErrTruncated, 0},
		{"jpeg that is png", "a.jpg", string(pngFile), "not JPEG", nil, 0},
		{"jpeg page", "a.jpg", page, "web page", fits.ErrHTML, 0},
		{"png", "a.png", string(pngFile), "", nil, 0},
		{"png cut", "a.png", string(pngFile[:len(pngFile)-5]), "no end chunk", fits.ErrTruncated, 0},
		{"png flipped", "a.png", string(flip), "CRC", nil, 0},
		{"png with a tail", "a.png", with(pngFile, 1), "after the end", nil, 0},
		{"png that is jpeg", "a.png", string(jpg), "not PNG", nil, 0},
		{"png chunk out of order", "a.png", string(pngFile[:8]) + "\x00\x00\x00\x00IDAT", "not a PNG chunk", nil, 0},
		{"gzip", "a.fits.gz", "\x1f\x8b\x08" + strings.Repeat("x", 30), "", nil, 0},
		{"gzip of something else", "a.gz", "PK\x03\x04" + strings.Repeat("x", 30), "not gzip", nil, 0},
		{"gzip cut", "a.gz", "\x1f\x8b\x08", "too short", fits.ErrTruncated, 0},
		{"other", "a.txt", "anything\x00", "", nil, 0},
		{"other empty", "README", "", "", nil, 0},
		{"other page", "a.txt", page, "web page", fits.ErrHTML, 0},
		{"a page that is wanted", "a.html", page, "", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, step := range []int{0, 1, 2, 3, 11} {
				r := check(t, fits.ForName(tt.file), []byte(tt.body), step)
				e := structure(t, r)
				if (e == nil) != (tt.want == "") || e != nil && !strings.Contains(e.Why, tt.want) {
					t.Fatalf("in steps of %d: Err = %v, want %q", step, r.Err, tt.want)
				}
				if e != nil && e.Cause != tt.cause {
					t.Errorf("in steps of %d: cause of %v is %v, want %v", step, e, e.Cause, tt.cause)
				}
				if len(r.Notes) != tt.notes || r.Bytes != int64(len(tt.body)) || r.Sum != fits.SumAbsent || r.Header != nil {
					t.Errorf("in steps of %d: %+v, want %d notes", step, r, tt.notes)
				}
			}
		})
	}
}

func TestForNameKinds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]fits.Kind{"a.fits": fits.KindFITS, "A.FITS": fits.KindFITS, "a.fits.gz": fits.KindGzip,
		"a.json": fits.KindJSON, "a.ecsv": fits.KindECSV, "a.csv": fits.KindCSV, "a.jpg": fits.KindJPEG, "a.png": fits.KindPNG,
		"fits": fits.KindOther, "a.": fits.KindOther, "": fits.KindOther} {
		if got := fits.ForName(name).Finish().Kind; got != want {
			t.Errorf("ForName(%q) is a check for %q, want %q", name, got, want)
		}
	}
}

func TestErrComesEarly(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a.fits": strings.Repeat("x", 2880), "a.json": "}", "a.png": "notapngfile"} {
		c := fits.ForName(name)
		if c.Err() != nil {
			t.Errorf("%s: Err before any byte = %v", name, c.Err())
		}
		_, _ = c.Write([]byte(body))
		if c.Err() == nil {
			t.Errorf("%s: no Err after %q", name, body[:1])
		}
		if first, second := c.Finish(), c.Finish(); first.Err != second.Err {
			t.Errorf("%s: Finish = %v, then %v", name, first.Err, second.Err)
		}
	}
}

// FuzzLight holds every check against splitting, and the JSON one against encoding/json.
func FuzzLight(f *testing.F) {
	jpg, pngFile := images(f)
	for _, seed := range []string{ecsv, `{"a":[1,-2.5e+3,"\u00e9",true,null]}`, "a,b\n1,2\n", "<html>", string(jpg), string(pngFile), "[NaN]", "\xef\xbb\xbf{}"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		for _, name := range []string{"a.json", "a.ecsv", "a.csv", "a.jpg", "a.png", "a.gz", "a"} {
			one := check(t, fits.ForName(name), b, 0)
			two := check(t, fits.ForName(name), b, int(step)+1)
			if (one.Err == nil) != (two.Err == nil) || one.Err != nil && one.Err.Error() != two.Err.Error() {
				t.Fatalf("%s: in one piece %v, in steps of %d %v", name, one.Err, int(step)+1, two.Err)
			}
			if name != "a.json" || one.Err == nil && len(one.Notes) > 0 || errors.Is(one.Err, fits.ErrHTML) {
				continue
			}
			valid := json.Valid(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
			if bounded := len(b) < 400; bounded && valid != (one.Err == nil) {
				t.Fatalf("%q: Err = %v, json.Valid = %v", b, one.Err, valid)
			}
		}
	})
}
