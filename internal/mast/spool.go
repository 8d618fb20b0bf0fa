package mast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// spool is the temporary file that holds the rows of one reply, page by page, in blocks. A block is a sequence of cells:
// eight bytes, little-endian, made by head, and the cell's text; a cell of the kind endOfRow ends each row. Nulls are left
// out. Nothing but this process ever reads it.
type spool struct {
	file *os.File
	size int64 // end of the last complete page
}

// blockSize is the size of a block; the last row of a block may exceed it.
const blockSize = 128 << 10

const spoolPrefix = "jwstbulk-reply-"

// newSpool makes the file, mode 0600, and removes its name at once: however this process ends after that, nothing is left
// behind.
func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, spoolPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file for a reply: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, fmt.Errorf("making a temporary file for a reply: %w", err)
	}
	return &spool{file: f}, nil
}

// SweepSpool removes from a Config.Spool what was left by processes that were killed between making a file and removing its
// name. The caller makes sure that nobody uses the directory meanwhile: on a network file system, what another machine has
// open is gone with its name.
func SweepSpool(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for old replies: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), spoolPrefix) || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an old reply: %w", err)
		}
	}
	return nil
}

func (s *spool) close() error { return s.file.Close() }

// write writes a block behind those of p, which begins where the last page that was kept ends.
func (s *spool) write(p *page, block []byte) error {
	if _, err := s.file.WriteAt(block, s.size+p.bytes); err != nil {
		return fmt.Errorf("spooling a reply: %w", err)
	}
	p.blocks, p.bytes = append(p.blocks, len(block)), p.bytes+int64(len(block))
	return nil
}

// keep makes p part of the spool.
func (s *spool) keep(p *page) {
	p.at = s.size
	s.size += p.bytes
}

// head is the head of a cell: the number of its column, its kind and the length of its text.
func head(column int, k kind, length int) uint64 {
	return uint64(column)<<40 | uint64(k)<<32 | uint64(length)
}

func appendCell(block []byte, column int, k kind, text []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(block, head(column, k, len(text))), text...)
}

func appendRowEnd(block []byte) []byte {
	return binary.LittleEndian.AppendUint64(block, head(0, endOfRow, 0))
}

var errGarbled = fmt.Errorf("%w: spooled row is garbled", ErrProtocol)

// nextRow appends the cells at the front of block to cells, up to the end of the row, and returns what is behind it. wanted
// says by column what number the cells get; those of negative ones are left out. The cells point into block.
func nextRow(block []byte, wanted []int, cells []cell) (_ []cell, rest []byte, err error) {
	for len(block) >= 8 {
		h := binary.LittleEndian.Uint64(block)
		column, k, length := int(h>>40), kind(h>>32), int(uint32(h))
		block = block[8:]
		if k == endOfRow {
			return cells, block, nil
		}
		if length > len(block) || column >= len(wanted) {
			break
		}
		if column = wanted[column]; column >= 0 {
			cells = append(cells, cell{column: column, kind: k, raw: block[:length:length]})
		}
		block = block[length:]
	}
	return nil, nil, errGarbled
}

// rowReader reads the rows of a page from the spool.
type rowReader struct {
	spool  *spool
	at     int64 // of the next block
	blocks []int // the lengths of those that are still to be read
	wanted []int // by column
	buf    []byte
	block  []byte // what is left of the block under way
	cells  []cell
}

// rows returns a reader of the rows of p, which the caller closes. resolve tells the number that cells of a column get, by its
// name; negative if they are of no interest.
func (s *spool) rows(p *page, resolve func(name string) int) *rowReader {
	return &rowReader{spool: s, at: p.at, blocks: p.blocks, wanted: numbers(p.names(), resolve), buf: borrow()}
}

// close ends the reading; cells are no longer valid.
func (r *rowReader) close() {
	giveBack(r.buf)
	r.buf, r.block, r.blocks = nil, nil, nil
}

func numbers(names []string, resolve func(name string) int) []int {
	wanted := make([]int, len(names))
	for i, name := range names {
		wanted[i] = resolve(name)
	}
	return wanted
}

// next returns the cells of the next row that are not null, in the order of the reply; ok is false at the end. They are
// valid until the next call.
func (r *rowReader) next() (cells []cell, ok bool, err error) {
	if len(r.block) == 0 {
		if len(r.blocks) == 0 {
			return nil, false, nil
		}
		n := r.blocks[0]
		if n > cap(r.buf) {
			r.buf = make([]byte, n)
		}
		if _, err := r.spool.file.ReadAt(r.buf[:n], r.at); err != nil {
			return nil, false, fmt.Errorf("reading the spooled reply: %w", err)
		}
		r.block, r.at, r.blocks = r.buf[:n], r.at+int64(n), r.blocks[1:]
	}
	r.cells, r.block, err = nextRow(r.block, r.wanted, r.cells[:0])
	return r.cells, err == nil, err
}
