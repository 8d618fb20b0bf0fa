package fits_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/fits"
)

func TestWholeFiles(t *testing.T) {
	t.Parallel()
	heap := append(noise(3*8), noise(5000)...)
	groups := new(fits.Header).Bool("SIMPLE", true, "").Int("BITPIX", 16, "").Int("NAXIS", 3, "").
		Int("NAXIS1", 0, "").Int("NAXIS2", 3, "").Int("NAXIS3", 5, "").
		Bool("GROUPS", true, "").Int("PCOUNT", 4, "").Int("GCOUNT", 6, "")
	ascii := new(fits.Header).String("XTENSION", "TABLE", "").Int("BITPIX", 8, "").Int("NAXIS", 2, "").
		Int("NAXIS1", 20, "").Int("NAXIS2", 3, "").Int("PCOUNT", 0, "").Int("GCOUNT", 1, "").Int("TFIELDS", 2, "").
		Int("TBCOL1", 1, "").String("TFORM1", "I10", "").Int("TBCOL2", 11, "").String("TFORM2", "E10.3", "")
	foreign := new(fits.Header).String("XTENSION", "FOREIGN", "").Int("BITPIX", 16, "").Int("NAXIS", 1, "").
		Int("NAXIS1", 10, "").Int("PCOUNT", 5, "").Int("GCOUNT", 2, "")
	compressed := fits.BinTable("SCI", 3, 5000, "1PB(1700)").Int("THEAP", 24, "").Bool("ZIMAGE", true, "").
		Int("ZBITPIX", 16, "").Int("ZNAXIS", 2, "").Int("ZNAXIS1", 10, "").Int("ZNAXIS2", 3, "").String("ZCMPTYPE", "RICE_1", "")
	empty := part{head: fits.Primary(8)}
	tests := []struct {
		name string
		file []byte
		hdus int
	}{
		{"no data", file(t, empty), 1},
		{"an axis of zero after huge ones", file(t, part{head: fits.Primary(64, 1<<40, 1<<40, 0)}), 1},
		{"data that fill their block", file(t, part{head: fits.Primary(8, 2880), data: noise(2880)}), 1},
		{"one byte of data", file(t, part{head: fits.Primary(8, 1), data: noise(1)}), 1},
		{"random groups", file(t, part{head: groups, data: noise(2 * 6 * (4 + 15))}), 1},
		{"ASCII table", file(t, empty, part{head: ascii, data: bytes.Repeat([]byte("1"), 60), fill: ' '}), 2},
		{"foreign extension with its own fill", file(t, empty, part{head: foreign, data: noise(2 * 2 * 15), fill: 9}), 2},
		{"heap", file(t, empty, part{head: fits.BinTable("T", 3, 5000, "1PB(1700)"), data: heap}), 2},
		{"compressed image", file(t, empty, part{head: compressed, data: heap}), 2},
		{"zero-width columns", file(t, empty, part{head: fits.BinTable("T", 3, 0, "0A", "3X", "0QE(9)", "M"), data: noise(51)}), 2},
		{"JWST product", jwst(t, false), 4},
		{"JWST product with sums", jwst(t, true), 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, step := range []int{0, 1, 7, 79, 2880, 2881} {
				r := check(t, fits.New(), tt.file, step)
				if r.Err != nil || r.HDUs != tt.hdus || r.Bytes != int64(len(tt.file)) || len(r.Notes) > 0 || r.SumErr != nil {
					t.Fatalf("in steps of %d: %+v, want %d HDUs and no complaint", step, r, tt.hdus)
				}
			}
		})
	}
}

// damage applies one change to a copy of a whole JWST-like file.
type damage struct {
	name  string
	edit  func(b []byte) []byte
	want  string // part of the complaint
	cause error
}

func damages() []damage {
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
	}
	card := func(old, new string) func([]byte) []byte {
		return replace(old+strings.Repeat(" ", 80-len(old)), new+strings.Repeat(" ", 80-len(new)))
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	return []damage{
		{"empty", func([]byte) []byte { return nil }, "empty", fits.ErrTruncated},
		{"cut in fill", cut(1), "1 bytes before the end", fits.ErrTruncated},
		{"cut in data", cut(2500), "2500 bytes before the end", fits.ErrTruncated},
		{"cut at the end of a header", cut(2880), "2880 bytes before the end", fits.ErrTruncated},
		{"cut in a header", cut(2880 + 100), "within a header", fits.ErrTruncated},
		{"cut in the first card", func(b []byte) []byte { return b[:20] }, "within a header", fits.ErrTruncated},
		{"a byte too many", func(b []byte) []byte { return append(b, 0) }, "begin no HDU", nil},
		{"a block too many", func(b []byte) []byte { return append(b, make([]byte, 2880)...) }, "no extension", nil},
		{"blanks after the end", func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 2880)...) }, "no extension", nil},
		{"web page", func([]byte) []byte { return []byte("\n <!DOCTYPE html><html>") }, "web page", fits.ErrHTML},
		{"long web page", func([]byte) []byte { return []byte("<html>" + strings.Repeat("x", 5000)) }, "web page", fits.ErrHTML},
		{"XML error", func([]byte) []byte { return []byte(`<?xml version="1.0"?><Error><Code>AccessDenied`) }, "web page", fits.ErrHTML},
		{"JSON error", func([]byte) []byte { return []byte(`{"status":"ERROR"}`) }, "begin no HDU", nil},
		{"zeros", func(b []byte) []byte { return make([]byte, len(b)) }, "does not begin with SIMPLE", nil},
		{"SIMPLE is F", replace("SIMPLE  =                    T", "SIMPLE  =                    F"), "SIMPLE", nil},
		{"SIMPLE out of its column", replace("SIMPLE  =                    T", "SIMPLE  =                   T "), "SIMPLE", nil},
		{"BITPIX of no type", card("BITPIX  =                  -32", "BITPIX  =                  -16"), "BITPIX = -16", nil},
		{"BITPIX not right-justified", card("BITPIX  =                  -32", "BITPIX  = -32"), "fixed format", nil},
		{"NAXIS too large", card("NAXIS   =                    0", "NAXIS   =                 1000"), "NAXIS = 1000", nil},
		{"NAXIS negative", card("NAXIS   =                    0", "NAXIS   =                   -1"), "NAXIS = -1", nil},
		{"NAXIS counts an axis too many", card("NAXIS   =                    0", "NAXIS   =                    1"), "NAXIS1 must stand", nil},
		{"axis beyond NAXIS", card("SDP_VER = '2023_4a '", "NAXIS1  =                    7"), "beyond NAXIS = 0", nil},
		{"axis negative", card("NAXIS1  =                   32", "NAXIS1  =                  -32"), "negative", nil},
		{"axes that overflow", card("NAXIS2  =                   33", "NAXIS2  =  9223372036854775807"), "no file can have", nil},
		{"axis beyond an int64", card("NAXIS2  =                   33", "NAXIS2  =  9223372036854775808"), "fixed format", nil},
		{"BITPIX twice", card("SDP_VER = '2023_4a '", "BITPIX  =                    8"), "twice", nil},
		{"GCOUNT of an image", card("GCOUNT  =                    1", "GCOUNT  =                    2"), "GCOUNT = 2", nil},
		{"PCOUNT of an image", card("PCOUNT  =                    0", "PCOUNT  =                    8"), "PCOUNT = 8", nil},
		{"columns that do not fill the row", card("TFORM2  = 'D       '", "TFORM2  = 'E       '"), "NAXIS1 is 26", nil},
		{"column without a format", card("TFORM2  = 'D       '", "TFORMX  = 'D       '"), "2 columns have a TFORM", nil},
		{"format of no type", card("TFORM2  = 'D       '", "TFORM2  = 'Y       '"), "not a format", nil},
		{"format twice", card("TFORM2  = 'D       '", "TFORM1  = '8A      '"), "twice", nil},
		{"format beyond TFIELDS", card("TFORM2  = 'D       '", "TFORM9  = 'D       '"), "beyond TFIELDS", nil},
		{"column count too large", card("TFIELDS =                    3", "TFIELDS =                 1000"), "TFIELDS = 1000", nil},
		{"BITPIX of a table", replace("BITPIX  =                    8"+strings.Repeat(" ", 50)+"NAXIS   =                    2",
			"BITPIX  =                   16"+strings.Repeat(" ", 50)+"NAXIS   =                    2"), "in a table", nil},
		{"byte that is not text", replace("1.13.4", "1.\x0013.4"[:6]), "not ASCII text", nil},
		{"keyword in lower case", replace("CAL_VER ", "CAl_VER "), "no keyword may have", nil},
		{"keyword with a blank inside", replace("CAL_VER ", "CAL VER "), "no keyword may have", nil},
		{"quote lost", replace("'1.13.4  '", "'1.13.4   "), "cannot be read", nil},
		{"number with two points", card("GCOUNT  =                    1", "GCOUNT  =                  1.1"), "fixed format", nil},
		{"END with text", replace("END"+strings.Repeat(" ", 77), "END"+strings.Repeat(" ", 76)+"x"), "text after END", nil},
		{"END lost", replace("END     ", "        "), "twice", nil},
		{"text after END", func(b []byte) []byte { b[2879] = 'x'; return b }, "after the END card", nil},
		{"fill not zero", func(b []byte) []byte { b[len(b)-1] = 1; return b }, "fill", nil},
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	whole := jwst(t, false)
	for _, tt := range damages() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := tt.edit(bytes.Clone(whole))
			if bytes.Equal(bad, whole) {
				t.Fatal("the damage changed nothing")
			}
			r := check(t, fits.New(), bad, 0)
			e := structure(t, r)
			if e == nil || !strings.Contains(e.Error(), tt.want) {
				t.Fatalf("Err = %v, want %q", r.Err, tt.want)
			}
			if !errors.Is(r.Err, fits.ErrTruncated) == (tt.cause == fits.ErrTruncated) ||
				!errors.Is(r.Err, fits.ErrHTML) == (tt.cause == fits.ErrHTML) {
				t.Errorf("cause of %v is %v, want %v", r.Err, e.Cause, tt.cause)
			}
			for _, step := range []int{1, 31, 2879} {
				if again := check(t, fits.New(), bad, step); again.Err.Error() != r.Err.Error() || again.HDUs != r.HDUs {
					t.Errorf("in steps of %d: %v after %d HDUs, in one piece: %v after %d", step, again.Err, again.HDUs, r.Err, r.HDUs)
				}
			}
		})
	}
}

// A file cut exactly where an HDU ends is a whole FITS file; only its length can tell. The note about ASDF is all there is.
func TestCutBetweenHDUs(t *testing.T) {
	t.Parallel()
	whole := jwst(t, false)
	r := check(t, fits.New(), whole[:len(whole)-2*2880], 0)
	if r.Err != nil || r.HDUs != 3 {
		t.Errorf("Err = %v, HDUs = %d; want none and 3", r.Err, r.HDUs)
	}
	if diff := cmp.Diff([]string{"no ASDF extension"}, r.Notes); diff != "" {
		t.Errorf("Notes (-want +got):\n%s", diff)
	}
}

func TestCardBounds(t *testing.T) {
	t.Parallel()
	head, err := fits.Primary(8).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	blank := bytes.Repeat([]byte(" "), 2880)
	copy(head[4*80:], blank) // END goes
	c := fits.New()
	_, _ = c.Write(head)
	for range 100_000/36 + 1 {
		_, _ = c.Write(blank)
	}
	if r := c.Finish(); r.Err == nil || !strings.Contains(r.Err.Error(), "more than 100000 cards") {
		t.Errorf("Err = %v, want the bound on cards", r.Err)
	}
}

func TestNinetyNineHundredAxes(t *testing.T) {
	t.Parallel()
	axes := make([]int64, 999)
	for i := range axes {
		axes[i] = 1
	}
	if r := check(t, fits.New(), file(t, part{head: fits.Primary(16, axes...), data: noise(2)}), 0); r.Err != nil {
		t.Errorf("999 axes: %v", r.Err)
	}
}

func TestTheap(t *testing.T) {
	t.Parallel()
	for theap, ok := range map[int64]bool{23: false, 24: true, 5024: true, 5025: false, -1: false} {
		head := fits.BinTable("T", 3, 5000, "1PB(1700)").Int("THEAP", theap, "")
		r := check(t, fits.New(), file(t, part{head: fits.Primary(8)}, part{head: head, data: noise(5024)}), 0)
		if (r.Err == nil) != ok {
			t.Errorf("THEAP = %d: Err = %v, want ok = %v", theap, r.Err, ok)
		}
	}
}

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	r := check(t, fits.New(), jwst(t, false), 0)
	want := map[string]string{"CAL_VER": "1.13.4", "CRDS_CTX": "jwst_1188.pmap", "CRDS_VER": "11.17.15", "SDP_VER": "2023_4a",
		"DATE": "2024-02-03T04:05:06.789", "PROGRAM": "01345", "DATAMODL": "ImageModel", "INSTRUME": "NIRCAM",
		"FILENAME": "jw01345001001_02201_00001_nrca1_cal.fits", "TELESCOP": "JWST"}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("Header (-want +got):\n%s", diff)
	}
	for _, name := range fits.Keywords() {
		if _, ok := want[name]; !ok {
			t.Errorf("Keywords has %s, which no test looks at", name)
		}
	}
	head := fits.Primary(8).String("CAL_VER", " it's", "").String("CAL_VER", "second", "").String("SDP_VER", "", "").
		Int("PROGRAM", 1345, "a number / with a slash").String("DATE", "a / b", "")
	second := fits.Image("SCI", 8).String("DATAMODL", "of an extension", "")
	r = check(t, fits.New(), file(t, part{head: head}, part{head: second}), 0)
	want = map[string]string{"CAL_VER": " it's", "PROGRAM": "1345", "DATE": "a / b"}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("Header (-want +got):\n%s", diff)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"stale NEXTEND", file(t, part{head: fits.Primary(8).Int("NEXTEND", 5, "")}, part{head: fits.Image("SCI", 8)}),
			"NEXTEND is 5, the file has 1 extensions"},
		{"no EXTEND", file(t, part{head: new(fits.Header).Bool("SIMPLE", true, "").Int("BITPIX", 8, "").Int("NAXIS", 0, "")},
			part{head: fits.Image("SCI", 8)}), "the primary header does not announce extensions (EXTEND)"},
		{"ASDF that is none", file(t, part{head: fits.Primary(8)}, part{head: fits.BinTable("ASDF", 1, 0, "9B"), data: noise(9)}),
			"the ASDF extension does not begin with #ASDF"},
	}
	for _, tt := range tests {
		r := check(t, fits.New(), tt.file, 3)
		if diff := cmp.Diff([]string{tt.want}, r.Notes); diff != "" || r.Err != nil {
			t.Errorf("%s: Err = %v, Notes (-want +got):\n%s", tt.name, r.Err, diff)
		}
	}
}

// The samples come from astropy's own tests; see testdata/fits/PROVENANCE.
func TestSamples(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		hdus int
		sum  fits.SumState
	}{"arange": {1, fits.SumAbsent}, "blank": {1, fits.SumAbsent}, "checksum": {2, fits.SumOK}, "table": {2, fits.SumAbsent}, "test0": {5, fits.SumAbsent}}
	for name, w := range want {
		b, err := os.ReadFile(filepath.Join("testdata", "fits", name+".fits"))
		if err != nil {
			t.Fatal(err)
		}
		if r := check(t, fits.New(), b, 0); r.Err != nil || r.HDUs != w.hdus || r.Sum != w.sum || r.SumErr != nil {
			t.Errorf("%s: %+v, want %+v", name, r, w)
		}
		for cut := 1; cut < len(b); cut += 211 {
			if r := check(t, fits.New(), b[:cut], 0); cut%2880 != 0 && r.Err == nil {
				t.Errorf("%s cut to %d bytes is taken for whole", name, cut)
			}
		}
	}
}

func TestSumsFindEveryFlippedBit(t *testing.T) {
	t.Parallel()
	whole := jwst(t, true)
	if r := check(t, fits.New(), whole, 0); r.Sum != fits.SumOK {
		t.Fatalf("Sum = %q, %v; want ok", r.Sum, r.SumErr)
	}
	for i := 0; i < len(whole); i += 37 {
		// A flip in the name of a checksum card removes the card, and with it what it protects.
		if card := whole[i/80*80:]; i%80 < 8 && (bytes.HasPrefix(card, []byte("CHECKSUM")) || bytes.HasPrefix(card, []byte("DATASUM "))) {
			continue
		}
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		if r := check(t, fits.New(), b, 0); r.Err == nil && r.Sum != fits.SumBad {
			t.Errorf("bit %d of byte %d flipped: no complaint", i%8, i)
		}
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	// CHECKSUM over zeros and DATASUM of no data are the two cases where ones' complement has two zeros.
	zeros := file(t, part{head: fits.Primary(8, 100), data: make([]byte, 100), seal: true}, part{head: fits.Image("E", 8), seal: true})
	if r := check(t, fits.New(), zeros, 0); r.Sum != fits.SumOK {
		t.Errorf("zeros: Sum = %q, %v; want ok", r.Sum, r.SumErr)
	}
	unset := file(t, part{head: fits.Primary(8, 5).String("CHECKSUM", "", "").String("DATASUM", "", ""), data: noise(5)})
	if r := check(t, fits.New(), unset, 0); r.Sum != fits.SumAbsent {
		t.Errorf("empty cards: Sum = %q, want absent", r.Sum)
	}
	only := file(t, part{head: fits.Primary(8, 5).String("DATASUM", "1", ""), data: noise(5)})
	r := check(t, fits.New(), only, 0)
	var e *fits.SumError
	if r.Sum != fits.SumBad || !errors.As(r.SumErr, &e) || e.Card != "DATASUM" || e.Want != "1" || r.Err != nil {
		t.Errorf("wrong DATASUM: %+v", r)
	}
	if _, err := strconv.ParseUint(e.Got, 10, 32); err != nil {
		t.Errorf("SumError.Got = %q, want a decimal number", e.Got)
	}
	text := file(t, part{head: fits.Primary(8, 5).String("DATASUM", "one", ""), data: noise(5)})
	if r := check(t, fits.New(), text, 0); r.Sum != fits.SumBad {
		t.Errorf("DATASUM that is no number: Sum = %q, want bad", r.Sum)
	}
}
