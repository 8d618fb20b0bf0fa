package filelist

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"jwstbulk/internal/product"
)

// List is a list of files to fetch, or of observations to fetch the files of, as Read reads it. Its methods only
// read it.
type List struct {
	Name string // for messages: the file it was read from
	// Format is "curl-script", "uri-list", "table", "votable" or "events"; of exported manifests "jwstbulk-script", "sha256sums",
	// "aria2", "curl-config" or "metalink4"; or what the maker of a List that was not read calls it.
	Format string
	Items  []Item
	// Obs are the observations of a table that names no files: obs_ids, or obsids in decimal. Items is then empty.
	Obs []string
	// Skipped counts the lines that were left out because they could not be read; Bad holds the first of them, ten at most.
	Skipped int64
	Bad     []Error
}

// Item is one file of a list.
type Item struct {
	URI    string // mast:JWST/product/<name>
	Folder string // the obs_id under which the list stores it; "" if the list does not say
	Line   int    // where the list names it, from 1
}

// Name is the file name, the last component of the URI. It panics on an Item that no product's URI was given.
func (it Item) Name() string { return it.URI[len(product.Prefix):] }

// ID tells a list from others in a stored query; its JSON is part of the query's canonical form.
type ID struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // hex, of the list's entries
	Items  int    `json:"items"`
}

// ID identifies the list by its entries: the same files from another file name are the same list but for the name.
func (l *List) ID() ID {
	h := sha256.New()
	for _, it := range l.Items {
		// A hash never fails to write.
		_, _ = fmt.Fprintf(h, "%s\t%s\n", it.URI, it.Folder)
	}
	return ID{Name: l.Name, SHA256: hex.EncodeToString(h.Sum(nil)), Items: len(l.Items)}
}

// Error says where a list could not be read.
type Error struct {
	Name string // of the list
	Line int    // from 1; 0 for the list as a whole
	Why  string
}

// Error is "NAME:LINE: why".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Name, e.Why)
	}
	return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Why)
}

const (
	maxLine    = 64 << 10 // a line of MAST's scripts has about 400 bytes
	sniffBytes = 8 << 10  // what decides the format
)

// maxBad is how many lines that were left out are remembered.
const maxBad = 10

// format is one kind of list.
type format struct {
	name  string
	sniff func(head []byte) bool
	read  func(r io.Reader, l *listing) error
}

// listing is a list that is being read.
type listing struct {
	List
	skipBad bool
}

// bad refuses a line: by an error, or by counting it.
func (l *listing) bad(line int, err error) error {
	e := Error{l.Name, line, err.Error()}
	if !l.skipBad {
		return &e
	}
	if l.Skipped++; len(l.Bad) < maxBad {
		l.Bad = append(l.Bad, e)
	}
	return nil
}

// formats is ordered: the first whose sniff accepts the beginning reads the list.
func formats() []format {
	return []format{
		{"jwstbulk-script", sniffExported, func(r io.Reader, l *listing) error { return readLines(r, l, false, exportedItem) }},
		{"curl-script", sniffScript, func(r io.Reader, l *listing) error { return readLines(r, l, true, scriptItem) }},
		{"sha256sums", sniffSums, func(r io.Reader, l *listing) error { return readLines(r, l, false, sumItem) }},
		{"aria2", sniffAria2, readAria2},
		{"curl-config", sniffConfig, readConfig},
		{"metalink4", sniffMetalink, readMetalink},
		{"uri-list", sniffURIs, func(r io.Reader, l *listing) error { return readLines(r, l, false, uriItem) }},
		{"votable", sniffVOTable, readVOTable},
		{"events", sniffEvents, readEvents},
		{"table", sniffTable, readTable},
	}
}

// Config says how a list is read. The zero value is legal.
type Config struct {
	Name    string // stands for the list in messages; "" means "list"
	SkipBad bool   // leave out lines that cannot be read, and count them, instead of refusing the list
}

// Parse is Read with a name and nothing left out.
func Parse(r io.Reader, name string) (*List, error) { return Read(r, Config{Name: name}) }

// Read reads a list of files. The format is told from its beginning:
//
//   - a script that MAST generated for curl (bundle.sh and the Portal's, with or without token lines, and the Missions
//     search's). Nothing in it is executed; only URIs and output folders are taken;
//   - text with one mast: URI, s3://stpubdata key or Download URL a line, # comments and blank lines allowed;
//   - a table of products: CSV (also separated by tabs, semicolons or blanks), ECSV, or VOTable with TABLEDATA, with a column
//     dataURI, uri, productFilename or filename: those of astroquery, of the Portal, and the Mission Search's export;
//   - a table of observations: the same formats with a column obsid or obs_id and none of the above; see List.Obs;
//   - the JSON of MAST's subscription service: New, Reprocessed and Public events;
//   - what `manifest export` writes: SHA256SUMS, an input file of aria2c, a config file of curl, its script for bash, a
//     metalink. Their digests are not used: a manifest itself is what to fetch from for the same bytes.
//
// Every error about the contents is a *Error. Engineering telemetry (mast:jwstedb/…) and products of other missions
// are refused; so is a list that names nothing. Repeats are kept. Read holds the list in memory: about 200 bytes an
// entry.
func Read(r io.Reader, cfg Config) (*List, error) {
	if cfg.Name == "" {
		cfg.Name = "list"
	}
	br := bufio.NewReaderSize(r, sniffBytes)
	head, err := br.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading list %q: %w", cfg.Name, err)
	}
	const bom = "\xef\xbb\xbf"
	if bytes.HasPrefix(head, []byte(bom)) {
		head = head[len(bom):]
		// What was peeked at can be discarded.
		_, _ = br.Discard(len(bom))
	}
	for _, f := range formats() {
		if !f.sniff(head) {
			continue
		}
		l := &listing{List: List{Name: cfg.Name, Format: f.name}, skipBad: cfg.SkipBad}
		if err := f.read(br, l); err != nil {
			return nil, err
		}
		if len(l.Items)+len(l.Obs) == 0 {
			return nil, &Error{cfg.Name, 0, "the list names no file" + skippedNote(l.Skipped)}
		}
		return &l.List, nil
	}
	return nil, unknownFormat(cfg.Name, head)
}

func skippedNote(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d lines were left out", n)
}

// unknownFormat says what was expected, and what the thing looks like.
func unknownFormat(name string, head []byte) error {
	head = bytes.ToLower(bytes.TrimSpace(head))
	switch {
	case len(head) == 0:
		return &Error{name, 0, "the list is empty"}
	case bytes.HasPrefix(head, []byte("<")):
		return &Error{name, 0, "this is a web page or XML of another kind, not a list; was it saved in place of a download?"}
	case bytes.HasPrefix(head, []byte("simple  =")):
		return &Error{name, 0, "this is a FITS file, not a list"}
	}
	return &Error{name, 0, "unknown format: want a curl script of MAST, one mast: URI or Download URL a line, a table with a column " +
		"dataURI, productFilename, filename, obsid or obs_id (CSV, ECSV, VOTable), or JSON of the subscription service"}
}

// readLines reads a list of lines; script means shell, with continuation lines and here-documents. item reads one logical
// line; its ok is false where the line names no file.
func readLines(r io.Reader, l *listing, script bool, item func(line string) (it Item, ok bool, err error)) error {
	var joined, heredoc string
	start := 0
	return scanLines(r, l, func(no int, text string) error {
		line := strings.TrimSpace(text)
		if script {
			if heredoc != "" {
				if line == heredoc {
					heredoc = ""
				}
				return nil
			}
			if rest, ok := strings.CutSuffix(line, `\`); ok && len(joined) < maxLine {
				if joined == "" {
					start = no
				}
				joined += rest + " "
				return nil
			}
			heredoc = heredocEnd(line)
		}
		if joined == "" {
			start = no
		}
		it, ok, err := item(joined + line)
		joined = ""
		if err != nil {
			return l.bad(start, err)
		}
		if ok {
			it.Line = start
			l.Items = append(l.Items, it)
		}
		return nil
	})
}

// scanLines calls use for each line, numbered from 1.
func scanLines(r io.Reader, l *listing, use func(no int, line string) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), maxLine)
	no := 0
	for sc.Scan() {
		no++
		if err := use(no, sc.Text()); err != nil {
			return err
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &Error{l.Name, no + 1, fmt.Sprintf("line is longer than %d bytes", maxLine)}
	} else if err != nil {
		return fmt.Errorf("reading list %q: %w", l.Name, err)
	}
	return nil
}

func sniffURIs(head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.ToLower(bytes.TrimSpace(line))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		return bytes.HasPrefix(line, []byte("mast:")) || bytes.HasPrefix(line, []byte("s3:")) || bytes.HasPrefix(line, []byte("http:")) || bytes.HasPrefix(line, []byte("https:"))
	}
	return false
}

func uriItem(line string) (Item, bool, error) {
	if line == "" || line[0] == '#' {
		return Item{}, false, nil
	}
	it, err := parseLocation(line)
	return it, err == nil, err
}
