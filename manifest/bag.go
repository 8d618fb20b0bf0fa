package manifest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"strings"

	"jwstbulk/internal/durable"
)

// bagDeclaration is bagit.txt of RFC 8493 section 2.1.1.
const bagDeclaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// Bag says how a bag gets its payload.
type Bag struct {
	Archive string // as in ExportConfig; for fetch.txt
	// Payload brings the file of an entry to a name below root, whose directory is there. Nil: the payload is listed in
	// fetch.txt, and the bag is complete when each file of that list is in place.
	Payload func(root *os.Root, name string, e *Entry) error
}

// WriteBag writes a bag (RFC 8493) into the directory root: the payload, if bag says how, its digests, and the tag files.
// Every file of the payload is read and held against its digest. entries is called twice and must yield the same both times.
// Errors are those of entries, of Payload and of the disk, *SizeError and *DigestError.
func WriteBag(ctx context.Context, root *os.Root, bag Bag, h Header, entries func() iter.Seq2[Entry, error]) error {
	if err := durable.MkdirAll(root, "data"); err != nil {
		return err
	}
	if bag.Payload != nil {
		if err := bag.fill(ctx, root, entries()); err != nil {
			return err
		}
	}
	w := bagWriter{root: root}
	w.text("bagit.txt", bagDeclaration)
	w.text("bag-info.txt", fmt.Sprintf("Payload-Oxum: %d.%d\nExternal-Identifier: jwstbulk-root:%s\nBag-Software-Agent: jwstbulk\n", h.Bytes, h.Files, h.Root))
	w.list("manifest-sha256.txt", h, entries, func(w *bufio.Writer, e *Entry) {
		printTo(w, "%x  data/%s\n", e.SHA256, bagPath(e.Path))
	})
	if bag.Payload == nil {
		w.list("fetch.txt", h, entries, func(w *bufio.Writer, e *Entry) {
			printTo(w, "%s %d data/%s\n", Download(bag.Archive, e.URI), e.Size, bagPath(e.Path))
		})
	}
	w.text("tagmanifest-sha256.txt", w.tags.String())
	return w.err
}

// fill brings the payload in and reads it.
func (bag Bag) fill(ctx context.Context, root *os.Root, entries iter.Seq2[Entry, error]) error {
	buf := make([]byte, 1<<20)
	for e, err := range entries {
		if err != nil {
			return err
		}
		name := path.Join("data", e.Path)
		if err := durable.MkdirAll(root, path.Dir(name)); err != nil {
			return err
		}
		if err := bag.Payload(root, name, &e); err != nil {
			return fmt.Errorf("bringing %q into the bag: %w", e.Path, err)
		}
		if err := checkFile(ctx, root, name, &e, buf); err != nil {
			return fmt.Errorf("checking %q: %w", e.Path, err)
		}
	}
	return nil
}

// checkFile reads a file and holds it against its entry.
func checkFile(ctx context.Context, root *os.Root, name string, e *Entry, buf []byte) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	sum, n, err := digest(ctx, f, nil, buf)
	switch {
	case err != nil:
		return err
	case n != e.Size:
		return &SizeError{Got: n, Want: e.Size}
	case sum != e.SHA256:
		return &DigestError{Got: sum, Want: e.SHA256}
	}
	return nil
}

// bagWriter writes tag files and gathers their digests; the first error stays.
type bagWriter struct {
	root *os.Root
	tags strings.Builder
	err  error
}

func (b *bagWriter) put(name string, write func(io.Writer) error) {
	if b.err != nil {
		return
	}
	sum := sha256.New()
	err := durable.WriteFile(b.root, name, 0o644, func(w io.Writer) error { return write(io.MultiWriter(w, sum)) })
	if err != nil {
		b.err = fmt.Errorf("writing %s of the bag: %w", name, err)
		return
	}
	b.tags.WriteString(hex.EncodeToString(sum.Sum(nil)) + "  " + name + "\n")
}

func (b *bagWriter) text(name, text string) {
	b.put(name, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func (b *bagWriter) list(name string, h Header, entries func() iter.Seq2[Entry, error], line func(w *bufio.Writer, e *Entry)) {
	b.put(name, func(w io.Writer) error {
		return exporter{func(*bufio.Writer, Header) {}, line, func(*bufio.Writer) {}}.write(w, h, entries())
	})
}

// bagPath escapes what RFC 8493 section 2.1.3 wants escaped; paths hold no line breaks.
func bagPath(p string) string { return strings.ReplaceAll(p, "%", "%25") }
