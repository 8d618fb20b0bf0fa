package planner

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
)

// List is a list of files to fetch, or of observations to fetch the files of, as ParseList reads it.
type List struct {
	Name   string // for messages: the file it was read from
	Format string // "curl-script", "uri-list", "table", "votable", "events", or one of listexport.go's
	Items  []ListItem
	// Obs are the observations of a table that names no files: obs_ids, or obsids in decimal. Items is then empty.
	Obs []string
	// Skipped counts the lines that were left out because they could not be read; Bad holds the first of them, ten at most.
	Skipped int64
	Bad     []ListError
	// Select narrows the list. Of files, only Suffixes, Include, Exclude and Limit can be told; observations take all criteria.
	Select Query
}

// ListItem is one file of a list.
type ListItem struct {
	URI    string // mast:JWST/product/<name>
	Folder string // the obs_id under which the list stores it; "" if the list does not say
	Line   int    // where the list names it, from 1
}

// name is the file name, the last component of the URI.
func (it ListItem) name() string { return it.URI[len(productPrefix):] }

// ID identifies the list by its entries: the same files from another file name are the same list but for the name.
func (l *List) ID() ListID {
	h := sha256.New()
	for _, it := range l.Items {
		// A hash never fails to write.
		_, _ = fmt.Fprintf(h, "%s\t%s\n", it.URI, it.Folder)
	}
	return ListID{Name: l.Name, SHA256: hex.EncodeToString(h.Sum(nil)), Items: len(l.Items)}
}

// ListError says where a list could not be read.
type ListError struct {
	Name string // of the list
	Line int    // from 1; 0 for the list as a whole
	Why  string
}

// Error is "NAME:LINE: why".
func (e *ListError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Name, e.Why)
	}
	return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Why)
}

const (
	maxListLine = 64 << 10 // a line of MAST's scripts has about 400 bytes
	sniffBytes  = 8 << 10  // what decides the format
	maxURI      = 4 << 10
)

// maxBad is how many lines that were left out are remembered.
const maxBad = 10

// listFormat is one kind of list.
type listFormat struct {
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
	e := ListError{l.Name, line, err.Error()}
	if !l.skipBad {
		return &e
	}
	if l.Skipped++; len(l.Bad) < maxBad {
		l.Bad = append(l.Bad, e)
	}
	return nil
}

// listFormats is ordered: the first whose sniff accepts the beginning reads the list.
func listFormats() []listFormat {
	return []listFormat{
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

// ListConfig says how a list is read. The zero value is legal.
type ListConfig struct {
	Name    string // stands for the list in messages; "" means "list"
	SkipBad bool   // leave out lines that cannot be read, and count them, instead of refusing the list
}

// ParseList is ReadList with a name and nothing left out.
func ParseList(r io.Reader, name string) (*List, error) { return ReadList(r, ListConfig{Name: name}) }

// ReadList reads a list of files. The format is told from its beginning:
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
// Every error about the contents is a *ListError. Engineering telemetry (mast:jwstedb/…) and products of other missions
// are refused; so is a list that names nothing. Repeats are kept. ReadList holds the list in memory: about 200 bytes an
// entry.
func ReadList(r io.Reader, cfg ListConfig) (*List, error) {
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
	for _, f := range listFormats() {
		if !f.sniff(head) {
			continue
		}
		l := &listing{List: List{Name: cfg.Name, Format: f.name}, skipBad: cfg.SkipBad}
		if err := f.read(br, l); err != nil {
			return nil, err
		}
		if len(l.Items)+len(l.Obs) == 0 {
			return nil, &ListError{cfg.Name, 0, "the list names no file" + skippedNote(l.Skipped)}
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
		return &ListError{name, 0, "the list is empty"}
	case bytes.HasPrefix(head, []byte("<")):
		return &ListError{name, 0, "this is a web page or XML of another kind, not a list; was it saved in place of a download?"}
	case bytes.HasPrefix(head, []byte("simple  =")):
		return &ListError{name, 0, "this is a FITS file, not a list"}
	}
	return &ListError{name, 0, "unknown format: want a curl script of MAST, one mast: URI or Download URL a line, a table with a column " +
		"dataURI, productFilename, filename, obsid or obs_id (CSV, ECSV, VOTable), or JSON of the subscription service"}
}

// readLines reads a list of lines; script means shell, with continuation lines and here-documents. item reads one logical
// line; its ok is false where the line names no file.
func readLines(r io.Reader, l *listing, script bool, item func(line string) (it ListItem, ok bool, err error)) error {
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
			if rest, ok := strings.CutSuffix(line, `\`); ok && len(joined) < maxListLine {
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
	sc.Buffer(make([]byte, 0, 4096), maxListLine)
	no := 0
	for sc.Scan() {
		no++
		if err := use(no, sc.Text()); err != nil {
			return err
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &ListError{l.Name, no + 1, fmt.Sprintf("line is longer than %d bytes", maxListLine)}
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

func uriItem(line string) (ListItem, bool, error) {
	if line == "" || line[0] == '#' {
		return ListItem{}, false, nil
	}
	it, err := parseLocation(line)
	return it, err == nil, err
}

// publicBucket begins the keys of the archive's public copies: s3://stpubdata/jwst/public/jw01345/L3/…/NAME.
const publicBucket = "s3://stpubdata/jwst/"

// parseLocation reads a mast: URI, a key of the public bucket, or one of the archive's download URLs.
func parseLocation(s string) (ListItem, error) {
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "mast:"):
		uri, err := productURI(s)
		return ListItem{URI: uri}, err
	case strings.HasPrefix(lower, publicBucket):
		uri, err := productURI(productPrefix + s[strings.LastIndexByte(s, '/')+1:])
		return ListItem{URI: uri}, err
	case strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "http://"):
		return parseURL(s)
	}
	return ListItem{}, fmt.Errorf("%.200q is neither a mast: URI nor a download URL", s)
}

// parseURL takes the file out of a download URL; the URL itself is never asked for. Forms: …/Download/file?uri=URI,
// …/Download/file/JWST/product/NAME (old Portal), …/retrieve_product?product_name=DATASET/NAME (Missions search).
func parseURL(s string) (ListItem, error) {
	u, err := url.Parse(s)
	if err != nil || !archiveHost(u.Hostname()) {
		return ListItem{}, fmt.Errorf("%.200q is not a download URL of MAST", s)
	}
	if uri := u.Query().Get("uri"); uri != "" && strings.HasSuffix(u.Path, "/Download/file") {
		uri, err := productURI(uri)
		return ListItem{URI: uri}, err
	}
	if _, rest, ok := strings.Cut(u.Path, "/Download/file/"); ok {
		uri, err := productURI("mast:" + rest)
		return ListItem{URI: uri}, err
	}
	if p := u.Query().Get("product_name"); p != "" && strings.HasSuffix(u.Path, "/retrieve_product") {
		set, name, ok := strings.Cut(p, "/")
		if !ok {
			set, name = "", p
		}
		uri, err := productURI(productPrefix + name)
		if err != nil || !safeName(set) {
			return ListItem{URI: uri}, err
		}
		return ListItem{URI: uri, Folder: folderOf(set, name)}, nil
	}
	return ListItem{}, fmt.Errorf("%.200q is not a download URL of MAST", s)
}

// archiveHost accepts STScI's hosts, and loopback for a simulated archive.
func archiveHost(h string) bool {
	if h = strings.ToLower(h); h == "localhost" || h == "stsci.edu" || strings.HasSuffix(h, ".stsci.edu") {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.IsLoopback()
}

// productURI brings a URI of a JWST product to the archive's spelling; the archive itself is lax about the case of the
// path. It refuses everything else.
func productURI(s string) (string, error) {
	n := len(productPrefix)
	switch lower := strings.ToLower(s); {
	case len(s) > maxURI:
		return "", fmt.Errorf("URI of %d bytes", len(s))
	case strings.HasPrefix(lower, "mast:jwstedb/"):
		return "", fmt.Errorf("%.200q is engineering telemetry, which lists do not support yet", s)
	case len(s) <= n || !strings.EqualFold(s[:n], productPrefix) || strings.ContainsAny(s[n:], "/\\?#&% \t"):
		return "", fmt.Errorf("%.200q is not a JWST product: want %s<file name>", s, productPrefix)
	}
	return productPrefix + s[n:], nil
}
