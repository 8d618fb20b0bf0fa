package masttest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"jwstbulk/internal/fits"
	"jwstbulk/internal/masttest"
)

// archiveOf serves the files without listening.
func archiveOf(t *testing.T, files ...masttest.File) *masttest.Server {
	t.Helper()
	cat, err := masttest.Custom(files...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := masttest.New(masttest.Config{Catalog: cat})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func bytesOf(t *testing.T, s *masttest.Server, uri string) []byte {
	t.Helper()
	r, ok := s.Content(uri)
	if !ok {
		t.Fatalf("no content for %s", uri)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const base = "mast:JWST/product/"

func TestFITSIsWholeAtEverySize(t *testing.T) {
	t.Parallel()
	var files []masttest.File
	for blocks := int64(1); blocks <= 40; blocks++ {
		files = append(files, masttest.File{Name: fmt.Sprintf("jw01234001001_02101_%05d_nrcb1_cal.fits", blocks), Size: blocks * 2880})
	}
	files = append(files, masttest.File{Name: "jw01234-o001_t001_miri_f770w_i2d.fits", Size: 700 * 2880},
		masttest.File{Name: "jw01234001001_gs-acq1_2023001120000_" + strings.Repeat("x", 60) + "_uncal.fits"})
	s := archiveOf(t, files...)
	for f := range s.Files(nil) {
		b := bytesOf(t, s, f.URI)
		c := fits.New()
		_, _ = c.Write(b)
		rep := c.Finish()
		if rep.Err != nil || int64(len(b)) != f.Size {
			t.Errorf("%s: %d bytes, %v", f.Name, len(b), rep.Err)
		}
		if f.Size >= 9*2880 && rep.HDUs != 5 {
			t.Errorf("%s: %d HDUs, want 5", f.Name, rep.HDUs)
		}
		if rep.Header["CAL_VER"] != "1.19.1" || rep.Header["CRDS_CTX"] != "jwst_1413.pmap" || rep.Header["PROGRAM"] != "01234" {
			t.Errorf("%s: header %v", f.Name, rep.Header)
		}
	}
}

func TestPlainFilesAreValidAtEverySize(t *testing.T) {
	t.Parallel()
	checks := map[string]func([]byte) error{
		"json": func(b []byte) error {
			if !json.Valid(b) {
				return errors.New("not JSON")
			}
			return nil
		},
		"ecsv": endsInLine, "csv": endsInLine,
		"jpg": func(b []byte) error { _, err := jpeg.Decode(bytes.NewReader(b)); return err },
		"png": func(b []byte) error { _, err := png.Decode(bytes.NewReader(b)); return err },
	}
	for ext, check := range checks {
		t.Run(ext, func(t *testing.T) {
			t.Parallel()
			var files []masttest.File
			for i, size := range []int64{1200, 1201, 1202, 1203, 1204, 4076, 64_999, 65_000, 65_001, 66_201, 66_202, 66_203, 66_204, 130_000, 1_000_003} {
				files = append(files, masttest.File{Name: fmt.Sprintf("jw01234-o%03d_t001_miri_f770w_i2d.%s", i+1, ext), Size: size})
			}
			s := archiveOf(t, files...)
			for f := range s.Files(nil) {
				b := bytesOf(t, s, f.URI)
				if err := check(b); err != nil || int64(len(b)) != f.Size {
					t.Errorf("%s of %d bytes: %d, %v", f.Name, f.Size, len(b), err)
				}
			}
		})
	}
}

func endsInLine(b []byte) error {
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return errors.New("does not end in a line feed")
	}
	return nil
}

func TestContentAtAnyOffset(t *testing.T) {
	t.Parallel()
	names := []string{"jw01234001001_02101_00001_nrcb1_cal.fits", "jw01234-o001_t001_miri_f770w_cat.ecsv", "jw01234-o001_t001_miri_f770w_i2d.jpg",
		"jw01234-o001_t001_miri_f770w_i2d.png", "jw01234-o001_20230101t000000_image3_00001_asn.json", "jw01234_20230101t000000_pool.csv", "jw01234_log.txt"}
	var files []masttest.File
	for _, n := range names {
		files = append(files, masttest.File{Name: n, Size: 72_000})
	}
	s := archiveOf(t, files...)
	for _, n := range names {
		r, _ := s.Content(base + n)
		whole := bytesOf(t, s, base+n)
		for range 100 {
			a := rand.Int64N(int64(len(whole)))
			p := make([]byte, rand.IntN(9000))
			got, err := r.ReadAt(p, a)
			want := whole[a:min(int64(len(whole)), a+int64(len(p)))]
			if !bytes.Equal(p[:got], want) || (err == nil) != (got == len(p)) {
				t.Fatalf("%s: ReadAt(%d, %d) = %d, %v", n, len(p), a, got, err)
			}
		}
		if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), whole); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
}

func TestContentDiffersByNameVersionAndSize(t *testing.T) {
	t.Parallel()
	a, b := "jw01234001001_02101_00001_nrcb1_cal.fits", "jw01234001001_02101_00002_nrcb1_cal.fits"
	s := archiveOf(t, masttest.File{Name: a, Size: 28_800}, masttest.File{Name: a, Size: 28_800}, masttest.File{Name: b, Size: 28_800})
	seen := map[string]bool{s.MD5(base + b): true}
	for range 3 {
		sum := s.MD5(base + a)
		if seen[sum] {
			t.Errorf("two versions have the same bytes")
		}
		seen[sum] = true
		if got := s.Reprocess(base + a); len(got) != 1 {
			t.Errorf("Reprocess = %v", got)
		}
	}
	if got := s.Reprocess("*_cal.fits"); len(got) != 2 {
		t.Errorf("Reprocess(glob) = %v, want both", got)
	}
	if got := s.SHA256(base + "no.fits"); got != "" {
		t.Errorf("SHA256 of an unknown file = %q", got)
	}
}

func TestHugeFileAtItsEnds(t *testing.T) {
	t.Parallel()
	const size = 6_542_159_040
	s := archiveOf(t, masttest.File{Name: "jw01541001001_04101_00001-seg002_nis_ramp.fits", Size: size}, masttest.File{Name: "jw01541001001_04101_00001-seg003_nis_ramp.fits", Size: masttest.ZeroSize})
	r, _ := s.Content(base + "jw01541001001_04101_00001-seg002_nis_ramp.fits")
	p := make([]byte, 10)
	if n, err := r.ReadAt(p, size-4); n != 4 || err != io.EOF {
		t.Errorf("ReadAt near the end = %d, %v", n, err)
	}
	if n, err := r.ReadAt(p, 0); n != 10 || err != nil || string(p) != "SIMPLE  = " {
		t.Errorf("ReadAt(0) = %d, %v, %q", n, err, p)
	}
	if b := bytesOf(t, s, base+"jw01541001001_04101_00001-seg003_nis_ramp.fits"); len(b) != 0 {
		t.Errorf("the empty file has %d bytes", len(b))
	}
}
