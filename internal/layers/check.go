package layers

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Rules is what a tree is held to. Directories are relative to the module's root.
type Rules struct {
	// Imports lists, for each package of the product, the packages of the module that it may import.
	Imports map[string][]string
	// TestImports lists, for each package, what its tests may import beside what the package may and the package itself; under
	// "", what those of any package may.
	TestImports map[string][]string
	// Top lists the entries allowed in the root directory.
	Top []string
	// Required lists modules that must be direct requirements and imported by the product itself.
	Required []string
}

// Check returns every breach of the rules, each as one line, sorted; none means the tree keeps them.
func (t *Tree) Check(r Rules) []string {
	var out []string
	out = append(out, t.checkImports(r)...)
	out = append(out, t.checkCycles()...)
	out = append(out, t.checkTop(r.Top)...)
	out = append(out, t.checkRequired(r.Required)...)
	for _, p := range t.Packages {
		out = append(out, p.checkDoc()...)
		out = append(out, p.checkExported()...)
	}
	slices.Sort(out)
	return out
}

func (t *Tree) checkImports(r Rules) []string {
	var out []string
	for _, p := range t.Packages {
		may, known := r.Imports[p.Dir]
		if !known {
			out = append(out, p.Dir+": not in the table of packages; add it with what it may import")
			continue
		}
		tests := slices.Concat(r.TestImports[""], r.TestImports[p.Dir], []string{p.Dir})
		for _, f := range p.Files {
			for _, dir := range t.ours(f) {
				switch {
				case slices.Contains(may, dir):
				case f.Test && slices.Contains(tests, dir):
				default:
					out = append(out, fmt.Sprintf("%s: %s may not import %s", f.Path, p.Dir, dir))
				}
			}
		}
	}
	return out
}

// ours returns the directories of the module's own packages that f imports.
func (t *Tree) ours(f File) []string {
	var dirs []string
	for _, imp := range f.Imports {
		if dir, ok := strings.CutPrefix(imp, t.Module+"/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// checkCycles reports import cycles of the product. The compiler refuses them too; here one is also found between files
// of different platforms, which no single build sees.
func (t *Tree) checkCycles() []string {
	imports := map[string][]string{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Test {
				imports[p.Dir] = append(imports[p.Dir], t.ours(f)...)
			}
		}
	}
	var out, stack []string
	finished := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		if i := slices.Index(stack, dir); i >= 0 {
			out = append(out, "import cycle: "+strings.Join(append(slices.Clone(stack[i:]), dir), " -> "))
			return
		}
		if finished[dir] {
			return
		}
		stack = append(stack, dir)
		for _, next := range imports[dir] {
			visit(next)
		}
		stack = stack[:len(stack)-1]
		finished[dir] = true
	}
	for _, p := range t.Packages {
		visit(p.Dir)
	}
	return out
}

func (t *Tree) checkTop(allowed []string) []string {
	var out []string
	for _, name := range t.Top {
		if !slices.Contains(allowed, name) {
			out = append(out, name+": does not belong at the top level")
		}
	}
	return out
}

func (t *Tree) checkRequired(required []string) []string {
	used := map[string]bool{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, imp := range f.Imports {
				used[imp] = used[imp] || !f.Test
			}
		}
	}
	var out []string
	for _, mod := range required {
		if !slices.Contains(t.Direct, mod) {
			out = append(out, "go.mod: "+mod+" must be a direct requirement")
		}
		imported := false
		for imp, product := range used {
			imported = imported || product && (imp == mod || strings.HasPrefix(imp, mod+"/"))
		}
		if !imported {
			out = append(out, "go.mod: "+mod+" is not imported by the product")
		}
	}
	return out
}

// checkDoc wants doc.go, and in it alone the package's comment.
func (p Package) checkDoc() []string {
	var out []string
	found := false
	for _, f := range p.Files {
		doc := f.Syntax.Doc.Text()
		switch {
		case path.Base(f.Path) == "doc.go":
			found = true
			want := "Package " + f.Syntax.Name.Name + " "
			if f.Syntax.Name.Name == "main" {
				want = "Command " + path.Base(p.Dir) + " "
			}
			if !strings.HasPrefix(doc, want) {
				out = append(out, fmt.Sprintf("%s: its comment must begin with %q", f.Path, want))
			}
		case doc != "" && !f.Test:
			out = append(out, f.Path+": the package's comment belongs in doc.go")
		}
	}
	if !found {
		out = append(out, p.Dir+": has no doc.go")
	}
	return out
}

// checkExported wants a comment on each exported name, and no exported name in package main.
func (p Package) checkExported() []string {
	var out []string
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			for _, n := range exported(decl) {
				switch {
				case f.Syntax.Name.Name == "main" && !n.method:
					out = append(out, fmt.Sprintf("%s: package main exports %s", f.Path, n.name))
				case !n.documented:
					out = append(out, fmt.Sprintf("%s: %s has no comment", f.Path, n.name))
				}
			}
		}
	}
	return out
}

type exportedName struct {
	name               string
	method, documented bool
}

// exported returns the exported names that decl declares: of functions, methods of exported types, types, constants and
// variables. A comment on a group of constants or variables counts for each of them, and the methods that every Go reader
// knows (Error, Unwrap, Is, String) need none.
func exported(decl ast.Decl) []exportedName {
	var out []exportedName
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
			known := d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "Is", "String"}, d.Name.Name)
			out = append(out, exportedName{d.Name.Name, d.Recv != nil, known || d.Doc.Text() != ""})
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					out = append(out, exportedName{s.Name.Name, false, s.Doc.Text() != "" || d.Doc.Text() != ""})
				}
			case *ast.ValueSpec:
				doc := s.Doc.Text() != "" || s.Comment.Text() != "" || d.Doc.Text() != ""
				for _, n := range s.Names {
					if n.IsExported() {
						out = append(out, exportedName{n.Name, false, doc || d.Tok == token.CONST && s.Values == nil})
					}
				}
			}
		}
	}
	return out
}

// receiver returns the name of the type that a method belongs to, without pointer and type parameters.
func receiver(d *ast.FuncDecl) string {
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
