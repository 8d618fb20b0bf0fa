package durable_test

import (
	"errors"
	"io"
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

// TestWriteFile: a file is replaced whole or not at all, and a failure leaves nothing behind.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	root := openRoot(t)
	put := func(text string, fail error) error {
		return durable.WriteFile(root, "f", 0o644, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			return fail
		})
	}
	broken := errors.New("broken")
	for _, step := range []struct {
		text string
		fail error
		want string
	}{{"one", nil, "one"}, {"two", broken, "one"}, {"three", nil, "three"}} {
		if err := put(step.text, step.fail); !errors.Is(err, step.fail) {
			t.Fatalf("WriteFile(%q) = %v, want %v", step.text, err, step.fail)
		}
		if b, err := root.ReadFile("f"); err != nil || string(b) != step.want {
			t.Errorf("after writing %q the file holds %q, %v, want %q", step.text, b, err, step.want)
		}
		if all := names(t, root); len(all) != 1 {
			t.Errorf("after writing %q there are %q, want f alone", step.text, all)
		}
	}
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
