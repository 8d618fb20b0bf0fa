package filelist

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

// The forms in which `manifest export` writes what a manifest records, read back as lists: names and folders alone count, not
// the digests beside them.

var (
	sumLine    = regexp.MustCompile(`^\\?[0-9a-f]{64} [ *](.+)$`)
	configLine = regexp.MustCompile(`^([a-z-]+)\s*[= ]\s*"((?:[^"\\]|\\.)*)"$`)
)

// firstLines are the lines of head that are neither blank nor a comment.
func firstLines(head []byte) [][]byte {
	var out [][]byte
	for line := range bytes.Lines(head) {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			out = append(out, bytes.TrimRight(line, "\r\n"))
		}
	}
	return out
}

// sniffSums accepts SHA256SUMS and what else coreutils check.
func sniffSums(head []byte) bool {
	lines := firstLines(head)
	return len(lines) > 0 && sumLine.Match(lines[0])
}

func sumItem(line string) (Item, bool, error) {
	if line == "" || line[0] == '#' {
		return Item{}, false, nil
	}
	m := sumLine.FindStringSubmatch(line)
	if m == nil {
		return Item{}, false, errors.New("not a line of sha256sum: want 64 digits, two blanks and a path")
	}
	it, err := productNamed(path.Base(m[1]))
	it.Folder = outputFolder(m[1])
	return it, err == nil, err
}

// sniffAria2 accepts an input file of aria2c: an address, then its options on lines that begin with a blank.
func sniffAria2(head []byte) bool {
	lines := firstLines(head)
	return len(lines) > 1 && sniffURIs(lines[0]) && (lines[1][0] == ' ' || lines[1][0] == '\t') && bytes.IndexByte(lines[1], '=') > 0
}

// readAria2 takes the file from the addresses of a line, the first of which may be a copy elsewhere, and the folder from the
// option out.
func readAria2(r io.Reader, l *listing) error {
	var last int // items before the line whose options come
	return readLinesRaw(r, l, func(line string) (Item, bool, error) {
		if line == "" || line[0] == '#' {
			return Item{}, false, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			if out, ok := strings.CutPrefix(strings.TrimSpace(line), "out="); ok && len(l.Items) > last {
				l.Items[len(l.Items)-1].Folder = outputFolder(out)
			}
			return Item{}, false, nil
		}
		last = len(l.Items)
		var err error
		for at := range strings.SplitSeq(line, "\t") {
			var it Item
			if it, err = parseLocation(strings.TrimSpace(at)); err == nil {
				return it, true, nil
			}
		}
		return Item{}, false, err
	})
}

// sniffConfig accepts a config file of curl that names addresses.
func sniffConfig(head []byte) bool {
	for _, line := range firstLines(head) {
		if m := configLine.FindSubmatch(line); m != nil && string(m[1]) == "url" {
			return true
		}
	}
	return false
}

// readConfig takes the folder from an output that has the file's own name: curl pairs addresses and outputs in any order.
func readConfig(r io.Reader, l *listing) error {
	return readLinesRaw(r, l, func(line string) (Item, bool, error) {
		m := configLine.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
			return Item{}, false, nil // another option
		case m[1] == "url":
			it, err := parseLocation(unquoteConfig(m[2]))
			return it, err == nil, err
		case m[1] == "output" && len(l.Items) > 0:
			it, out := &l.Items[len(l.Items)-1], unquoteConfig(m[2])
			if path.Base(out) == it.Name() {
				it.Folder = outputFolder(out)
			}
		}
		return Item{}, false, nil
	})
}

// unquoteConfig undoes the escapes of curl(1) under --config; none but these two stand in addresses and paths.
func unquoteConfig(s string) string { return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s) }

// sniffExported accepts the script of `manifest export bash`.
func sniffExported(head []byte) bool {
	return bytes.HasPrefix(head, []byte("#!/usr/bin/env bash\n# Downloads ")) && bytes.Contains(head, []byte("Root of the manifest: "))
}

// exportedItem reads a line `get SHA256 URL PATH`; nothing is executed.
func exportedItem(line string) (Item, bool, error) {
	if !strings.HasPrefix(line, "get ") {
		return Item{}, false, nil
	}
	words, err := shellWords(line)
	if err != nil {
		return Item{}, false, err
	}
	if len(words) != 4 {
		return Item{}, false, fmt.Errorf("get with %d words, want a digest, an address and a path", len(words)-1)
	}
	it, err := parseLocation(words[2])
	it.Folder = outputFolder(words[3])
	return it, err == nil, err
}

// readLinesRaw is readLines for formats in which blanks at the beginning of a line mean something.
func readLinesRaw(r io.Reader, l *listing, item func(line string) (Item, bool, error)) error {
	return scanLines(r, l, func(no int, line string) error {
		it, ok, err := item(strings.TrimRight(line, "\r"))
		if err != nil {
			return l.bad(no, err)
		}
		if ok {
			it.Line = no
			l.Items = append(l.Items, it)
		}
		return nil
	})
}

const metalinkSpace = "urn:ietf:params:xml:ns:metalink"

// sniffMetalink accepts the XML of RFC 5854.
func sniffMetalink(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")) && bytes.Contains(head, []byte(metalinkSpace))
}

// readMetalink reads the file elements of RFC 5854 section 4.1.2: the archive's among the addresses of each, and its name.
func readMetalink(r io.Reader, l *listing) error {
	src := &sourceReader{r: r}
	dec := xml.NewDecoder(src)
	for {
		tok, err := dec.Token()
		line, _ := dec.InputPos()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && src.err != nil:
			return fmt.Errorf("reading list %q: %w", l.Name, src.err)
		case err != nil:
			return &Error{l.Name, line, "the metalink is damaged: " + err.Error()}
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name != (xml.Name{Space: metalinkSpace, Local: "file"}) {
			continue
		}
		var file struct {
			Name string   `xml:"name,attr"`
			URLs []string `xml:"url"`
		}
		if err := dec.DecodeElement(&file, &start); err != nil {
			return &Error{l.Name, line, "the metalink is damaged: " + err.Error()}
		}
		it, err := metalinkItem(file.Name, file.URLs)
		if err != nil {
			if err := l.bad(line, err); err != nil {
				return err
			}
			continue
		}
		it.Line = line
		l.Items = append(l.Items, it)
	}
}

func metalinkItem(name string, urls []string) (it Item, err error) {
	err = fmt.Errorf("the file %.200q has no address", name)
	for _, u := range urls {
		if it, err = parseLocation(strings.TrimSpace(u)); err == nil {
			it.Folder = outputFolder(name)
			return it, nil
		}
	}
	return it, err
}
