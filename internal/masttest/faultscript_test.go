package masttest_test

import (
	"strings"
	"testing"
	"time"

	"jwstbulk/internal/masttest"
)

func TestRedirects(t *testing.T) {
	t.Parallel()
	until := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	cat, err := masttest.Custom(masttest.File{Name: oneName, ReleaseAt: until})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"same", "port"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			s := masttest.Start(t, masttest.Config{Catalog: cat, Tokens: []masttest.Token{{Value: "tok"}}})
			s.SetFault(masttest.Fault{Do: masttest.DoRedirect, Value: to})
			r := ask(t, "GET", s.URL+fileURL+oneURI, "Authorization", "token tok")
			loc := r.Header.Get("Location")
			if r.StatusCode != 302 || strings.HasPrefix(loc, s.URL) != (to == "same") {
				t.Fatalf("status %d, Location %q", r.StatusCode, loc)
			}
			if r2 := ask(t, "GET", loc); r2.StatusCode != 200 || len(r2.body) == 0 {
				t.Errorf("the target answers %d: its signature should be enough", r2.StatusCode)
			}
			r = ask(t, "GET", s.URL+fileURL+oneURI)
			if r2 := ask(t, "GET", r.Header.Get("Location")); r2.StatusCode != 401 {
				t.Errorf("without rights the target answers %d, want 401", r2.StatusCode)
			}
		})
	}
	s := masttest.Start(t, masttest.Config{Catalog: cat, Faults: []masttest.Fault{{Do: masttest.DoRedirect, Value: "loop"}}})
	if r := ask(t, "GET", s.URL+fileURL+oneURI); r.Header.Get("Location") != s.URL+fileURL+oneURI {
		t.Errorf("loop goes to %q", r.Header.Get("Location"))
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{``, `{}`, `[{"do":"fly"}]`, `[{"do":"cut","after":-1}]`, `[{"do":"status"}]`,
		`[{"do":"cut","when":"now"}]`, `[{"do":"cut","uri":"["}]`, `[{"do":"status","status":99}]`} {
		if fs, err := masttest.ParseFaults(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseFaults(%s) = %v, want an error", bad, fs)
		}
	}
	fs, err := masttest.ParseFaults(strings.NewReader(`[{"uri":"*_cal.fits","do":"cut","after":1048576,"per_uri":true}]`))
	if err != nil || len(fs) != 1 || fs[0].After != 1<<20 || !fs[0].PerURI {
		t.Errorf("ParseFaults = %+v, %v", fs, err)
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add(`[{"do":"status","statuses":[503,0],"retry_after":"date:3"}]`)
	f.Add(`[{"uri":"[","do":"cut"}]`)
	f.Fuzz(func(t *testing.T, script string) {
		fs, err := masttest.ParseFaults(strings.NewReader(script))
		if err != nil {
			return
		}
		s, err := masttest.New(masttest.Config{Faults: fs}) // what parses must be accepted
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	})
}
