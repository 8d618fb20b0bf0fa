package durable_test

import (
	"os"
	"testing"

	"jwstbulk/internal/durable"
)

func openRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func names(t *testing.T, root *os.Root) []string {
	t.Helper()
	d, err := root.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSweepTemp: only what a killed writer of that very name left is removed.
func TestSweepTemp(t *testing.T) {
	t.Parallel()
	root := openRoot(t)
	for _, name := range []string{"f", "f.0123abcd.tmp", "f.tmp", "f.xyz.tmp", "g.0123abcd.tmp", "f.0123abcd"} {
		if err := root.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.SweepTemp(root, "f"); err != nil {
		t.Fatal(err)
	}
	if all := names(t, root); len(all) != 5 {
		t.Errorf("left are %q, want all but f.0123abcd.tmp", all)
	}
	if err := durable.SweepTemp(root, "none/f"); err != nil {
		t.Errorf("SweepTemp in a directory that is not there = %v, want nil", err)
	}
}
