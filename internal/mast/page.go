package mast

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// page is what is known of one page of a reply after it was read once: everything but the rows themselves.
type page struct {
	status string
	msg    string
	found  bool     // there is an array of rows
	at     int64    // offset in the spool just behind the '[' of the rows
	rows   int64    // how many
	fields []string // column names by position, for rows that are arrays
	grid   []string // the same from a description of the table on screen, used if there are no fields
	pages  int64    // how many pages there are; 0 if not said
	total  int64    // rows in all pages; -1 if not said
}

// names returns the column names by position.
func (p *page) names() []string {
	if len(p.fields) > 0 {
		return p.fields
	}
	return p.grid
}

// maxValue bounds one row, and anything else that must be in memory at a time while a reply is read.
const maxValue = 4 << 20

// scanPage reads one JSON text to the end of in, checks its syntax, and notes where the rows are. It knows the three
// shapes replies have: data[] with fields and paging beside it; Tables[0] with Fields or Columns and Rows; and data with
// such Tables inside. Broken syntax is ErrProtocol, an early end ErrShort; an error of the reader is in.err.
func scanPage(in *intake) (*page, error) {
	// Field names are listed twice by some services, and a stray byte in a title must not cost the whole list.
	dec := jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	s := pageScanner{dec: dec, in: in, base: in.base, page: &page{total: -1}}
	err := s.object(s.top)
	if err == nil {
		switch _, err = dec.ReadToken(); err {
		case io.EOF:
			return s.page, nil
		case nil:
			err = errors.New("more than one JSON value")
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return nil, fmt.Errorf("%w: JSON ends after %d bytes", ErrShort, dec.InputOffset())
	}
	return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
}

type pageScanner struct {
	dec  *jsontext.Decoder
	in   *intake
	base int64
	page *page
}

// object calls member for each member of the object that comes next; member reads or skips the value.
func (s *pageScanner) object(member func(name string) error) error {
	open, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	if open.Kind() != jsontext.KindBeginObject {
		return fmt.Errorf("a JSON object was expected, got %s", open.Kind())
	}
	for s.dec.PeekKind() != jsontext.KindEndObject {
		name, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
		s.in.mark()
	}
	_, err = s.dec.ReadToken()
	return err
}

// array calls element for each element of the array that comes next.
func (s *pageScanner) array(element func(i int) error) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; s.dec.PeekKind() != jsontext.KindEndArray; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

func (s *pageScanner) top(name string) error {
	kind := s.dec.PeekKind()
	switch {
	case name == "status":
		return s.text(&s.page.status)
	case name == "msg":
		return s.text(&s.page.msg)
	case name == "data" && kind == jsontext.KindBeginArray:
		return s.rows()
	case name == "data" && kind == jsontext.KindNull:
		s.page.found = true // an empty list, said differently
	case name == "data" && kind == jsontext.KindBeginObject:
		return s.object(s.top)
	case name == "Tables" && kind == jsontext.KindBeginArray:
		return s.array(s.table)
	case name == "fields" && kind == jsontext.KindBeginArray:
		return s.names(&s.page.fields, "name")
	case name == "paging" && kind == jsontext.KindBeginObject:
		return s.object(s.paging)
	}
	return s.dec.SkipValue()
}

// table reads the first table; there are no others in practice.
func (s *pageScanner) table(i int) error {
	if i > 0 || s.dec.PeekKind() != jsontext.KindBeginObject {
		return s.dec.SkipValue()
	}
	return s.object(func(name string) error {
		kind := s.dec.PeekKind()
		switch {
		case name == "Rows" && kind == jsontext.KindBeginArray:
			return s.rows()
		case name == "Fields" && kind == jsontext.KindBeginArray:
			return s.names(&s.page.fields, "name")
		case name == "Columns" && kind == jsontext.KindBeginArray:
			return s.names(&s.page.grid, "dataIndex")
		case name == "ExtendedProperties" && kind == jsontext.KindBeginObject:
			return s.object(func(name string) error {
				if strings.EqualFold(name, "paging") && s.dec.PeekKind() == jsontext.KindBeginObject {
					return s.object(s.paging)
				}
				return s.dec.SkipValue()
			})
		}
		return s.dec.SkipValue()
	})
}

// rows counts the elements of the array and notes where they begin.
func (s *pageScanner) rows() error {
	if s.page.found {
		return errors.New("two arrays of rows")
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	s.page.found, s.page.at = true, s.base+s.dec.InputOffset()
	for {
		switch kind := s.dec.PeekKind(); kind {
		case jsontext.KindBeginObject, jsontext.KindBeginArray:
			// Faster than SkipValue, which goes from token to token; the intake bounds what a row may take.
			if _, err := s.dec.ReadValue(); err != nil {
				return err
			}
			s.page.rows++
			s.in.mark()
		case jsontext.KindEndArray:
			_, err := s.dec.ReadToken()
			return err
		default:
			if _, err := s.dec.ReadToken(); err != nil {
				return err
			}
			return fmt.Errorf("row %d is a %s", s.page.rows, kind)
		}
	}
}

// names reads the column names of a list of column descriptions; "name" stands in for a missing key.
func (s *pageScanner) names(into *[]string, key string) error {
	*into = nil
	return s.array(func(int) error {
		var preferred, other string
		if s.dec.PeekKind() == jsontext.KindString {
			err := s.text(&preferred)
			*into = append(*into, preferred)
			return err
		}
		err := s.object(func(name string) error {
			switch name {
			case key:
				return s.text(&preferred)
			case "name", "Name":
				return s.text(&other)
			}
			return s.dec.SkipValue()
		})
		if preferred == "" {
			preferred = other
		}
		*into = append(*into, preferred)
		return err
	})
}

func (s *pageScanner) paging(name string) error {
	switch name {
	case "pagesFiltered":
		return s.number(&s.page.pages)
	case "rowsFiltered":
		return s.number(&s.page.total)
	}
	return s.dec.SkipValue()
}

// text reads a string or number; of other values it leaves into as it is.
func (s *pageScanner) text(into *string) error {
	switch s.dec.PeekKind() {
	case jsontext.KindString, jsontext.KindNumber:
		tok, err := s.dec.ReadToken()
		if err == nil {
			*into = tok.String()
		}
		return err
	}
	return s.dec.SkipValue()
}

// number reads a whole number, also in quotes; of other values it leaves into as it is.
func (s *pageScanner) number(into *int64) error {
	var text string
	if err := s.text(&text); err != nil {
		return err
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1<<53 {
		*into = int64(n)
	}
	return nil
}
