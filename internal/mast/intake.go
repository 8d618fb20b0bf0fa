package mast

import (
	"bytes"
	"fmt"
	"io"
)

// maxValue bounds one row, and anything else that must be in memory at a time while a reply is read.
const maxValue = 4 << 20

// intake is the body of a reply on its way from the network. The envelope of the reply is read from it by a JSON decoder,
// through Read; the rows are cut out of its buffer. Neither takes a byte that belongs to the other.
type intake struct {
	from  io.Reader
	max   int64 // largest reply
	n     int64 // bytes that came
	buf   []byte
	pos   int   // buf[pos:] is not taken yet
	read  int64 // bytes that Read gave away
	mark0 int64 // read when the last value was complete
	first byte  // first byte that is no white space; 0 if there is none
	end   error // what ended the body, io.EOF if all is well; nil while it goes on
	err   error // the same, but not io.EOF, once whoever reads has come that far; or why reading was given up
}

func newIntake(from io.Reader, max int64) *intake {
	return &intake{from: from, max: max, buf: borrow()}
}

// close gives the buffer back: nothing can be read any more.
func (in *intake) close() {
	giveBack(in.buf)
	in.buf, in.pos = nil, 0
}

// offset returns how many bytes were taken.
func (in *intake) offset() int64 { return in.n - int64(len(in.buf)-in.pos) }

// rest returns the bytes that came and are not taken yet; they are valid until the next fill.
func (in *intake) rest() []byte { return in.buf[in.pos:] }

// take tells that n bytes of rest are done with.
func (in *intake) take(n int) { in.pos += n }

// fill adds to rest until the buffer is full or the body ends; the buffer grows if rest is half of it. Once there is
// nothing to add it returns why, which is io.EOF at the end of a whole body.
func (in *intake) fill() error {
	if in.end != nil {
		if in.end != io.EOF {
			in.err = in.end
		}
		return in.end
	}
	size := cap(in.buf)
	if len(in.rest()) > size/2 {
		size *= 2
	}
	to := in.buf[:0]
	if size > cap(in.buf) {
		to = make([]byte, 0, size)
	}
	in.buf, in.pos = append(to, in.rest()...), 0
	for len(in.buf) < size && in.end == nil {
		n, err := in.from.Read(in.buf[len(in.buf):size])
		in.note(in.buf[len(in.buf) : len(in.buf)+n])
		in.buf = in.buf[:len(in.buf)+n]
		if in.end = err; in.n > in.max {
			in.end = fmt.Errorf("%w: over %d bytes", ErrTooLarge, in.max)
		}
	}
	if len(in.rest()) == 0 {
		return in.fill()
	}
	return nil
}

// note looks at bytes that came.
func (in *intake) note(b []byte) {
	in.n += int64(len(b))
	for i := 0; in.first == 0 && i < len(b); i++ {
		if b[i] > ' ' {
			in.first = b[i]
		}
	}
}

// Read implements io.Reader for the decoder of the envelope. It never gives away what follows a '[', so that the rows
// behind one are still here when the decoder has read it.
func (in *intake) Read(p []byte) (int, error) {
	if in.read-in.mark0 > 2*maxValue {
		return 0, in.fail(fmt.Errorf("%w: a value is over %d bytes", ErrTooLarge, 2*maxValue))
	}
	if len(in.rest()) == 0 {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.rest())
	if i := bytes.IndexByte(p[:n], '['); i >= 0 {
		n = i + 1
	}
	in.take(n)
	in.read += int64(n)
	return n, nil
}

// peek returns the next byte that is no white space, which is then the first of rest.
func (in *intake) peek() (byte, error) {
	for {
		for ; in.pos < len(in.buf); in.pos++ {
			switch b := in.buf[in.pos]; b {
			case ' ', '\t', '\n', '\r':
			default:
				return b, nil
			}
		}
		if err := in.fill(); err != nil {
			return 0, ended(err)
		}
	}
}

// ended returns what the end of a body means where more must follow.
func ended(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// mark tells that the decoder has read a value: memory for it is free again.
func (in *intake) mark() { in.mark0 = in.read }

// fail notes and returns why reading is given up, where that is not the reply's syntax.
func (in *intake) fail(err error) error {
	in.err = err
	return err
}
