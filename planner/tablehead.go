package planner

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

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
