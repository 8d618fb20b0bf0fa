package manifest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode writes a manifest: h as given, then the entries, which must come in order. It fails with a *ParseError if an entry
// may not stand in a manifest, and with another error if Files, Bytes or Root of h are not those of the entries; what was
// written until then is no manifest. Errors of w and of entries are returned as they are. w is buffered inside.
func Encode(w io.Writer, h Header, entries iter.Seq2[Entry, error]) error {
	return encode(w, nil, h, entries)
}

// encode writes the manifest to w and, when sums is not nil, the lines of SHA256SUMS to sums.
func encode(w, sums io.Writer, h Header, entries iter.Seq2[Entry, error]) error {
	out := bufio.NewWriterSize(w, 1<<18)
	var sumOut *bufio.Writer
	if sums != nil {
		sumOut = bufio.NewWriterSize(sums, 1<<18)
	}
	line, err := appendHeader(nil, h)
	if err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return err
	}
	led := newLedger()
	led.paths.reserve(h.Files)
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := led.add(&e); err != nil {
			return err
		}
		line = appendEntry(line[:0], &e)
		if len(line) > maxEntryLine {
			return &ParseError{Line: led.files + 1, Why: fmt.Sprintf("the entry takes more than %d bytes", maxEntryLine)}
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		if sumOut == nil {
			continue
		}
		line = appendSum(line[:0], &e)
		if _, err := sumOut.Write(line); err != nil {
			return err
		}
	}
	if files, size, root := led.totals(); files != h.Files || size != h.Bytes || root != h.Root {
		return fmt.Errorf("the header says %d files, %d bytes, root %s; the entries give %d, %d, %s",
			h.Files, h.Bytes, h.Root, files, size, root)
	}
	if sumOut != nil {
		if err := sumOut.Flush(); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Sum runs through the entries of a manifest and returns what its header must say of them. Errors are those of Encode.
func Sum(entries iter.Seq2[Entry, error]) (files, bytes int64, root string, err error) {
	led := newLedger()
	for e, err := range entries {
		if err != nil {
			return 0, 0, "", err
		}
		if err := led.add(&e); err != nil {
			return 0, 0, "", err
		}
	}
	files, bytes, root = led.totals()
	return files, bytes, root, nil
}

// appendHeader appends line 1.
func appendHeader(b []byte, h Header) ([]byte, error) {
	if err := checkHeader(h); err != nil {
		return nil, err
	}
	b = append(b, `{"format":"`+Format+`","version":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = append(b, `,"complete":`...)
	b = strconv.AppendBool(b, h.Complete)
	b = append(b, `,"missing":`...)
	b = strconv.AppendInt(b, h.Missing, 10)
	b = append(b, `,"files":`...)
	b = strconv.AppendInt(b, h.Files, 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, h.Bytes, 10)
	b = append(b, `,"root":"`...)
	b = append(b, h.Root...)
	b = append(b, `","query":[`...)
	for i, q := range h.Query {
		if i > 0 {
			b = append(b, ',')
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, q); err != nil || !utf8.Valid(q) {
			return nil, &ParseError{Line: 1, Field: "query", Why: fmt.Sprintf("query %d is not JSON", i+1)}
		}
		b = append(b, compact.Bytes()...)
	}
	b = append(b, "]}\n"...)
	if len(b) > maxHeaderLine {
		return nil, &ParseError{Line: 1, Field: "query", Why: fmt.Sprintf("the queries take more than %d bytes", maxHeaderLine)}
	}
	return b, nil
}

func checkHeader(h Header) error {
	switch {
	case h.Missing < 0:
		return &ParseError{Line: 1, Field: "missing", Why: "negative"}
	case h.Complete && h.Missing > 0:
		return &ParseError{Line: 1, Field: "complete", Why: fmt.Sprintf("complete although %d files are missing", h.Missing)}
	case h.Files < 0:
		return &ParseError{Line: 1, Field: "files", Why: "negative"}
	case h.Bytes < 0:
		return &ParseError{Line: 1, Field: "bytes", Why: "negative"}
	case !isHex(h.Root, 64):
		return &ParseError{Line: 1, Field: "root", Why: fmt.Sprintf("not 64 lower-case hex digits: %.80q", h.Root)}
	}
	return nil
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if !(s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f') {
			return false
		}
	}
	return true
}

// appendEntry appends the line of an entry that the ledger has accepted.
func appendEntry(b []byte, e *Entry) []byte {
	b = appendString(append(b, `{"uri":`...), e.URI)
	b = appendString(append(b, `,"path":`...), e.Path)
	b = strconv.AppendInt(append(b, `,"size":`...), e.Size, 10)
	b = hex.AppendEncode(append(b, `,"sha256":"`...), e.SHA256[:])
	if e.MD5 == [16]byte{} {
		b = append(b, `","md5":null`...)
	} else {
		b = append(hex.AppendEncode(append(b, `","md5":"`...), e.MD5[:]), '"')
	}
	b = appendString(append(b, `,"proof":`...), e.Proof)
	b = appendOptional(append(b, `,"cal_ver":`...), e.CalVer)
	b = appendOptional(append(b, `,"crds_ctx":`...), e.CRDSCtx)
	b = appendOptional(append(b, `,"sdp_ver":`...), e.SDPVer)
	b = appendOptional(append(b, `,"date":`...), e.Date)
	b = appendOptional(append(b, `,"datamodl":`...), e.Datamodl)
	b = appendOptional(append(b, `,"program":`...), e.Program)
	b = appendOptional(append(b, `,"instrument":`...), e.Instrument)
	b = append(b, `,"level":`...)
	if e.Level == LevelUnknown {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(e.Level), 10)
	}
	b = append(b, `,"obs":[`...)
	for i, id := range e.Obs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, id)
	}
	return append(b, "]}\n"...)
}

func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendString appends s as encoding/json does without HTML escaping, but for bytes that are not UTF-8: these become U+FFFD
// unescaped, which is what a reader would write back.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if i += plainPrefix(s[i:]); i == len(s) {
			break
		}
		c := s[i]
		size := 1
		var esc []byte
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				esc = []byte("\ufffd")
			case r == '\u2028' || r == '\u2029':
				esc = []byte{'\\', 'u', '2', '0', '2', digits[r&0xf]}
			default:
				i += size
				continue
			}
		} else if short := shortEscape(c); short != 0 {
			esc = []byte{'\\', short}
		} else {
			esc = []byte{'\\', 'u', '0', '0', digits[c>>4], digits[c&0xf]}
		}
		b = append(append(b, s[start:i]...), esc...)
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// plainPrefix is how many bytes at the beginning of s stand for themselves in JSON and are ASCII.
func plainPrefix(s string) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// appendSum appends the line of SHA256SUMS as coreutils writes it: backslashes of the name are doubled, and the line then
// begins with one. Paths hold no line breaks.
func appendSum(b []byte, e *Entry) []byte {
	name := e.Path
	if strings.IndexByte(name, '\\') >= 0 {
		b = append(b, '\\')
		name = strings.ReplaceAll(name, `\`, `\\`)
	}
	b = hex.AppendEncode(b, e.SHA256[:])
	b = append(b, "  "...)
	b = append(b, name...)
	return append(b, '\n')
}
