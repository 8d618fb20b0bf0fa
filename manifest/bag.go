package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"jwstbulk/internal/durable"
)

// bagDeclaration is bagit.txt of RFC 8493 section 2.1.1.
const bagDeclaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// WriteBag writes a bag (RFC 8493) into the directory root: its tag files, the digests of its payload, and fetch.txt, which
// says where the payload comes from. The bag is complete when each file of fetch.txt is in place below data/. archive is as in
// Export. entries is called twice and must yield the same both times. Errors are those of entries and of the disk.
func WriteBag(root *os.Root, archive string, h Header, entries func() iter.Seq2[Entry, error]) error {
	lists := []struct {
		name string
		line func(w *bufio.Writer, e *Entry)
	}{
		{"manifest-sha256.txt", func(w *bufio.Writer, e *Entry) { printTo(w, "%x  data/%s\n", e.SHA256, bagPath(e.Path)) }},
		{"fetch.txt", func(w *bufio.Writer, e *Entry) {
			printTo(w, "%s %d data/%s\n", Download(archive, e.URI), e.Size, bagPath(e.Path))
		}},
	}
	var tags strings.Builder
	put := func(name string, write func(io.Writer) error) error {
		sum := sha256.New()
		err := durable.WriteFile(root, name, 0o644, func(w io.Writer) error { return write(io.MultiWriter(w, sum)) })
		if err != nil {
			return fmt.Errorf("writing %s of the bag: %w", name, err)
		}
		tags.WriteString(hex.EncodeToString(sum.Sum(nil)) + "  " + name + "\n")
		return nil
	}
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	}
	if err := put("bagit.txt", text(bagDeclaration)); err != nil {
		return err
	}
	info := fmt.Sprintf("Payload-Oxum: %d.%d\nExternal-Identifier: jwstbulk-root:%s\nBag-Software-Agent: jwstbulk\n", h.Bytes, h.Files, h.Root)
	if err := put("bag-info.txt", text(info)); err != nil {
		return err
	}
	for _, l := range lists {
		err := put(l.name, func(w io.Writer) error {
			x := exporter{func(*bufio.Writer, Header) {}, l.line, func(*bufio.Writer) {}}
			return x.write(w, h, entries())
		})
		if err != nil {
			return err
		}
	}
	if err := durable.MkdirAll(root, "data"); err != nil {
		return err
	}
	return durable.WriteFile(root, "tagmanifest-sha256.txt", 0o644, text(tags.String()))
}

// bagPath escapes what RFC 8493 section 2.1.3 wants escaped; paths hold no line breaks.
func bagPath(p string) string { return strings.ReplaceAll(p, "%", "%25") }
