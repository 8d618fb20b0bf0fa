package campaign_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"jwstbulk/internal/campaign"
)

// TestScratch leaves one directory as a killed process does, and one in use.
func TestScratch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := func() (string, func() error) {
		name, done, err := campaign.Scratch()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(name, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
		return name, done
	}
	left := filepath.Join(os.TempDir(), "jwstbulk-scratch-left")
	if err := os.MkdirAll(filepath.Join(left, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	used, usedDone := dir()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	_, done := dir()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(used, "file")); err != nil {
		t.Errorf("a directory in use was removed: %v", err)
	}
	for _, done := range []func() error{done, usedDone} {
		if err := done(); err != nil {
			t.Error(err)
		}
	}
	if names, err := os.ReadDir(os.TempDir()); err != nil || len(names) != 0 {
		t.Errorf("%v, %v; want nothing left", names, err)
	}
}
