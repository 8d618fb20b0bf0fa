package campaign_test

import (
	"os"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
)

func TestParseAnnounced(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/notices.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := campaign.ParseAnnounced(f)
	if err != nil || len(a.Names) != 3 || !a.New || !a.Accepts("mast:JWST/product/jw05105012002_02201_00001_mirimage_rateints.fits") {
		t.Errorf("recorded notices: %+v, %v", a, err)
	}
	for _, bad := range []string{"", "{}", "[{}]", "[1]", "Dataset,Filename\n"} {
		if _, err := campaign.ParseAnnounced(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseAnnounced(%q) takes it", bad)
		}
	}
}
