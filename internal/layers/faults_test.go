package layers_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"jwstbulk/internal/layers"
)

// TestFaultTable holds docs/faults.md to the tests it names.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	tree, err := layers.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for n := 1; n <= 68; n++ {
		if n != 39 { // there is none
			numbers = append(numbers, fmt.Sprintf("F%d", n))
		}
	}
	for _, breach := range tree.CheckFaults(string(text), numbers) {
		t.Error(breach)
	}
}

// TestCheckFaults makes each breach once.
func TestCheckFaults(t *testing.T) {
	t.Parallel()
	tree, err := layers.Load(fstest.MapFS{
		"go.mod":      {Data: []byte("module m\n")},
		"p/p_test.go": {Data: []byte("package p\nfunc TestA() { run(\"F1 one\", \"F40\") }\nfunc TestF20B() {}\nfunc TestF3C() {}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	table := `
| F1 | fault | happens | p TestA/F1, TestF3C | holds |
| F2 | fault | happens | p TestF20B | holds |
| F3 | fault | happens | p TestF3C, TestGone; q TestA | holds |
| F4 | fault | happens | p TestA/F4 | holds |
| F1 | again | happens | p TestA/F1 | holds |
`
	got := strings.Join(tree.CheckFaults(table, []string{"F1", "F3", "F5"}), "\n")
	want := `F2: no test carries its number
F3: there is no test p TestGone
F3: there is no test q TestA
F4: p TestA has no subtest F4
F1: has 2 rows, want one
F5: has 0 rows, want one`
	if got != want {
		t.Errorf("breaches:\n%s\nwant:\n%s", got, want)
	}
}
