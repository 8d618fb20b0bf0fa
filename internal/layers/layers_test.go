package layers_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"jwstbulk/internal/layers"
)

// rules is the table of the architecture; ARCHITECTURE.md shows it to people.
func rules() layers.Rules {
	cluster := []string{"queue", "internal/durable"}
	report := []string{"queue"}
	planner := []string{"internal/query", "internal/filelist", "internal/product", "internal/mast", "queue"}
	fetcher := []string{"internal/mast", "queue", "internal/fits", "internal/durable"}
	manifest := []string{"internal/fits", "internal/durable"}
	campaign := []string{"internal/cluster", "internal/report", "planner", "fetcher", "manifest", "queue",
		"internal/query", "internal/filelist", "internal/product", "internal/mast", "internal/fits", "internal/durable"}
	command := append([]string{"internal/campaign"}, without(campaign, "internal/durable")...)
	return layers.Rules{
		Imports: map[string][]string{
			"cmd/jwstbulk":      command,
			"cmd/mastsim":       {"internal/masttest"},
			"internal/campaign": campaign,
			"internal/cluster":  cluster,
			"internal/report":   report,
			"planner":           planner,
			"fetcher":           fetcher,
			"manifest":          manifest,
			"queue":             nil,
			"internal/query":    {"internal/filelist", "internal/product", "internal/mast"},
			"internal/filelist": {"internal/product"},
			"internal/product":  nil,
			"internal/mast":     nil,
			"internal/masttest": {"internal/fits"},
			"internal/fits":     nil,
			"internal/durable":  nil,
			"internal/layers":   nil,
			"e2e":               nil, // drives the built programs from outside
		},
		TestImports: map[string][]string{
			// The simulated archive is the one fake of MAST; the two leaves hold what tests need to make files.
			"":                  {"internal/masttest", "internal/fits", "internal/durable"},
			"internal/filelist": {"manifest"}, // what it exports is read back
		},
		Top: []string{
			"cmd", "planner", "queue", "fetcher", "manifest", "internal", "docs", "e2e", "bench", "tools",
			"go.mod", "go.sum", "Makefile", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
			"CITATION.cff", "LICENSE", "staticcheck.conf", ".ci", ".git", ".gitignore", ".gitattributes", ".editorconfig",
			"bin", "demo", ".e2e", // made by make, ignored by git
		},
		Required: []string{
			"github.com/mattn/go-sqlite3", "github.com/cenkalti/backoff/v4", "golang.org/x/time", "github.com/urfave/cli/v2",
		},
	}
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

func TestTree(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	tree, err := layers.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range tree.Check(rules()) {
		t.Error(breach)
	}
	arch, err := fs.ReadFile(root, "ARCHITECTURE.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal("there is no ARCHITECTURE.md")
	}
	for _, p := range tree.Packages {
		if p.Dir != "e2e" && p.Dir != "internal/layers" && !strings.Contains(string(arch), "`"+p.Dir+"`") {
			t.Errorf("ARCHITECTURE.md does not name `%s`", p.Dir)
		}
	}
}
