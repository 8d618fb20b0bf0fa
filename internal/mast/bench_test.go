package mast_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"jwstbulk/internal/mast"
)

// productRow is a row of today's 20 columns, some 700 bytes, as the archive's documentation shows it.
func productRow(i int) string {
	name := fmt.Sprintf("jw01039-o%03d_t001_miri_ch3-long_%05d_s3d.fits", i/40%1000, i)
	return fmt.Sprintf(`{"obsID":%d,"obs_collection":"JWST","dataproduct_type":"cube","obs_id":"jw01039-o%03d_t001_miri_ch3-long",`+
		`"description":"exposure/target (L2b/L3): 3D image of spectrum","type":"D","dataURI":"mast:JWST/product/%s",`+
		`"productType":"%s","productGroupDescription":"Minimum Recommended Products","productSubGroupDescription":"S3D",`+
		`"productDocumentationURL":null,"project":"CALJWST","prvversion":"1.5.3","proposal_id":"1039","productFilename":"%s",`+
		`"size":370405440,"parent_obsid":%d,"dataRights":"PUBLIC","calib_level":3,"filters":"F1000W;F770W","_selected_":null}`,
		83209967+i/40, i/40%1000, name, []string{"SCIENCE", "AUXILIARY", "PREVIEW"}[i%3], name, 83209967+i/40)
}

func productReply(rows int) string {
	var b strings.Builder
	b.WriteString(`{"status":"COMPLETE","msg":"","data":[`)
	for i := range rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(productRow(i))
	}
	fmt.Fprintf(&b, `],"paging":{"page":1,"pagesFiltered":1,"rows":%d,"rowsFiltered":%d}}`, rows, rows)
	return b.String()
}

func benchClient(b *testing.B, text string) *mast.Client {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	b.Cleanup(s.Close)
	c, err := mast.New(mast.Config{BaseURL: s.URL, Spool: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// reportCPU reports the processor time of the whole process, which a busy machine does not blur as it does the wall time.
func reportCPU(b *testing.B) func() {
	start := cpu()
	return func() { b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op") }
}

func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

const benchRows = 20_000

// BenchmarkDecodeProducts measures a row from the spool: the target is 3 µs and 2 allocations.
func BenchmarkDecodeProducts(b *testing.B) {
	r, err := benchClient(b, productReply(benchRows)).Products(context.Background(), []int64{1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b)()
	for n := 0; n < b.N; {
		for p, err := range r.Products() {
			if err != nil || p.Size < 0 {
				b.Fatal(p, err)
			}
			if n++; n >= b.N {
				break
			}
		}
	}
	b.SetBytes(r.Bytes() / benchRows)
}

// BenchmarkReceiveProducts measures a row from the network (loopback, with the server in the same process) to the spool.
func BenchmarkReceiveProducts(b *testing.B) {
	c := benchClient(b, productReply(benchRows))
	b.ResetTimer()
	defer reportCPU(b)()
	for n := 0; n < b.N; n += benchRows {
		r, err := c.Products(context.Background(), []int64{1})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(r.Bytes() / benchRows)
		_ = r.Close()
	}
}

func BenchmarkDecodeObservations(b *testing.B) {
	text, err := os.ReadFile("testdata/caom.json")
	if err != nil {
		b.Fatal(err)
	}
	r, err := benchClient(b, string(text)).Observations(context.Background(), mast.Query{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b)()
	for n := 0; n < b.N; {
		for _, err := range r.Observations() {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}
