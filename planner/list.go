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

// List is a list of files to fetch, as ParseList reads it.
type List struct {
	Name   string // for messages: the file it was read from
	Format string // "curl-script" or "uri-list"
	Items  []ListItem
	// Select narrows the list by file name: Suffixes, Include and Exclude. Other criteria cannot be applied to a list.
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

// listFormat is one kind of list. item reads one logical line; ok is false where the line names no file.
type listFormat struct {
	name   string
	sniff  func(head []byte) bool
	script bool // shell: continuation lines and here-documents
	item   func(line string) (it ListItem, ok bool, err error)
}

// listFormats is ordered: the first whose sniff accepts the beginning reads the list.
func listFormats() []listFormat {
	return []listFormat{
		{"curl-script", sniffScript, true, scriptItem},
		{"uri-list", sniffURIs, false, uriItem},
	}
}

// ParseList reads a list of files: a script that MAST generated for curl (bundle.sh and the Portal's, with or without
// token lines, and the Missions search's), or text with one mast: URI or Download URL a line, # comments and blank lines
// allowed. name stands for the list in messages. Nothing in a script is executed; only URIs and output folders are taken.
//
// Every error about the contents is a *ListError. Engineering telemetry (mast:jwstedb/…) and products of other missions
// are refused; so is a list without any file. Repeats are kept.
func ParseList(r io.Reader, name string) (*List, error) {
	br := bufio.NewReaderSize(r, sniffBytes)
	head, err := br.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading list %q: %w", name, err)
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for _, f := range listFormats() {
		if f.sniff(head) {
			return f.read(br, name)
		}
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return nil, &ListError{name, 0, "the list is empty"}
	}
	return nil, &ListError{name, 0, "unknown format: want a curl script of MAST, or one mast: URI or Download URL a line"}
}

func (f listFormat) read(r io.Reader, name string) (*List, error) {
	l := &List{Name: name, Format: f.name}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), maxListLine)
	var joined, heredoc string
	no, start := 0, 0
	for sc.Scan() {
		no++
		line := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff"))
		if f.script {
			if heredoc != "" {
				if line == heredoc {
					heredoc = ""
				}
				continue
			}
			if rest, ok := strings.CutSuffix(line, `\`); ok && len(joined) < maxListLine {
				if joined == "" {
					start = no
				}
				joined += rest + " "
				continue
			}
			heredoc = heredocEnd(line)
		}
		if joined == "" {
			start = no
		}
		it, ok, err := f.item(joined + line)
		joined = ""
		if err != nil {
			return nil, &ListError{name, start, err.Error()}
		}
		if ok {
			it.Line = start
			l.Items = append(l.Items, it)
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, &ListError{name, no + 1, fmt.Sprintf("line is longer than %d bytes", maxListLine)}
	} else if err != nil {
		return nil, fmt.Errorf("reading list %q: %w", name, err)
	}
	if len(l.Items) == 0 {
		return nil, &ListError{name, 0, "the list names no file"}
	}
	return l, nil
}

func sniffURIs(head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.ToLower(bytes.TrimSpace(line))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		return bytes.HasPrefix(line, []byte("mast:")) || bytes.HasPrefix(line, []byte("http:")) || bytes.HasPrefix(line, []byte("https:"))
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

// parseLocation reads a mast: URI or one of the archive's download URLs.
func parseLocation(s string) (ListItem, error) {
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "mast:"):
		uri, err := productURI(s)
		return ListItem{URI: uri}, err
	case strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "http://"):
		return parseURL(s)
	}
	return ListItem{}, fmt.Errorf("%.200q is neither a mast: URI nor a URL", s)
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
