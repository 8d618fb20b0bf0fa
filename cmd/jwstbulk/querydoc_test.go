package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/masttest"
	"jwstbulk/internal/query"
	"jwstbulk/planner"
)

// TestQueryDocumentation runs every example of docs/query.md, and wants every word of the query language in it.
func TestQueryDocumentation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "query.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range query.Keys() {
		if !strings.Contains(string(doc), "`--"+key+"`") {
			t.Errorf("docs/query.md does not explain --%s", key)
		}
	}
	cat, err := masttest.Programme2733()
	if err != nil {
		t.Fatal(err)
	}
	srv := masttest.Start(t, masttest.Config{Catalog: cat, MetadataOnly: true})
	dir := t.TempDir()
	files := map[string]string{"observations.ecsv": "astroquery-observations.ecsv", "products.csv": "astroquery-products.csv"}
	for name, from := range files {
		b, err := os.ReadFile(filepath.Join("..", "..", "internal", "filelist", "testdata", from))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	files["southern-ring.toml"] = block(string(doc), "toml")
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for line := range strings.Lines(string(doc)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ jwstbulk ")
		if !ok {
			continue
		}
		ran++
		// One after the other: all apps of a process share cli.HelpFlag, which each of them writes to.
		t.Run(command, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"jwstbulk"}, words(command)...)
			for i, a := range args {
				if _, ok := files[a]; ok {
					args[i] = filepath.Join(dir, a)
				}
			}
			err := newApp(&stdout, &stderr).RunContext(t.Context(), append(args, "--archive", srv.URL))
			if err != nil || !strings.Contains(stdout.String(), "\nplan ") {
				t.Errorf("jwstbulk %s: %v\n%s%s", command, err, stdout.String(), stderr.String())
			}
			var empty *planner.EmptyError
			if errors.As(err, &empty) {
				t.Errorf("an example that finds nothing: %v", empty)
			}
		})
	}
	if ran < 10 {
		t.Errorf("found %d examples", ran)
	}
}

// block gives the first fenced block of a language.
func block(doc, language string) string {
	_, rest, _ := strings.Cut(doc, "```"+language+"\n")
	text, _, _ := strings.Cut(rest, "```")
	return text
}

// words splits an example at blanks outside single quotes.
func words(s string) []string {
	var out []string
	for i, piece := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, piece)
		} else {
			out = append(out, strings.Fields(piece)...)
		}
	}
	return out
}
