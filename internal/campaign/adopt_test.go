package campaign_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"jwstbulk/queue"
)

// TestCandidates: what has the name of a file that is wanted is found in every directory, and a search can end early.
func TestCandidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t.TempDir())
	w.plan(c)
	one, two := t.TempDir(), t.TempDir()
	var want []string
	for f, err := range c.Queue.Files(t.Context(), queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		name := path.Base(f.URI)
		want = append(want, name, name)
		for _, at := range []string{filepath.Join(one, name), filepath.Join(two, "deep", "er", name)} {
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(two, "jw-of-mine.fits"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for found, err := range c.Candidates(t, one, two) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, path.Base(found.Name))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	for _, err := range c.Candidates(t, one, two) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// TestCandidatesLinks: a symbolic link counts where it leads to a file below the directory, and states of other campaigns are
// not looked into.
func TestCandidatesLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t.TempDir())
	w.plan(c)
	var names []string
	for f, err := range c.Queue.Files(t.Context(), queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, path.Base(f.URI))
	}
	dir, outside := t.TempDir(), t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, err := range []error{
		os.WriteFile(filepath.Join(outside, "blob"), nil, 0o600), os.MkdirAll(at("store", ".jwstbulk", "replaced"), 0o700),
		os.WriteFile(at("store", "blob"), nil, 0o600), os.WriteFile(at("store", ".jwstbulk", "replaced", names[0]), nil, 0o600),
		os.Symlink("store/blob", at(names[1])), os.Symlink(filepath.Join(outside, "blob"), at(names[2])),
		os.Symlink("../"+filepath.Base(outside)+"/blob", at(names[3])), os.Symlink("nowhere", at(names[4])),
		os.Symlink("store", at("linked")), os.Mkdir(at("jw-a-directory.fits"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for found, err := range c.Candidates(t, dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found.Name)
	}
	if !slices.Equal(got, names[1:2]) {
		t.Errorf("found %q, want %q alone", got, names[1])
	}
}
