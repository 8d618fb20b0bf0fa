package mast_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

// keywordRow is a row of the columns that are asked of a keyword service, some 500 bytes.
func keywordRow(i int) string {
	set := fmt.Sprintf("jw02733%03d001_02103_%05d", i/40%1000, i)
	return fmt.Sprintf(`{"filename":"%[1]s_nrcb1_cal.fits","fileSetName":"%[1]s","productLevel":"2b","fileSize":117573120,`+
		`"checksum":"%032[2]x","dataURI":"mast:JWST/product/%[1]s_nrcb1_cal.fits","ArchiveFileID":%[2]d,`+
		`"ingestCompletionDate_mjd":%[3]d.86104166666,"publicReleaseDate_mjd":59774.854166666664,"isStale":false,`+
		`"program":"2733","instrume":"NIRCAM","exp_type":"NRC_IMAGE","detector":"NRCB1","cal_ver":"1.5.3","crds_ctx":"jwst_0913.pmap",`+
		`"sdp_ver":"2022_2a"}`, set, 95_000_000+i, 59_762+i%1000)
}

// replyOf is a reply of one page of rows.
func replyOf(rows int, row func(int) string) string {
	var b strings.Builder
	b.WriteString(`{"status":"COMPLETE","msg":"","data":[`)
	for i := range rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(row(i))
	}
	fmt.Fprintf(&b, `],"paging":{"page":1,"pagesFiltered":1,"rows":%d,"rowsFiltered":%d}}`, rows, rows)
	return b.String()
}

// benchClient asks an archive in memory: neither network nor server take processor time.
func benchClient(b *testing.B, text string) *mast.Client {
	b.Helper()
	c, err := mast.New(mast.Config{Spool: b.TempDir(), Transport: memory(text)})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// memory answers every request with the same text.
type memory string

func (m memory) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(m))), Request: req}, nil
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

// BenchmarkDecodeProducts measures a row from the spool.
func BenchmarkDecodeProducts(b *testing.B) {
	r, err := benchClient(b, replyOf(benchRows, productRow)).Products(context.Background(), []int64{1})
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

// BenchmarkDecodeKeywords measures a row from the spool.
func BenchmarkDecodeKeywords(b *testing.B) {
	r, err := benchClient(b, replyOf(benchRows, keywordRow)).Keywords(context.Background(), "Nircam", mast.Query{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b)()
	for n := 0; n < b.N; {
		for k, err := range r.KeywordRows() {
			if err != nil || k.Size < 0 {
				b.Fatal(k, err)
			}
			if n++; n >= b.N {
				break
			}
		}
	}
	b.SetBytes(r.Bytes() / benchRows)
}

// BenchmarkReceiveProducts measures a row from the body of a reply to the spool.
func BenchmarkReceiveProducts(b *testing.B) {
	c := benchClient(b, replyOf(benchRows, productRow))
	receive(b, func() (*mast.Reply, error) { return c.Products(context.Background(), []int64{1}) })
}

// BenchmarkReceiveKeywords is the same for keyword rows.
func BenchmarkReceiveKeywords(b *testing.B) {
	c := benchClient(b, replyOf(benchRows, keywordRow))
	receive(b, func() (*mast.Reply, error) { return c.Keywords(context.Background(), "Nircam", mast.Query{}) })
}

// BenchmarkReceiveUneven is the same for product rows none of which is like the one before: every other one lacks a column.
func BenchmarkReceiveUneven(b *testing.B) {
	c := benchClient(b, replyOf(benchRows, func(i int) string {
		if i%2 == 0 {
			return productRow(i)
		}
		return strings.Replace(productRow(i), `"productDocumentationURL":null,`, "", 1)
	}))
	receive(b, func() (*mast.Reply, error) { return c.Products(context.Background(), []int64{1}) })
}

func receive(b *testing.B, ask func() (*mast.Reply, error)) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b)()
	for n := 0; n < b.N; n += benchRows {
		r, err := ask()
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
