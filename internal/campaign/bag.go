package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"jwstbulk/internal/durable"
	"jwstbulk/manifest"
)

// Payload says how a bag gets its files.
type Payload string

// The ways.
const (
	PayloadFetch Payload = "fetch" // not at all: fetch.txt lists them
	PayloadLink  Payload = "link"  // hard links to the campaign's, copies where that is not possible
	PayloadCopy  Payload = "copy"
)

// ParsePayload accepts the names of the ways.
func ParsePayload(s string) (Payload, error) {
	switch p := Payload(s); p {
	case PayloadFetch, PayloadLink, PayloadCopy:
		return p, nil
	}
	return "", fmt.Errorf("%q is not fetch, link or copy", s)
}

// Bag says what to put into a bag.
type Bag struct {
	Archive  string // the archive's base URL, for fetch.txt
	Manifest string // the manifest's file; the files lie beside it
	Payload  Payload
}

// WriteBag makes a bag (RFC 8493) in a new directory. It is made beside its final name, so that what has that name is whole;
// what it has written when it is killed, the next call for the same name removes.
// Errors are those of the manifest, of manifest.WriteBag and of the disk.
func WriteBag(ctx context.Context, to string, b Bag) (err error) {
	h, err := FileHeader(b.Manifest)
	if err != nil {
		return err
	}
	to = filepath.Clean(to) // without a slash at the end, beside is not inside
	dir, done, err := scratchBeside(to)
	if err != nil {
		return fmt.Errorf("making the bag: %w", err)
	}
	defer func() { err = errors.Join(err, done()) }()
	bag := filepath.Join(dir, "bag")
	if err := os.Mkdir(bag, 0o777); err != nil {
		return fmt.Errorf("making the bag: %w", err)
	}
	if err := b.write(ctx, bag, h); err != nil {
		return fmt.Errorf("writing the bag: %w", err)
	}
	beside, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer beside.Close() // what was written was flushed
	return durable.Rename(beside, filepath.Base(dir)+"/bag", filepath.Base(to))
}

func (b Bag) write(ctx context.Context, dir string, h manifest.Header) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() // what was written was flushed
	from, err := os.OpenRoot(filepath.Dir(b.Manifest))
	if err != nil {
		return err
	}
	defer from.Close() // only read from
	bag := manifest.Bag{Archive: b.Archive}
	switch b.Payload {
	case PayloadLink:
		bag.Payload = func(root *os.Root, name string, e *manifest.Entry) error { return linkFile(from, e.Path, root, name) }
	case PayloadCopy:
		bag.Payload = func(root *os.Root, name string, e *manifest.Entry) error { return copyFile(from, e.Path, root, name) }
	case PayloadFetch, "":
	}
	entries := func() iter.Seq2[manifest.Entry, error] { return Until(ctx, FileEntries(b.Manifest)) }
	return manifest.WriteBag(ctx, root, bag, h, entries)
}

// linkFile makes a hard link, or a copy where that is not possible.
func linkFile(from *os.Root, name string, root *os.Root, to string) error {
	if linked, err := tryLink(from, name, root, to); linked || err != nil {
		return err
	}
	return copyFile(from, name, root, to)
}

// tryLink makes a hard link; linked is false where that is not possible: on another file system, or to a file of somebody
// else's.
func tryLink(from *os.Root, name string, root *os.Root, to string) (linked bool, err error) {
	err = os.Link(filepath.Join(from.Name(), name), filepath.Join(root.Name(), to))
	for _, e := range []error{syscall.EXDEV, syscall.EPERM, syscall.ENOTSUP, syscall.EMLINK} {
		if errors.Is(err, e) {
			return false, nil
		}
	}
	return err == nil, err
}

func copyFile(from *os.Root, name string, root *os.Root, to string) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	return durable.WriteFile(root, to, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}
