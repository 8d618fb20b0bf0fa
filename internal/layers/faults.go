package layers

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// faultRow is one row of the table of faults: its number and the tests it names, by package and with what follows a slash.
type faultRow struct {
	number string // F1
	tests  []namedTest
}

type namedTest struct{ pkg, name, sub string }

var (
	rowLine  = regexp.MustCompile(`(?m)^\| (F\d+) \|(.*)\|$`)
	testWord = regexp.MustCompile(`\bTest[A-Z]\w*(/\w+)?`)
)

// parseFaults reads the rows of a table whose columns are number, fault, what happens, tests, verdict. Tests are written as
// "package TestA/F1, TestB; otherpackage TestC".
func parseFaults(text string) []faultRow {
	var rows []faultRow
	for _, m := range rowLine.FindAllStringSubmatch(text, -1) {
		row := faultRow{number: m[1]}
		if cells := strings.Split(m[2], "|"); len(cells) == 4 {
			for group := range strings.SplitSeq(cells[2], ";") {
				pkg, _, _ := strings.Cut(strings.TrimSpace(group), " ")
				for _, t := range testWord.FindAllString(group, -1) {
					name, sub, _ := strings.Cut(t, "/")
					row.tests = append(row.tests, namedTest{pkg, name, sub})
				}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// CheckFaults holds the table of faults in text against the tests of the tree: it has each of the numbers once, every test
// it names exists in a package of that last element (cmd stands for cmd/jwstbulk), with a literal that begins with the
// subtest's name as a word, and one test of each row carries the row's number in its name. It returns one line for each breach.
func (t *Tree) CheckFaults(text string, numbers []string) []string {
	var out []string
	count := map[string]int{}
	for _, row := range parseFaults(text) {
		count[row.number]++
		numbered := false
		for _, test := range row.tests {
			body, ok := t.testBody(test)
			switch {
			case !ok:
				out = append(out, fmt.Sprintf("%s: there is no test %s %s", row.number, test.pkg, test.name))
			case test.sub != "" && !regexp.MustCompile(`"`+test.sub+`\b`).MatchString(body):
				out = append(out, fmt.Sprintf("%s: %s %s has no subtest %s", row.number, test.pkg, test.name, test.sub))
			}
			numbered = numbered || test.sub == row.number || strings.HasPrefix(test.name, "Test"+row.number) && !isDigit(test.name[len("Test"+row.number):])
		}
		if !numbered {
			out = append(out, row.number+": no test carries its number")
		}
	}
	for _, n := range numbers {
		if count[n] != 1 {
			out = append(out, fmt.Sprintf("%s: has %d rows, want one", n, count[n]))
		}
	}
	return out
}

func isDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// testBody returns the source of the test function.
func (t *Tree) testBody(test namedTest) (string, bool) {
	for _, p := range t.Packages {
		if base := path.Base(p.Dir); base != test.pkg && (test.pkg != "cmd" || p.Dir != "cmd/jwstbulk") {
			continue
		}
		for _, f := range p.Files {
			for _, decl := range f.Syntax.Decls {
				if d, ok := decl.(*ast.FuncDecl); ok && f.Test && d.Recv == nil && d.Name.Name == test.name {
					var b bytes.Buffer
					_ = printer.Fprint(&b, token.NewFileSet(), d.Body) // a buffer takes everything
					return b.String(), true
				}
			}
		}
	}
	return "", false
}
