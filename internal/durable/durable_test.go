package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"jwstbulk/internal/durable"
)

var errBroken = errors.New("broken on purpose")

func newRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func read(t *testing.T, root *os.Root, name string) string {
	t.Helper()
	b, err := root.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tree lists everything below dir, so that a test sees what was left behind.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); rel != "." {
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestWriteFileReplaces(t *testing.T) {
	t.Parallel()
	root, dir := newRoot(t)
	for _, want := range []string{"one", "two", ""} {
		if err := durable.WriteFile(root, "f", 0o640, text(want)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, root, "f"); got != want {
			t.Errorf("content = %q, want %q", got, want)
		}
	}
	if info, err := root.Stat("f"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v, %v, want 0640", info.Mode(), err)
	}
	if got := tree(t, dir); got != "f" {
		t.Errorf("left %q, want f alone", got)
	}
}

func TestWriteFileFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target string
		write  func(io.Writer) error
		want   error
	}{
		"writer":       {"f", func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return errBroken }, errBroken},
		"no directory": {"no/f", text("x"), fs.ErrNotExist},
		"a directory":  {"d", text("x"), nil},
		"outside":      {"../f", text("x"), nil},
		"link out":     {"out/f", text("x"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, dir := newRoot(t)
			outside := t.TempDir()
			if err := errors.Join(root.Mkdir("d", 0o777), root.WriteFile("d/x", nil, 0o666), root.WriteFile("f", []byte("old"), 0o666),
				os.Symlink(outside, filepath.Join(dir, "out"))); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			err := durable.WriteFile(root, tc.target, 0o666, tc.write)
			if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Errorf("WriteFile = %v, want %v", err, tc.want)
			}
			if got := tree(t, dir); got != before {
				t.Errorf("left %q, want %q", got, before)
			}
			if got := read(t, root, "f"); got != "old" {
				t.Errorf("content = %q, want the old one", got)
			}
			if got := tree(t, outside); got != "" {
				t.Errorf("outside the root: %q", got)
			}
		})
	}
}

func TestWriteFileConcurrently(t *testing.T) {
	t.Parallel()
	root, dir := newRoot(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := durable.WriteFile(root, "f", 0o666, text(strings.Repeat(fmt.Sprint(i%10), 10_000))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := read(t, root, "f")
	if len(got) != 10_000 || strings.Trim(got, got[:1]) != "" {
		t.Error("the file is a mixture")
	}
	if got := tree(t, dir); got != "f" {
		t.Errorf("left %q, want f alone", got)
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	root, dir := newRoot(t)
	for _, d := range []string{"", ".", "a", "a/b/c", "a/b/c", "a/./d/"} {
		if err := durable.MkdirAll(root, d); err != nil {
			t.Errorf("MkdirAll(%q) = %v", d, err)
		}
	}
	if got, want := tree(t, dir), "a a/b a/b/c a/d"; got != want {
		t.Errorf("made %q, want %q", got, want)
	}
	if err := root.WriteFile("a/file", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"a/file", "a/file/x", "../x", "/x"} {
		if err := durable.MkdirAll(root, d); err == nil {
			t.Errorf("MkdirAll(%q) succeeded", d)
		}
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := durable.MkdirAll(root, fmt.Sprintf("race/x/y/%d", i%3)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRenameReplaces(t *testing.T) {
	t.Parallel()
	root, dir := newRoot(t)
	if err := errors.Join(root.MkdirAll("a/b", 0o777), root.WriteFile("p", []byte("new"), 0o666), root.WriteFile("a/b/f", []byte("old"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if err := durable.Rename(root, "p", "a/b/f"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "a/b/f"); got != "new" {
		t.Errorf("content = %q, want the new one", got)
	}
	if err := durable.Rename(root, "a/b/f", "a/b/g"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range [][2]string{{"none", "x"}, {"a/b/g", "no/x"}, {"a/b/g", "../x"}} {
		if err := durable.Rename(root, tc[0], tc[1]); err == nil {
			t.Errorf("Rename(%q, %q) succeeded", tc[0], tc[1])
		}
	}
	if got, want := tree(t, dir), "a a/b a/b/g"; got != want {
		t.Errorf("left %q, want %q", got, want)
	}
}

// TestRenamed is the judgement of a rename that reported an error.
func TestRenamed(t *testing.T) {
	t.Parallel()
	root, _ := newRoot(t)
	if err := root.WriteFile("old", []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	info, err := root.Lstat("old")
	if err != nil {
		t.Fatal(err)
	}
	if durable.Renamed(root, "old", "new", info) {
		t.Error("a rename that did not happen counts as success")
	}
	if err := root.Rename("old", "new"); err != nil {
		t.Fatal(err)
	}
	if !durable.Renamed(root, "old", "new", info) {
		t.Error("a rename that happened counts as failure")
	}
	if err := errors.Join(root.WriteFile("other", []byte("x"), 0o666), root.Rename("other", "new")); err != nil {
		t.Fatal(err)
	}
	if durable.Renamed(root, "old", "new", info) {
		t.Error("another file at the new name counts as success")
	}
}

func TestFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bytes, inodes, err := durable.FreeSpace(dir)
	if err != nil || bytes == 0 || inodes == 0 {
		t.Errorf("FreeSpace = %d, %d, %v", bytes, inodes, err)
	}
	if kind, _, err := durable.FSKind(dir); err != nil || kind == "" {
		t.Errorf("FSKind = %q, %v", kind, err)
	}
	if _, _, err := durable.FreeSpace(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("FreeSpace of nothing = %v, want not exist", err)
	}
	var named *fs.PathError
	if _, _, err := durable.FSKind(dir + "/none"); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &named) || named.Path != dir+"/none" {
		t.Errorf("FSKind of nothing = %v, want not exist, with its path", err)
	}
	root, _ := newRoot(t)
	if err := durable.SyncDir(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SyncDir of nothing = %v, want not exist", err)
	}
}
