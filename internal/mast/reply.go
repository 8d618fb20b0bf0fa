package mast

import (
	"iter"
	"time"
)

// Reply is a complete reply of the query service, all pages of it, in a temporary file. Its rows are decoded while they
// are walked through; they never sit in memory together. The iterators may be used any number of times, also at the same
// time, until Close; each stops at its first error. Fields of a column the reply does not have are as if it held nulls.
// Only columns of the kind of row that was asked for are kept: Products is for replies of Client.Products, and so on.
type Reply struct {
	op       string
	resolve  func(column string) int // negative for columns that the spool lacks
	spool    *spool
	pages    []*page
	rows     int64
	bytes    int64
	requests int
	elapsed  time.Duration
}

// Rows returns the number of rows in all pages.
func (r *Reply) Rows() int64 { return r.rows }

// Requests returns the number of HTTP requests the reply took, polls and retries included.
func (r *Reply) Requests() int { return r.requests }

// Bytes returns the size of the reply as the archive sent it.
func (r *Reply) Bytes() int64 { return r.bytes }

// Elapsed returns how long the archive took over the requests, without the waits between them.
func (r *Reply) Elapsed() time.Duration { return r.elapsed }

// Close frees the temporary file. Iterators fail afterwards.
func (r *Reply) Close() error {
	if err := r.spool.close(); err != nil {
		return &Error{Op: r.op, Err: err}
	}
	return nil
}

// walk calls row with the cells of every row until it returns false. resolve gives the number of a column by its name as
// the reply spells it, negative if its cells are not wanted. Nulls are left out.
func (r *Reply) walk(resolve func(string) int, row func([]cell) bool) error {
	for _, p := range r.pages {
		more, err := r.walkPage(p, resolve, row)
		if err != nil {
			return &Error{Op: r.op, Err: err}
		}
		if !more {
			return nil
		}
	}
	return nil
}

// walkPage is walk for one page; more is false once row was.
func (r *Reply) walkPage(p *page, resolve func(string) int, row func([]cell) bool) (more bool, err error) {
	rows := r.spool.rows(p, resolve)
	defer rows.close()
	for {
		cells, ok, err := rows.next()
		if err != nil || !ok {
			return err == nil, err
		}
		if !row(cells) {
			return false, nil
		}
	}
}

// records walks through the rows as values of T: fresh is a T of nulls, set takes one cell that is not null into it, and
// finish completes it.
func records[T any](r *Reply, fresh T, resolve func(string) int, set func(*T, *cell), finish func(*T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var record T // one for all rows, for it is on the heap: set is not known here
		err := r.walk(resolve, func(cells []cell) bool {
			record = fresh
			for i := range cells {
				set(&record, &cells[i])
			}
			finish(&record)
			return yield(record, nil)
		})
		if err != nil {
			yield(fresh, err)
		}
	}
}

// Products returns the rows as products.
func (r *Reply) Products() iter.Seq2[Product, error] {
	return func(yield func(Product, error) bool) {
		d := new(productDecoder)
		fresh := Product{Size: -1, Level: LevelUnknown}
		records(r, fresh, productColumn, d.set, func(*Product) {})(yield)
	}
}

// Observations returns the rows as observations.
func (r *Reply) Observations() iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		d := new(observationDecoder)
		records(r, freshObservation(), observationColumn, d.set, func(*Observation) {})(yield)
	}
}

// KeywordRows returns the rows as rows of a keyword service.
func (r *Reply) KeywordRows() iter.Seq2[KeywordRow, error] {
	return func(yield func(KeywordRow, error) bool) {
		d := new(keywordDecoder)
		records(r, KeywordRow{Size: -1}, keywordColumn, d.set, d.finish)(yield)
	}
}
