package filelist

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"jwstbulk/internal/product"
)

// The columns that name something, in lower case and in order of preference: astroquery's and the Portal's names, the
// Mission Search's, and those of the keyword services.
var (
	locationColumns = [...]string{"datauri", "uri"}
	nameColumns     = [...]string{"productfilename", "filename"}
	obsidColumns    = [...]string{"obsid"}
	obsNameColumns  = [...]string{"obs_id"}
	fileSetColumns  = [...]string{"dataset", "fileset", "filesetname"}
	missionColumns  = [...]string{"obs_collection", "mission"}
)

// table knows where the columns of a table are; -1 means that it has none of that kind.
type table struct {
	location, name, obsid, obsName, fileSet, mission int
}

// newTable finds the columns; the error says that there is nothing to tell files or observations by.
func newTable(header []string) (table, error) {
	lower := make([]string, len(header))
	for i, h := range header {
		lower[i] = strings.ToLower(strings.TrimSpace(h))
	}
	find := func(names []string) int {
		for _, n := range names {
			if i := slices.Index(lower, n); i >= 0 {
				return i
			}
		}
		return -1
	}
	t := table{find(locationColumns[:]), find(nameColumns[:]), find(obsidColumns[:]), find(obsNameColumns[:]),
		find(fileSetColumns[:]), find(missionColumns[:])}
	if t.location < 0 && t.name < 0 && t.obsid < 0 && t.obsName < 0 {
		return t, fmt.Errorf("no column names files or observations: want one of dataURI, uri, productFilename, filename, obsid, obs_id; the columns are %.300q",
			strings.Join(header, ", "))
	}
	return t, nil
}

// row takes in one row of a table.
func (t table) row(l *listing, row []string, line int) error {
	cell := func(i int) string {
		if i < 0 || i >= len(row) {
			return ""
		}
		switch v := strings.TrimSpace(row[i]); v {
		case "--", "nan", "None", "N/A": // masked, as astropy and pandas print it
			return ""
		default:
			return v
		}
	}
	if m := cell(t.mission); m != "" && !strings.EqualFold(m, "JWST") {
		return l.bad(line, fmt.Errorf("the row belongs to %.60q, not to JWST", m))
	}
	if t.location < 0 && t.name < 0 {
		obs, err := observationCell(cell(t.obsid), cell(t.obsName))
		if err != nil {
			return l.bad(line, err)
		}
		l.Obs = append(l.Obs, obs)
		return nil
	}
	it, err := fileCell(cell(t.location), cell(t.name))
	if err != nil {
		return l.bad(line, err)
	}
	if set := cell(t.obsName); set != "" && product.SafeName(set) {
		it.Folder = set
	} else if set := cell(t.fileSet); set != "" && product.SafeName(set) {
		it.Folder = product.Folder(set, it.Name())
	}
	it.Line = line
	l.Items = append(l.Items, it)
	return nil
}

// observationCell takes the obsid, which is shorter to ask for, before the obs_id.
func observationCell(obsid, obsName string) (string, error) {
	obs := obsid
	if obs == "" {
		obs = obsName
	}
	switch {
	case obs == "":
		return "", errors.New("the row has neither an obsid nor an obs_id")
	case strings.ContainsAny(obs, "*?[:"), !product.MayBeObs(obs):
		return "", fmt.Errorf("%.200q is not an observation", obs)
	}
	return strings.ToLower(obs), nil
}

// fileCell takes a mast: URI before a name. The Missions service's uri is a path of its own (DATASET/NAME): the name counts.
func fileCell(location, name string) (Item, error) {
	if strings.Contains(location, ":") {
		return parseLocation(location)
	}
	if name == "" {
		name = location[strings.LastIndexByte(location, '/')+1:]
	}
	if name == "" {
		return Item{}, errors.New("the row names no file")
	}
	return productNamed(name)
}

// separators are tried in this order on the header line. ECSV separates by blanks unless it says otherwise.
var separators = [...]rune{',', '\t', ';', '|', ' '}

// headerLine is the first line that is neither blank nor a comment.
func headerLine(head []byte) string {
	for line := range bytes.Lines(head) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return string(line)
		}
	}
	return ""
}

// separatorOf tells how the columns of a header are separated; ok is false if it is no header that we know.
func separatorOf(header string) (sep rune, ok bool) {
	for _, sep := range separators {
		fields := strings.FieldsFunc(header, func(r rune) bool { return r == sep })
		for i, f := range fields {
			fields[i] = strings.Trim(strings.TrimSpace(f), `"`)
		}
		if _, err := newTable(fields); err == nil {
			return sep, true
		}
	}
	return 0, false
}

// sniffTable accepts what begins with a header that we know. ECSV says by itself what it is; its comments, which describe
// the columns, may be longer than what is looked at.
func sniffTable(head []byte) bool {
	if bytes.HasPrefix(head, []byte("# %ECSV")) {
		return true
	}
	_, ok := separatorOf(headerLine(head))
	return ok
}

// readTable reads CSV and its relatives, and ECSV.
func readTable(r io.Reader, l *listing) error {
	text, skipped, header, err := skipComments(r)
	if errors.Is(err, errHeaderLong) {
		return &Error{l.Name, skipped + 1, err.Error()}
	}
	if err != nil {
		return fmt.Errorf("reading list %q: %w", l.Name, err)
	}
	sep, ok := separatorOf(header)
	if !ok {
		_, err := newTable(strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }))
		if err == nil {
			err = errors.New("the header line cannot be read")
		}
		return &Error{l.Name, skipped + 1, err.Error()}
	}
	cr := csv.NewReader(text)
	cr.Comma, cr.Comment, cr.ReuseRecord = sep, '#', true
	cr.TrimLeadingSpace = sep == ','
	fields, err := cr.Read()
	if err != nil {
		return tableError(l, skipped, err)
	}
	t, err := newTable(fields)
	if err != nil {
		return &Error{l.Name, skipped + 1, err.Error()}
	}
	for {
		row, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			line, _ := cr.FieldPos(0)
			err = t.row(l, row, skipped+line)
		} else {
			err = tableError(l, skipped, err)
		}
		if err != nil {
			return err
		}
	}
}

// tableError sorts an error of the CSV reader: a damaged row may be left out, a failed read may not.
func tableError(l *listing, skipped int, err error) error {
	var pe *csv.ParseError
	if !errors.As(err, &pe) {
		return fmt.Errorf("reading list %q: %w", l.Name, err)
	}
	if errors.Is(pe.Err, csv.ErrFieldCount) {
		return l.bad(skipped+pe.StartLine, errors.New("the row has another number of columns than the header"))
	}
	return l.bad(skipped+pe.StartLine, fmt.Errorf("the row is damaged: %w", pe.Err))
}

// skipComments reads on to the header line of a table. It returns the text from the header on, the number of lines before
// it, and the header.
func skipComments(r io.Reader) (text io.Reader, skipped int, header string, err error) {
	br := bufio.NewReader(r)
	for {
		line, err := readBounded(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, skipped, "", err
		}
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' || err != nil {
			return io.MultiReader(strings.NewReader(line), br), skipped, t, nil
		}
		skipped++
	}
}

// errHeaderLong is returned for a header that no table of the archive has: all of its columns take 6 KB.
var errHeaderLong = errors.New("the header line is longer than 1 MiB")

// readBounded reads one line, its end included.
func readBounded(br *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, err := br.ReadSlice('\n')
		b.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return b.String(), err
		}
		if b.Len() > 1<<20 {
			return "", errHeaderLong
		}
	}
}
