package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/query"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const in = `# the survey of our paper
program = [1345, "2733"]
level = 3
suffix = ["i2d", "cat"]
where = ["t_exptime=100..", "target_name!=*DARK*"]
date = 2023-01-01
rights = "public"
max-size = 1000000
guide-stars = true
`
	f, err := query.Read(strings.NewReader(in), "q.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := query.Query{Programs: []string{"1345", "2733"}, Levels: []string{"3"}, Suffixes: []string{"i2d", "cat"},
		Where: []string{"t_exptime=100..", "target_name!=*DARK*"}, Dates: []string{"2023-01-01"}, Rights: "public",
		MaxSize: "1000000", GuideStars: true}
	if d := cmp.Diff(want, f.Query); d != "" {
		t.Errorf("Query (-want +got):\n%s", d)
	}
	if err := f.Query.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	// Every word can be taken over by itself, which is how flags replace the keys of a file.
	var q query.Query
	for _, k := range f.Keys {
		if !slices.Contains(query.Keys(), k) {
			t.Errorf("key %q is no word", k)
		}
		q.Take(k, f.Query)
	}
	if d := cmp.Diff(f.Query, q); d != "" {
		t.Errorf("Take of all keys (-want +got):\n%s", d)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		line int
		why  string
	}{
		{"program = 1\nprogramm = 2\n", 2, "did you mean program?"},
		{"\n\narchive = \"http://x\"", 3, `unknown key "archive"`},
		{"token = \"x\"", 1, `unknown key "token"`},
		{"[program]\nx = 1\n", 1, "want text"},
		{"program = [1,\n", 1, ""},
		{"program = 1\nprogram = 2\n", 2, ""},
		{"guide-stars = \"yes\"", 1, "true or false"},
		{"rights = [\"public\"]", 1, "not a list"},
		{"level = [3, 9]", 1, `invalid --level "9"`},
		{"program = true", 1, "want text"},
		{"cone = [[1, 2, 3]]", 1, "want text"},
		{strings.Repeat("#", 1<<20) + "\n", 0, "larger than"},
	} {
		_, err := query.Read(strings.NewReader(tc.in), "q.toml")
		var fe *query.FileError
		if !errors.As(err, &fe) || tc.why != "" && fe.Line != tc.line || !strings.Contains(err.Error(), tc.why) || !strings.HasPrefix(err.Error(), "q.toml:") {
			t.Errorf("Read(%.40q) = %v, want line %d, %q", tc.in, err, tc.line, tc.why)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("program = [1345]\nwhere = [\"t_exptime=1..\"]\nguide-stars = true\ndate = 2023-01-01")
	f.Add("[a.b]\nc = 1")
	f.Fuzz(func(t *testing.T, s string) {
		q, err := query.Read(strings.NewReader(s), "q")
		var fe *query.FileError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("Read = %v, want *FileError", err)
		}
		if err == nil {
			_ = q.Query.Validate() // no panic
		}
	})
}

func ExampleRead() {
	f, err := query.Read(strings.NewReader("program = 1345\ninstrumnet = \"NIRCAM\"\n"), "survey.toml")
	fmt.Println(f.Keys, err)
	// Output: [] survey.toml:2: unknown key "instrumnet"; did you mean instrument?
}
