package masttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"jwstbulk/internal/masttest"
)

// A file's first reply is cut, its second is whole; the record tells what was asked.
func ExampleNew() {
	cat, err := masttest.Custom(masttest.File{Name: "jw02733002001_02103_00001_mirimage_cal.fits", Size: 28_800})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := masttest.New(masttest.Config{
		Catalog: cat,
		Faults:  []masttest.Fault{{URI: "*_cal.fits", Do: masttest.DoCut, After: 1000, Count: 1}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	srv := httptest.NewServer(s)
	defer srv.Close()
	for range 2 {
		resp, err := http.Get(srv.URL + "/api/v0.1/Download/file?uri=mast:JWST/product/jw02733002001_02103_00001_mirimage_cal.fits")
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		fmt.Println(n, err)
	}
	for _, r := range s.BodyRequests("*_cal.fits") {
		fmt.Println(r.Method, r.Status, r.Sent)
	}
	// Output:
	// 1000 unexpected EOF
	// 28800 <nil>
	// GET 200 1000
	// GET 200 28800
}

func ExampleParseFaults() {
	fs, err := masttest.ParseFaults(strings.NewReader(`[{"uri": "*_uncal.fits", "do": "status", "statuses": [503, 429], "retry_after": "2"}]`))
	fmt.Println(len(fs), fs[0].Do, err)
	// Output: 1 status <nil>
}

func ExampleSynthetic() {
	cat := masttest.Synthetic(masttest.SyntheticConfig{Observations: 150_000, PerProgram: 1000})
	rows := 0
	for o := range cat.Observations() {
		rows += cat.Rows(o.Obsid)
	}
	fmt.Println(rows, "product rows")
	// Output: 10080000 product rows
}

func ExampleRecorded() {
	cat, err := masttest.Recorded(masttest.RecordedConfig{Programs: []string{"1216"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range cat.Files() {
		fmt.Println(f.Name, f.Size, f.CalVer)
		break
	}
	// Output: jw01216202001_02101_00001_nrs1_cal.fits 204480 1.19.1
}

func ExampleProgramme2733() {
	cat, err := masttest.Programme2733()
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for range cat.Observations() {
		n++
	}
	fmt.Println(n, "observations")
	// Output: 12 observations
}

func ExampleCustom() {
	cat, err := masttest.Custom(masttest.File{Name: "jw01039-o004_t001_miri_ch3-long_s3d.fits"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for o := range cat.Observations() {
		fmt.Println(o.ObsID, o.Level, o.Program)
	}
	// Output: jw01039-o004_t001_miri_ch3-long 3 1039
}
