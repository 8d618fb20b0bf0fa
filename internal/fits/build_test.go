package fits_test

import (
	"math"
	"strings"
	"testing"

	"jwstbulk/internal/fits"
)

func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	head := fits.Primary(-32, 10, 20).String("OBJECT", "it's", "a target").Float("CRVAL1", 5, "").Float("SMALL", 1.5e-300, "").
		Bool("FLAG", false, "").Comment("free text")
	b, err := head.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"SIMPLE  =                    T / conforms to FITS standard",
		"BITPIX  =                  -32",
		"NAXIS   =                    2",
		"NAXIS1  =                   10",
		"NAXIS2  =                   20",
		"EXTEND  =                    T",
		"OBJECT  = 'it''s   '           / a target",
		"CRVAL1  =                  5.0",
		"SMALL   =             1.5E-300",
		"FLAG    =                    F",
		"COMMENT free text",
		"END",
	}
	if len(b) != fits.BlockSize || head.Cards() != len(want)-1 {
		t.Fatalf("%d bytes, %d cards; want %d, %d", len(b), head.Cards(), fits.BlockSize, len(want)-1)
	}
	for i, w := range want {
		if got := strings.TrimRight(string(b[80*i:80*i+80]), " "); got != w {
			t.Errorf("card %d is %q, want %q", i+1, got, w)
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*fits.Header{
		"long keyword":   fits.Primary(8).Int("NINELETTR", 1, ""),
		"lower case":     fits.Primary(8).Int("lower", 1, ""),
		"no keyword":     fits.Primary(8).Int("", 1, ""),
		"long string":    fits.Primary(8).String("A", strings.Repeat("x", 69), ""),
		"quotes double":  fits.Primary(8).String("A", strings.Repeat("'", 35), ""),
		"not ASCII":      fits.Primary(8).String("A", "é", ""),
		"short and odd":  fits.Primary(8).Comment("\n"),
		"long comment":   fits.Primary(8).Comment(strings.Repeat("x", 73)),
		"NaN":            fits.Primary(8).Float("A", math.NaN(), ""),
		"infinity":       fits.Primary(8).Float("A", math.Inf(1), ""),
		"bad column":     fits.BinTable("T", 1, 0, "Y"),
		"unknown column": fits.BinTable("T", 1, 0, "1P"),
	} {
		if _, err := h.Bytes(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := h.Seal(nil); err == nil {
			t.Errorf("%s: Seal gives no error", name)
		}
	}
}

func TestLongestString(t *testing.T) {
	t.Parallel()
	b, err := fits.Primary(8).String("CAL_VER", strings.Repeat("x", 68), "no room for this").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if r := check(t, fits.New(), b, 0); r.Err != nil || len(r.Header["CAL_VER"]) != 68 {
		t.Errorf("%+v, want a value of 68 characters", r)
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int64{0: 0, 1: 2879, 2879: 1, 2880: 0, 2881: 2879, 1 << 60: 2880 - (1<<60)%2880} {
		if got := fits.Padding(n); got != want {
			t.Errorf("Padding(%d) = %d, want %d", n, got, want)
		}
	}
}
