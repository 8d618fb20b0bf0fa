package mast

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// spool is the temporary file that holds the pages of one reply, one behind the other.
type spool struct {
	file *os.File
	size int64 // end of the last complete page
}

// newSpool makes the file, mode 0600, and removes its name at once: however this process ends, nothing is left behind.
func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "jwstbulk-reply-*.json")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file for a reply: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, fmt.Errorf("making a temporary file for a reply: %w", err)
	}
	return &spool{file: f}, nil
}

// intake is the way of one page from the network into the spool: what the JSON scanner reads is written behind the pages
// already there.
type intake struct {
	from  io.Reader
	to    *bufio.Writer
	base  int64 // offset in the spool
	max   int64 // largest page
	n     int64 // bytes so far
	mark0 int64 // n when the last value was complete
	first byte  // first byte that is no white space; 0 if there is none
	err   error // the first error but io.EOF
}

func (s *spool) intake(from io.Reader, max int64) *intake {
	return &intake{from: from, to: bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 256<<10), base: s.size, max: max}
}

// Read implements io.Reader for the scanner.
func (in *intake) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.from.Read(p)
	for i := 0; in.first == 0 && i < n; i++ {
		if p[i] > ' ' {
			in.first = p[i]
		}
	}
	in.n += int64(n)
	if _, werr := in.to.Write(p[:n]); werr != nil {
		err = fmt.Errorf("spooling a reply: %w", werr)
	} else if in.n > in.max || in.n-in.mark0 > 2*maxValue {
		err = fmt.Errorf("%w: over %d bytes", ErrTooLarge, min(in.max, in.n))
	}
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// mark tells that a value is complete: memory for it is free again.
func (in *intake) mark() { in.mark0 = in.n }

// keep makes the page part of the spool.
func (s *spool) keep(in *intake) error {
	if err := in.to.Flush(); err != nil {
		return fmt.Errorf("spooling a reply: %w", err)
	}
	s.size += in.n
	return nil
}

func (s *spool) close() error { return s.file.Close() }
