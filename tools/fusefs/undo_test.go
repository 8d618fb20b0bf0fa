//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCut writes to a file before and after an fsync and cuts the power: the flushed bytes stay, each later sector is the
// old or the new one, and over many seeds both happen to each, and to the length.
func TestCut(t *testing.T) {
	t.Parallel()
	const flushed, grown = 3*sector + 100, 6 * sector
	old, young := bytes.Repeat([]byte{'o'}, flushed), bytes.Repeat([]byte{'y'}, 2*sector)
	seen := map[string]bool{}
	for seed := range uint64(64) {
		name := filepath.Join(t.TempDir(), "file")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		j := newJournal()
		write := func(b []byte, off int64) {
			t.Helper()
			err := j.change(int(f.Fd()), off, off+int64(len(b)), func() {
				if _, err := f.WriteAt(b, off); err != nil {
					t.Fatal(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		write(old, 0)
		if err := j.flushed(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
		write(young, sector)         // over flushed bytes
		write(young, grown-2*sector) // beyond the end
		if err := j.cut(seed); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != flushed && len(got) != grown {
			t.Fatalf("seed %d: %d bytes, want %d or %d", seed, len(got), flushed, grown)
		}
		if !bytes.Equal(got[:sector], old[:sector]) {
			t.Errorf("seed %d: a flushed sector that nobody wrote to has changed", seed)
		}
		for at := sector; at < 3*sector; at += sector {
			is := got[at : at+sector]
			if !bytes.Equal(is, old[:sector]) && !bytes.Equal(is, young[:sector]) {
				t.Fatalf("seed %d: the sector at %d is neither old nor new", seed, at)
			}
			seen[string(is[:1])+string(rune('0'+at/sector))] = true
		}
		seen[map[bool]string{true: "short", false: "long"}[len(got) == flushed]] = true
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"o1", "y1", "o2", "y2", "short", "long"} {
		if !seen[want] {
			t.Errorf("in 64 cuts %q never came about", want)
		}
	}
}

func TestParseRule(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"fail fsync EIO", "late rename ENOENT *.part", "delay any 3s JWST/*", "rot *.fits"} {
		if _, err := parseRule(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	for _, line := range []string{"", "fail", "fail fsync", "fail sync EIO", "fail fsync EOH", "delay any soon", "rot [", "fail any EIO [", "fall any EIO"} {
		if r, err := parseRule(line); err == nil {
			t.Errorf("%q is taken for %+v", line, r)
		}
	}
}
