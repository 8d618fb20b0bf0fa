package fits_test

import (
	"fmt"
	"io"
	"strings"

	"jwstbulk/internal/fits"
)

func ExampleNew() {
	head, err := fits.Primary(16, 100).String("CAL_VER", "1.13.4", "").Bytes()
	if err != nil {
		fmt.Println(err)
		return
	}
	c := fits.New()
	_, _ = c.Write(head) // a check never refuses bytes
	_, _ = c.Write(make([]byte, 200))
	report := c.Finish()
	fmt.Println(report.Err)
	fmt.Println(report.Header["CAL_VER"])
	// Output:
	// HDU 0, byte 3080: the file ends 2680 bytes before the end of this HDU
	// 1.13.4
}

func ExampleForName() {
	c := fits.ForName("jw01345-o001_asn.json")
	if _, err := io.Copy(c, strings.NewReader(`{"products": [`)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Finish().Err)
	// Output: byte 14: the JSON text is not complete
}

func ExampleHeader_Seal() {
	data := []byte("pixels")
	head, err := fits.Primary(8, int64(len(data))).Seal(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := fits.New()
	_, _ = c.Write(head)
	_, _ = c.Write(data)
	_, _ = c.Write(make([]byte, fits.Padding(int64(len(data)))))
	fmt.Println(c.Finish().Sum)
	// Output: ok
}
