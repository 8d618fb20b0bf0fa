package masttest_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jwstbulk/internal/masttest"
)

// BenchmarkContent measures the bytes of a large file: the target is 1 GB/s a core.
func BenchmarkContent(b *testing.B) {
	cat, err := masttest.Custom(masttest.File{Name: "jw02733002001_02103_00001_mirimage_cal.fits", Size: 64 << 20 / 2880 * 2880})
	if err != nil {
		b.Fatal(err)
	}
	s, err := masttest.New(masttest.Config{Catalog: cat})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r, _ := s.Content("mast:JWST/product/jw02733002001_02103_00001_mirimage_cal.fits")
	buf := make([]byte, 256<<10)
	b.SetBytes(r.Size())
	for b.Loop() {
		for off := int64(0); off < r.Size(); off += int64(len(buf)) {
			if _, err := r.ReadAt(buf, off); err != nil && err != io.EOF {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkProducts measures a page of product rows of the synthetic catalogue; see the rows/s metric.
func BenchmarkProducts(b *testing.B) {
	s, err := masttest.New(masttest.Config{Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 1000})})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var ids []string
	rows := 0
	for o := range s.Observations() {
		if len(ids) < 50 {
			ids = append(ids, fmt.Sprint(o.Obsid))
		}
	}
	body := url.Values{"request": {`{"service":"Mast.Caom.Products","params":{"obsid":"` + strings.Join(ids, ",") +
		`"},"format":"json","pagesize":50000,"page":1}`}}.Encode()
	for b.Loop() {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/api/v0/invoke", strings.NewReader(body))
		s.ServeHTTP(w, req)
		rows += strings.Count(w.Body.String(), `"obsID"`)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
