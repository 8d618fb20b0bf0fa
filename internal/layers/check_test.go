package layers_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/layers"
)

// files builds a small module; the tree keeps smallRules as long as extra adds nothing wrong.
func files(extra map[string]string) fstest.MapFS {
	all := map[string]string{
		"go.mod":            "module m\n\nrequire (\n\tx.org/lib v1.0.0\n\tx.org/other v1.0.0 // indirect\n)\n",
		"a/doc.go":          "// Package a is on top.\npackage a\n",
		"a/a.go":            "package a\n\nimport (\n\t_ \"m/b\"\n\t_ \"x.org/lib/sub\"\n)\n",
		"b/doc.go":          "// Package b is below.\npackage b\n",
		"b/testdata/bad.go": "not Go at all",
		"cmd/run/doc.go":    "// Command run runs.\npackage main\n",
		"cmd/run/main.go":   "package main\n\nfunc main() {}\n\ntype e struct{}\n\nfunc (e) Error() string { return \"\" }\n",
	}
	maps.Copy(all, extra)
	fsys := fstest.MapFS{}
	for name, text := range all {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func smallRules() layers.Rules {
	return layers.Rules{
		Imports:     map[string][]string{"a": {"b"}, "b": nil, "cmd/run": {"a"}, "helper": nil, "leaf": nil},
		TestImports: map[string][]string{"": {"helper"}, "b": {"leaf"}},
		Top:         []string{"go.mod", "a", "b", "cmd", "helper", "leaf"},
		Required:    []string{"x.org/lib"},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		extra map[string]string
		want  []string
	}{
		{"keeps the rules", nil, nil},
		{"upward import", map[string]string{"b/b.go": "package b\n\nimport _ \"m/a\"\n"},
			[]string{"b/b.go: b may not import a", "import cycle: a -> b -> a"}},
		{"upward import of another platform", map[string]string{"b/b_plan9.go": "//go:build plan9\n\npackage b\n\nimport _ \"m/a\"\n"},
			[]string{"b/b_plan9.go: b may not import a", "import cycle: a -> b -> a"}},
		{"test may import itself and helpers", map[string]string{
			"helper/doc.go": "// Package helper helps.\npackage helper\n",
			"b/b_test.go":   "package b_test\n\nimport (\n\t_ \"m/b\"\n\t_ \"m/helper\"\n)\n"}, nil},
		{"product may not import helpers", map[string]string{
			"helper/doc.go": "// Package helper helps.\npackage helper\n",
			"b/b.go":        "package b\n\nimport _ \"m/helper\"\n"},
			[]string{"b/b.go: b may not import helper"}},
		{"tests of one package alone may import", map[string]string{
			"leaf/doc.go": "// Package leaf is for tests of b.\npackage leaf\n",
			"b/b_test.go": "package b_test\n\nimport _ \"m/leaf\"\n",
			"b/b.go":      "package b\n\nimport _ \"m/leaf\"\n",
			"a/a_test.go": "package a_test\n\nimport _ \"m/leaf\"\n"},
			[]string{"a/a_test.go: a may not import leaf", "b/b.go: b may not import leaf"}},
		{"test may not import upward", map[string]string{"b/b_test.go": "package b_test\n\nimport _ \"m/a\"\n"},
			[]string{"b/b_test.go: b may not import a"}},
		{"unknown package", map[string]string{"a/new/doc.go": "// Package new is new.\npackage new\n"},
			[]string{"a/new: not in the table of packages; add it with what it may import"}},
		{"unknown top-level entry", map[string]string{"notes.txt": ""}, []string{"notes.txt: does not belong at the top level"}},
		{"module of its own", map[string]string{"cmd/x/go.mod": "module x\n", "cmd/x/x.go": "package x\n"}, nil},
		{"required module missing", map[string]string{"go.mod": "module m\n\nrequire x.org/lib v1.0.0 // indirect\n"},
			[]string{"go.mod: x.org/lib must be a direct requirement"}},
		{"required module unused", map[string]string{"a/a.go": "package a\n\nimport _ \"m/b\"\n",
			"a/a_test.go": "package a\n\nimport _ \"x.org/lib\"\n"},
			[]string{"go.mod: x.org/lib is not imported by the product"}},
		{"comment elsewhere", map[string]string{"b/b.go": "// Package b again.\npackage b\n"},
			[]string{"b/b.go: the package's comment belongs in doc.go"}},
		{"comment of another name", map[string]string{"b/doc.go": "// Package c is below.\npackage b\n"},
			[]string{`b/doc.go: its comment must begin with "Package b "`}},
		{"main exports", map[string]string{"cmd/run/x.go": "package main\n\n// X is out.\nconst X = 1\n"},
			[]string{"cmd/run/x.go: package main exports X"}},
		{"names without comments", map[string]string{"b/b.go": "package b\n\nvar V int\n\ntype T[P any] struct{}\n\nfunc (*T[P]) M() {}\n"},
			[]string{"b/b.go: M has no comment", "b/b.go: T has no comment", "b/b.go: V has no comment"}},
		{"names with comments", map[string]string{
			"b/b.go": "package b\n\n// All of them.\nconst (\n\tX = iota\n\tY\n)\n\nvar V int // one\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, err := layers.Load(files(tt.extra))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tree.Check(smallRules())); diff != "" {
				t.Errorf("Check() breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckNoDoc(t *testing.T) {
	t.Parallel()
	fsys := files(nil)
	delete(fsys, "a/doc.go")
	tree, err := layers.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Check(smallRules()), []string{"a: has no doc.go"}; !slices.Equal(got, want) {
		t.Errorf("Check() = %q, want %q", got, want)
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for name, fsys := range map[string]fstest.MapFS{
		"no go.mod":    {},
		"syntax error": files(map[string]string{"a/bad.go": "package"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tree, err := layers.Load(fsys); err == nil {
				t.Errorf("Load() = %v, want an error", tree)
			}
		})
	}
}

func ExampleTree_Check() {
	tree, err := layers.Load(files(map[string]string{"b/b.go": "package b\n\nimport _ \"m/a\"\n"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, breach := range tree.Check(smallRules()) {
		fmt.Println(breach)
	}
	// Output:
	// b/b.go: b may not import a
	// import cycle: a -> b -> a
}
