package filelist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"jwstbulk/internal/product"
)

// sniffEvents accepts a JSON array.
func sniffEvents(head []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")) }

// event is one entry of what MAST's subscription service sends: a file is new, was reprocessed or became public.
type event struct {
	Mission  string `json:"mission"`
	FileSet  string `json:"fileset"`
	FileName string `json:"filename"`
	Type     string `json:"event_type"`
}

// readEvents reads the JSON of the subscription service.
func readEvents(r io.Reader, l *listing) error {
	lines := &lineReader{r: r, line: 1}
	dec := json.NewDecoder(lines)
	if _, err := dec.Token(); err != nil {
		return eventsError(l, lines, err)
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return eventsError(l, lines, err)
		}
		line := lines.at(dec.InputOffset() - int64(len(raw)))
		it, err := parseEvent(raw)
		if err != nil {
			if err := l.bad(line, err); err != nil {
				return err
			}
			continue
		}
		it.Line = line
		l.Items = append(l.Items, it)
	}
	if _, err := dec.Token(); err != nil {
		return eventsError(l, lines, err)
	}
	return nil
}

// eventsError tells damaged JSON, which cannot be read on from, from a failed read.
func eventsError(l *listing, lines *lineReader, err error) error {
	var damaged *json.SyntaxError
	switch {
	case errors.As(err, &damaged):
		return &Error{l.Name, lines.at(max(damaged.Offset-1, 0)), "the JSON is damaged: " + damaged.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{l.Name, lines.at(lines.off), "the JSON ends in the middle"}
	}
	return fmt.Errorf("reading list %q: %w", l.Name, err)
}

func parseEvent(raw []byte) (Item, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return Item{}, errors.New("not an event of the subscription service: want an object with filename, fileset and event_type")
	}
	switch {
	case e.FileName == "":
		return Item{}, errors.New("the event has no filename")
	case e.Mission != "" && !strings.EqualFold(e.Mission, "JWST"):
		return Item{}, fmt.Errorf("the event belongs to %.60q, not to JWST", e.Mission)
	}
	switch e.Type {
	case "New", "Reprocessed", "Public":
	default:
		return Item{}, fmt.Errorf("event_type %.60q: want New, Reprocessed or Public", e.Type)
	}
	it, err := productNamed(e.FileName)
	if err == nil && product.SafeName(e.FileSet) {
		it.Folder = product.Folder(e.FileSet, it.Name())
	}
	return it, err
}

// lineReader knows the line of each byte that was read and not yet asked about.
type lineReader struct {
	r    io.Reader
	off  int64   // bytes read
	ends []int64 // offsets of line ends not yet passed by at
	line int     // of the first byte after those passed
}

// Read notes the line ends.
func (l *lineReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.off+int64(i))
		}
	}
	l.off += int64(n)
	return n, err
}

// at gives the line of the byte at an offset, from 1. Offsets must not decrease from call to call.
func (l *lineReader) at(off int64) int {
	n := 0
	for n < len(l.ends) && l.ends[n] < off {
		n++
	}
	l.ends = l.ends[n:]
	l.line += n
	return l.line
}
