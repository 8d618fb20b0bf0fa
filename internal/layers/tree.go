package layers

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Package is one directory with Go source.
type Package struct {
	Dir   string // relative to the module's root, slash separated
	Files []File // sorted by name
}

// File is one parsed source file.
type File struct {
	Path    string
	Test    bool     // its name ends in _test.go
	Imports []string // import paths as written, sorted
	Syntax  *ast.File
}

// Tree is the parsed source of one module.
type Tree struct {
	Module   string
	Top      []string  // names of the entries of the root directory, sorted
	Packages []Package // sorted by Dir
	Direct   []string  // modules that go.mod requires without "// indirect", sorted
}

// Load reads the module at the root of fsys: go.mod and every Go file, but not those below directories that go itself
// leaves out (testdata, names that begin with a dot or an underscore) or that hold a module of their own.
func Load(fsys fs.FS) (*Tree, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("reading the module's root: %w", err)
	}
	t := &Tree{}
	t.Module, t.Direct = parseMod(string(mod))
	top, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("listing the top level: %w", err)
	}
	for _, e := range top {
		t.Top = append(t.Top, e.Name())
	}
	if err := t.loadPackages(fsys); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tree) loadPackages(fsys fs.FS) error {
	byDir := map[string]*Package{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name != "." && leftOut(fsys, name) {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		f, err := parseFile(fsys, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &Package{Dir: dir}
		}
		byDir[dir].Files = append(byDir[dir].Files, f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	for _, p := range byDir {
		t.Packages = append(t.Packages, *p)
	}
	slices.SortFunc(t.Packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return nil
}

func leftOut(fsys fs.FS, dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

func parseFile(fsys fs.FS, name string) (File, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return File{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	f := File{Path: name, Test: strings.HasSuffix(name, "_test.go"), Syntax: syntax}
	for _, imp := range syntax.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("reading an import of %s: %w", name, err)
		}
		f.Imports = append(f.Imports, p)
	}
	slices.Sort(f.Imports)
	return f, nil
}

// parseMod reads the two facts that the checks need; go itself checks the syntax of go.mod.
func parseMod(text string) (module string, direct []string) {
	block := false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "module":
			module = words[1]
		case words[0] == "require" && words[1] == "(":
			block = true
		case words[0] == ")":
			block = false
		case strings.Contains(line, "// indirect"):
		case block:
			direct = append(direct, words[0])
		case words[0] == "require":
			direct = append(direct, words[1])
		}
	}
	slices.Sort(direct)
	return module, direct
}
