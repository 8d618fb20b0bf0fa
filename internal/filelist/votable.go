package filelist

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// sniffVOTable accepts XML whose first element is VOTABLE.
func sniffVOTable(head []byte) bool {
	for bytes.HasPrefix(bytes.TrimSpace(head), []byte("<?")) || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<!--")) {
		i := bytes.IndexByte(head, '>')
		if i < 0 {
			return false
		}
		head = head[i+1:]
	}
	head = bytes.TrimSpace(head)
	return len(head) > 8 && bytes.EqualFold(head[:8], []byte("<VOTABLE"))
}

// votable is a VOTable being read (IVOA recommendation, versions 1.1 to 1.5; the TABLEDATA serialization alone).
type votable struct {
	l      *listing
	dec    *xml.Decoder
	fields []string
	table  *table
	row    []string
	cell   strings.Builder
	inCell bool
	line   int // of the row
}

// readVOTable reads every table of a VOTable.
func readVOTable(r io.Reader, l *listing) error {
	src := &sourceReader{r: r}
	v := &votable{l: l, dec: xml.NewDecoder(src)}
	for {
		tok, err := v.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && src.err != nil {
			return fmt.Errorf("reading list %q: %w", l.Name, src.err)
		}
		if err != nil {
			line, _ := v.dec.InputPos()
			return &Error{l.Name, line, "the VOTable is damaged: " + err.Error()}
		}
		switch t := tok.(type) {
		case xml.StartElement:
			err = v.start(t)
		case xml.CharData:
			if v.inCell {
				v.cell.Write(t)
			}
		case xml.EndElement:
			err = v.end(t.Name.Local)
		}
		if err != nil {
			return err
		}
	}
}

func (v *votable) start(e xml.StartElement) error {
	switch e.Name.Local {
	case "TABLE":
		v.fields, v.table = nil, nil
	case "FIELD":
		name := ""
		for _, a := range e.Attr {
			if a.Name.Local == "name" {
				name = a.Value
			}
		}
		v.fields = append(v.fields, name)
	case "BINARY", "BINARY2", "FITS", "PARQUET":
		line, _ := v.dec.InputPos()
		return &Error{v.l.Name, line, fmt.Sprintf("the table is stored as %s: write it with TABLEDATA (tabledata_format=\"tabledata\" in astropy), or as CSV", e.Name.Local)}
	case "TR":
		v.line, _ = v.dec.InputPos()
		v.row = v.row[:0]
		if v.table == nil {
			t, err := newTable(v.fields)
			if err != nil {
				return &Error{v.l.Name, v.line, err.Error()}
			}
			v.table = &t
		}
	case "TD":
		v.inCell = true
		v.cell.Reset()
	}
	return nil
}

func (v *votable) end(name string) error {
	switch name {
	case "TD":
		v.inCell = false
		v.row = append(v.row, v.cell.String())
	case "TR":
		if len(v.row) != len(v.fields) {
			return v.l.bad(v.line, fmt.Errorf("the row has %d cells, the table %d fields", len(v.row), len(v.fields)))
		}
		return v.table.row(v.l, v.row, v.line)
	}
	return nil
}

// sourceReader keeps the error of its source, so that it is told from an error of the contents.
type sourceReader struct {
	r   io.Reader
	err error
}

// Read keeps any error but io.EOF.
func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
