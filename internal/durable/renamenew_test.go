package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"jwstbulk/internal/durable"
)

func TestRenameNew(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, err := range []error{root.MkdirAll("a", 0o755), root.MkdirAll("b/c", 0o755), root.WriteFile("a/x", []byte("new"), 0o644),
		root.WriteFile("b/c/taken", []byte("old"), 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.RenameNew(root, "a/x", "b/c/taken"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RenameNew over a file = %v, want fs.ErrExist", err)
	}
	if b, err := root.ReadFile("b/c/taken"); err != nil || string(b) != "old" {
		t.Errorf("the file that was there holds %q, %v, want old", b, err)
	}
	if err := durable.RenameNew(root, "a/x", "b/c/free"); err != nil {
		t.Fatal(err)
	}
	if b, err := root.ReadFile("b/c/free"); err != nil || string(b) != "new" {
		t.Errorf("the renamed file holds %q, %v, want new", b, err)
	}
	if _, err := root.Lstat("a/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name: %v, want fs.ErrNotExist", err)
	}
	if err := durable.RenameNew(root, "a/none", "b/c/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RenameNew of nothing = %v, want fs.ErrNotExist", err)
	}
}
