package fits

import (
	"bytes"
	"fmt"
	"strings"
)

// maxLine bounds what textScan keeps of a line that matters: the first line, and the column names.
const maxLine = 1 << 16

// textScan checks tables in text form: CSV (RFC 4180, comma or vertical bar) and ECSV (astropy APE 6). A NUL byte is an
// error, because it is what a hole in a file reads as; so is a last line that is both unterminated and short of fields. Other
// rows of odd length are noted only, because nobody promises them in CSV.
type textScan struct {
	ecsv   bool
	line   int    // complete lines
	keep   []byte // the line under way as long as it is a comment or the column names
	names  int    // fields in the line of column names; 0 until it is met, -1 if that line is too long to count
	sep    byte
	fields int // separators so far in this line
	length int // bytes in this line
	head   bool
	quoted bool
	ragged int // 1-based line number of the first row of odd length
}

func (s *textScan) feed(p []byte, offset int64) (int64, string) {
	nul := bytes.IndexByte(p, 0)
	if nul < 0 {
		nul = len(p)
	}
	for i, b := range p[:nul] {
		if b == '\n' && !s.quoted {
			if why := s.endLine(); why != "" {
				return offset + int64(i), why
			}
			continue
		}
		s.take(b)
	}
	if nul < len(p) {
		return offset + int64(nul), "a NUL byte in a text file"
	}
	return 0, ""
}

func (s *textScan) take(b byte) {
	if s.length == 0 {
		s.head = s.names == 0 || s.ecsv && b == '#'
	}
	s.length++
	if s.head && len(s.keep) < maxLine {
		s.keep = append(s.keep, b)
	}
	switch {
	case s.names == 0:
	case b == '"':
		s.quoted = !s.quoted
	case b == s.sep && !s.quoted:
		s.fields++
	}
}

func (s *textScan) endLine() string {
	s.line++
	defer func() { s.keep, s.length, s.fields, s.quoted = s.keep[:0], 0, 0, false }()
	text := bytes.TrimRight(s.keep, "\r")
	switch {
	case s.ecsv && s.line == 1:
		if !bytes.HasPrefix(text, []byte("# %ECSV ")) {
			return "not ECSV: the first line is not \"# %ECSV version\""
		}
		s.sep = ' '
	case s.ecsv && s.names == 0 && bytes.HasPrefix(text, []byte("#")):
		if d, ok := bytes.CutPrefix(text, []byte("# delimiter:")); ok && bytes.ContainsAny(d, ",") {
			s.sep = ','
		}
	case s.head && s.names != 0: // a comment between rows
	case s.names == 0 && len(text) > 0:
		s.columns(text)
	case s.names > 0 && s.length > 0 && s.fields+1 != s.names && s.ragged == 0:
		s.ragged = s.line
	}
	return ""
}

// columns counts the fields of the line of column names; in CSV it also decides the separator.
func (s *textScan) columns(text []byte) {
	if !s.ecsv {
		s.sep = ','
		if bytes.Count(text, []byte("|")) > bytes.Count(text, []byte(",")) {
			s.sep = '|'
		}
	}
	if len(text) >= maxLine {
		s.names = -1
		return
	}
	s.names = 1
	quoted := false
	for _, b := range text {
		if b == '"' {
			quoted = !quoted
		} else if b == s.sep && !quoted {
			s.names++
		}
	}
}

func (s *textScan) end(int64) (string, bool, []string) {
	var notes []string
	if s.ecsv && s.line == 0 {
		if start := "# %ECSV "; !strings.HasPrefix(start, string(s.keep[:min(len(s.keep), len(start))])) {
			return "not ECSV: the first line is not \"# %ECSV version\"", false, nil
		}
		return "the first line is not complete", true, nil
	}
	if s.length > 0 {
		if s.names > 0 && (s.quoted || s.fields+1 < s.names) {
			return fmt.Sprintf("line %d, the last, is not complete", s.line+1), true, nil
		}
		if s.ecsv {
			return fmt.Sprintf("line %d, the last, does not end in a line break", s.line+1), true, nil
		}
		notes = append(notes, "the last line does not end in a line break")
	}
	if s.ecsv && s.names == 0 {
		return "the table has no line of column names", true, nil
	}
	if s.ragged > 0 {
		notes = append(notes, fmt.Sprintf("line %d has not the %d fields of the first", s.ragged, s.names))
	}
	return "", false, notes
}
