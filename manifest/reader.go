package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

const (
	maxHeaderLine = 16 << 20
	maxEntryLine  = 1 << 20
)

// Reader reads a manifest as a stream and accepts nothing but what Encode writes. It is made by Open and belongs to one
// goroutine.
type Reader struct {
	in     *bufio.Reader
	long   []byte // a line longer than in's buffer
	line   int64  // lines read
	header Header
	ledger *ledger
	intern *interner
	err    error // the error that ended reading, io.EOF after the last entry
}

// Open reads line 1 and returns a Reader for the rest. It returns a *ParseError (ErrFormat, ErrVersion, ErrTruncated) if
// this is no manifest of this version, or the error of r. Closing what r reads from is the caller's part.
func Open(r io.Reader) (*Reader, error) {
	m := &Reader{in: bufio.NewReaderSize(r, 1<<18), ledger: newLedger(), intern: newInterner()}
	line, err := m.next(maxHeaderLine)
	if err == io.EOF {
		return nil, &ParseError{Line: 1, Why: "the file is empty", Cause: ErrTruncated}
	}
	if err != nil {
		return nil, err
	}
	m.header, err = parseHeader(line)
	if err != nil {
		return nil, err
	}
	m.ledger.paths.reserve(m.header.Files)
	return m, nil
}

// Header returns line 1. What it says of the entries is only proven when Entries has come to its end without an error.
func (m *Reader) Header() Header { return m.header }

// Entries yields the entries in order. An error (a *ParseError or one of the underlying reader) is yielded once, with a zero
// Entry, and ends the sequence; so does the end of the file, where the number of entries, their bytes and the root must be
// those of the header. The sequence can be left and taken up again, but not repeated.
func (m *Reader) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for m.err == nil {
			e, err := m.read()
			if err == io.EOF {
				m.err = err
				return
			}
			if err != nil {
				m.err = err
				yield(Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (m *Reader) read() (Entry, error) {
	line, err := m.next(maxEntryLine)
	if err == io.EOF {
		return Entry{}, m.finish()
	}
	if err != nil {
		return Entry{}, err
	}
	e, err := parseEntry(line, m.line, m.intern)
	if err != nil {
		return Entry{}, err
	}
	return e, m.ledger.add(&e)
}

// finish holds the header against the entries; io.EOF means that all is well.
func (m *Reader) finish() error {
	files, size, root := m.ledger.totals()
	h := m.header
	switch {
	case files < h.Files:
		return &ParseError{Line: m.line + 1, Why: fmt.Sprintf("%d of %d entries", files, h.Files), Cause: ErrTruncated}
	case files > h.Files:
		return &ParseError{Line: 1, Field: "files", Why: fmt.Sprintf("says %d, there are %d entries", h.Files, files)}
	case size != h.Bytes:
		return &ParseError{Line: 1, Field: "bytes", Why: fmt.Sprintf("says %d, the entries give %d", h.Bytes, size)}
	case root != h.Root:
		return &ParseError{Line: 1, Field: "root", Why: fmt.Sprintf("says %s, the entries give %s", h.Root, root)}
	}
	return io.EOF
}

// next returns the next line without its line feed, valid until the next call; io.EOF after the last.
func (m *Reader) next(limit int) ([]byte, error) {
	m.long = m.long[:0]
	for {
		part, err := m.in.ReadSlice('\n')
		if len(m.long)+len(part) > limit {
			return nil, &ParseError{Line: m.line + 1, Why: fmt.Sprintf("a line of more than %d bytes", limit)}
		}
		if err == nil && len(m.long) == 0 {
			return m.whole(part)
		}
		m.long = append(m.long, part...)
		switch {
		case err == nil:
			return m.whole(m.long)
		case errors.Is(err, bufio.ErrBufferFull):
		case err != io.EOF:
			return nil, fmt.Errorf("reading manifest after line %d: %w", m.line, err)
		case len(m.long) == 0:
			return nil, io.EOF
		default:
			return nil, &ParseError{Line: m.line + 1, Why: "the last line has no line feed", Cause: ErrTruncated}
		}
	}
}

// whole counts a line and takes its end off.
func (m *Reader) whole(line []byte) ([]byte, error) {
	m.line++
	line = line[:len(line)-1]
	if bytes.HasSuffix(line, []byte("\r")) {
		return nil, &ParseError{Line: m.line, Why: "a carriage return before the line feed: some program converted the ends of lines"}
	}
	return line, nil
}

func parseHeader(line []byte) (Header, error) {
	var lead struct {
		Format  string
		Version int64
	}
	if err := json.Unmarshal(line, &lead); err != nil || lead.Format != Format {
		return Header{}, &ParseError{Line: 1, Field: "format", Why: fmt.Sprintf("begins with %.80q", line), Cause: ErrFormat}
	}
	if lead.Version > Version {
		return Header{}, &ParseError{Line: 1, Field: "version",
			Why: fmt.Sprintf("version %d; this program reads version %d", lead.Version, Version), Cause: ErrVersion}
	}
	c := cursor{b: line, line: 1}
	var h Header
	c.key("{", "format")
	c.literal("format", `"`+Format+`"`)
	c.key(",", "version")
	c.literal("version", "1")
	c.key(",", "complete")
	h.Complete = c.boolean("complete")
	c.key(",", "missing")
	h.Missing = c.integer("missing")
	c.key(",", "files")
	h.Files = c.integer("files")
	c.key(",", "bytes")
	h.Bytes = c.integer("bytes")
	c.key(",", "root")
	h.Root = string(c.text("root"))
	c.key(",", "query")
	if c.err != nil {
		return Header{}, c.err
	}
	rest, ok := bytes.CutSuffix(line[c.i:], []byte("}"))
	if err := json.Unmarshal(rest, &h.Query); !ok || err != nil {
		return Header{}, &ParseError{Line: 1, Field: "query", Why: "not an array of JSON values"}
	}
	again, err := appendHeader(nil, h)
	if err != nil {
		return Header{}, err
	}
	if !bytes.Equal(again[:len(again)-1], line) {
		return Header{}, &ParseError{Line: 1, Field: "query", Why: "not in canonical form"}
	}
	return h, nil
}

func parseEntry(line []byte, number int64, names *interner) (Entry, error) {
	c := cursor{b: line, line: number}
	var e Entry
	c.key("{", "uri")
	e.URI = string(c.text("uri"))
	c.key(",", "path")
	e.Path = string(c.text("path"))
	c.key(",", "size")
	e.Size = c.integer("size")
	c.key(",", "sha256")
	c.hex("sha256", e.SHA256[:])
	c.key(",", "md5")
	if !c.null() {
		c.hex("md5", e.MD5[:])
		if e.MD5 == [16]byte{} {
			c.fail("md5", "zeros where null must stand")
		}
	}
	c.key(",", "proof")
	e.Proof = names.get(c.text("proof"))
	for _, f := range []struct {
		name string
		to   *string
	}{{"cal_ver", &e.CalVer}, {"crds_ctx", &e.CRDSCtx}, {"sdp_ver", &e.SDPVer}, {"date", &e.Date},
		{"datamodl", &e.Datamodl}, {"program", &e.Program}, {"instrument", &e.Instrument}} {
		c.key(",", f.name)
		*f.to = names.get(c.optional(f.name))
	}
	c.key(",", "level")
	e.Level = LevelUnknown
	if !c.null() {
		e.Level = int(c.integer("level"))
		if e.Level == LevelUnknown {
			c.fail("level", "-2 where null must stand")
		}
	}
	c.key(",", "obs")
	e.Obs = c.list("obs", names)
	c.literal("obs", "}")
	if c.err == nil && c.i != len(line) {
		c.fail("", "text after the entry")
	}
	if c.err != nil {
		return Entry{}, c.err
	}
	return e, nil
}
