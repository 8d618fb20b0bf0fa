package mast

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// page is one page of a reply that was read: its rows are in the spool.
type page struct {
	status  string
	msg     string
	found   bool     // there is an array of rows
	rows    int64    // how many
	at      int64    // offset of the rows in the spool
	bytes   int64    // length of the rows in the spool
	blocks  []int    // the same, block by block
	columns []string // column names, if the rows are objects
	width   int      // values of the longest row, if they are arrays
	fields  []string // column names by position, for rows that are arrays
	grid    []string // the same from a description of the table on screen, used if there are no fields
	pages   int64    // how many pages there are; 0 if not said
	total   int64    // rows in all pages; -1 if not said
}

// names returns the column names by number.
func (p *page) names() []string {
	switch {
	case len(p.columns) > 0:
		return p.columns
	case len(p.fields) > 0:
		return p.fields
	}
	return p.grid
}

// check reports a page whose rows cannot be told apart from other things, or their columns from each other.
func (p *page) check() error {
	switch {
	case !p.found:
		return fmt.Errorf("%w: no rows where rows belong", ErrProtocol)
	case p.width > len(p.names()):
		return fmt.Errorf("%w: row has more values than there are columns (%d)", ErrProtocol, len(p.names()))
	}
	return nil
}

// newDecoder returns a JSON decoder that lets pass what must not cost a whole list: field names that some services list
// twice, and a stray byte in a title.
func newDecoder(r io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// scanPage reads one JSON text to the end of in, checks its syntax, and writes its rows to the spool. It knows the three
// shapes replies have: data[] with fields and paging beside it; Tables[0] with Fields or Columns and Rows; and data with
// such Tables inside. Broken syntax is ErrProtocol, an early end ErrShort; an error of the reader or the spool is in.err.
func scanPage(in *intake, to *spool, resolve func(column string) int) (*page, error) {
	s := pageScanner{dec: newDecoder(in), in: in, spool: to, resolve: resolve, page: &page{total: -1}}
	err := s.object(s.top)
	if err == nil {
		switch _, err = s.dec.ReadToken(); err {
		case io.EOF:
			return s.page, nil
		case nil:
			err = errors.New("more than one JSON value")
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return nil, fmt.Errorf("%w: JSON ends after %d bytes", ErrShort, in.n)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		syntax.ByteOffset += s.cut
	}
	return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
}

type pageScanner struct {
	dec     *jsontext.Decoder
	in      *intake
	spool   *spool
	resolve func(column string) int // negative for columns of no interest
	page    *page
	cut     int64 // bytes that the decoder did not see: they were rows
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

// rows takes the rows of the array that comes next out of the intake: the decoder sees an empty one.
func (s *pageScanner) rows() error {
	if s.page.found {
		return errors.New("two arrays of rows")
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	s.page.found = true
	array, start := s.dec.StackPointer(), s.in.offset()
	c := &cutter{resolve: s.resolve, block: borrow()}
	defer func() { giveBack(c.block) }()
	for {
		b, err := s.in.peek()
		if err != nil {
			return err
		}
		if b == ']' {
			break
		}
		if s.page.rows > 0 {
			if b != ',' {
				return fmt.Errorf("invalid character %q after row %d (expecting ',' or ']') at offset %d", b, s.page.rows-1, s.in.offset())
			}
			s.in.take(1)
			if _, err := s.in.peek(); err != nil {
				return err
			}
		}
		if err := s.row(c, array); err != nil {
			return err
		}
		s.page.rows++
		if len(c.block) >= blockSize {
			if err := s.flush(c); err != nil {
				return err
			}
		}
	}
	s.cut = s.in.offset() - start
	s.page.columns, s.page.width = c.columns, c.width
	if err := s.flush(c); err != nil {
		return err
	}
	_, err := s.dec.ReadToken()
	return err
}

// row cuts the row that comes next, all of which must be in the buffer for that.
func (s *pageScanner) row(c *cutter, array jsontext.Pointer) error {
	for {
		n, err := c.row(s.in.rest())
		if err == errMore {
			n = len(s.in.rest())
		}
		if n > maxValue {
			return s.in.fail(fmt.Errorf("%w: a row is over %d bytes", ErrTooLarge, maxValue))
		}
		switch err {
		case nil:
			s.in.take(n)
			return nil
		case errMore:
		default:
			return s.rowError(err, array)
		}
		if err := s.in.fill(); err != nil {
			return ended(err)
		}
	}
}

// rowError completes an error of the row that comes next: the row's own decoder knows no place but in the row.
func (s *pageScanner) rowError(err error, array jsontext.Pointer) error {
	row := strconv.FormatInt(s.page.rows, 10)
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("row %s %w", row, err)
	}
	syntax.JSONPointer = array.AppendToken(row) + syntax.JSONPointer
	syntax.ByteOffset += s.in.offset()
	return syntax
}

// flush writes the cells cut so far to the spool.
func (s *pageScanner) flush(c *cutter) error {
	if len(c.block) == 0 {
		return nil
	}
	if err := s.spool.write(s.page, c.block); err != nil {
		return s.in.fail(err)
	}
	c.block = c.block[:0]
	return nil
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
