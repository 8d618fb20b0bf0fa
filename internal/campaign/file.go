package campaign

import (
	"context"
	"fmt"
	"iter"
	"os"

	"jwstbulk/manifest"
)

// FileEntries yields the entries of the manifest in a file; each use of the sequence reads the file from its beginning. Its
// errors name the file and are those of os.Open, manifest.Open and Reader.Entries.
func FileEntries(name string) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(manifest.Entry{}, fmt.Errorf("reading the manifest: %w", err))
			return
		}
		defer f.Close() // only read from
		m, err := manifest.Open(f)
		if err != nil {
			yield(manifest.Entry{}, fmt.Errorf("reading the manifest %q: %w", name, err))
			return
		}
		for e, err := range m.Entries() {
			if err != nil {
				err = fmt.Errorf("reading the manifest %q: %w", name, err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// FileHeader returns line 1 of the manifest in a file. What it says of the entries is not proven.
func FileHeader(name string) (manifest.Header, error) {
	f, err := os.Open(name)
	if err != nil {
		return manifest.Header{}, fmt.Errorf("reading the manifest: %w", err)
	}
	defer f.Close() // only read from
	m, err := manifest.Open(f)
	if err != nil {
		return manifest.Header{}, fmt.Errorf("reading the manifest %q: %w", name, err)
	}
	return m.Header(), nil
}

// Until ends a sequence, with ctx's error, when ctx ends.
func Until(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
