package queue

import (
	"context"
	"errors"
	"fmt"
)

// maxGroup bounds how many operations share a commit.
const maxGroup = 256

// errClosed is returned by every method after Close.
var errClosed = errors.New("queue is closed")

// op is one operation for the writer. Its effect is whole or nothing.
type op struct {
	ctx    context.Context
	apply  func(*tx) error
	finish *Job // instead of apply: this attempt ends well, together with the others of its group
	solo   bool // may be long or fail on purpose: a transaction of its own
	bare   bool // run between groups, without a transaction; its error is its caller's alone, unless it calls fail
	err    chan error
}

// tx is the writer's open transaction as operations see it.
type tx struct {
	*conn
	q         *Queue
	now       int64   // UTC milliseconds, read once per transaction
	journaled []int64 // files that are done, or no longer done
	lines     []byte  // their journal lines, made at the commit and appended after it
}

// do hands apply to the writer and waits until its effect is durable. Once the writer has begun, ctx no longer counts: a
// caller must never be left not knowing whether a claim or an outcome happened.
func (q *Queue) do(ctx context.Context, o op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.ctx, o.err = ctx, make(chan error, 1)
	select {
	case <-q.quit:
		return errClosed
	default:
	}
	select {
	case q.ops <- &o:
	case <-q.quit:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.err:
		return err
	case <-q.stopped:
		select {
		case err := <-o.err:
			return err
		default:
			return errClosed
		}
	}
}

// write runs a short operation, together with those of others.
func (q *Queue) write(ctx context.Context, apply func(*tx) error) error {
	return q.do(ctx, op{apply: apply})
}

// writeAlone runs an operation that may take long or return a caller's error after changing rows.
func (q *Queue) writeAlone(ctx context.Context, apply func(*tx) error) error {
	return q.do(ctx, op{apply: apply, solo: true})
}

// serve is the writer goroutine: it takes an operation, adds all that have gathered meanwhile, and commits them together.
// While a commit waits for the disk the next group gathers, so nobody waits for a clock.
func (q *Queue) serve() {
	defer close(q.stopped)
	var carry *op
	group := make([]*op, 0, maxGroup)
	for {
		first := carry
		carry = nil
		if first == nil {
			select {
			case first = <-q.ops:
			case <-q.quit:
				q.refuse()
				return
			}
		}
		group = append(group[:0], first)
		if !first.solo && !first.bare {
			group, carry = q.gather(group)
		}
		q.settle(group)
	}
}

// gather adds waiting operations to group until there are none, the group is full, or one must run alone: that one is
// returned for the next turn.
func (q *Queue) gather(group []*op) ([]*op, *op) {
	for len(group) < maxGroup {
		select {
		case o := <-q.ops:
			if o.solo || o.bare {
				return group, o
			}
			group = append(group, o)
		default:
			return group, nil
		}
	}
	return group, nil
}

// refuse answers what was sent while Close went on.
func (q *Queue) refuse() {
	for {
		select {
		case o := <-q.ops:
			o.err <- errClosed
		default:
			return
		}
	}
}

// settle runs a group, and delivers each result after the commit and the journal's flush. If an operation fails after it
// changed something, everything is rolled back and the operations run again, each in a transaction of its own: that is
// rare, and cheaper than a savepoint for each.
func (q *Queue) settle(group []*op) {
	if err := q.failed(); err != nil {
		deliver(group, nil, err)
		return
	}
	if group[0].bare {
		group[0].err <- group[0].apply(&tx{conn: q.conn, q: q, now: q.cfg.Now().UnixMilli()})
		return
	}
	results := make([]error, len(group))
	err := q.transact(group, results)
	if errors.Is(err, errMixed) {
		for i := range group {
			if err = q.transact(group[i:i+1], results[i:i+1]); err != nil {
				deliver(group[:i], results, nil)
				group = group[i:]
				break
			}
		}
	}
	if err != nil {
		err = q.fail(err)
	}
	deliver(group, results, err)
}

func deliver(group []*op, results []error, err error) {
	for i, o := range group {
		switch {
		case err != nil:
			o.err <- err
		default:
			o.err <- results[i]
		}
	}
}

// fail makes err the answer to everything from now on: after a failed write nobody knows what a further one would mean.
func (q *Queue) fail(err error) error {
	err = fmt.Errorf("writing the queue: %w", err)
	q.fatal.CompareAndSwap(nil, &err)
	return q.failed()
}

// failed returns the error that stopped the queue, or nil.
func (q *Queue) failed() error {
	if p := q.fatal.Load(); p != nil {
		return *p
	}
	return nil
}

// errMixed says that one operation of a group failed half-way, so that none of the group has happened.
var errMixed = errors.New("an operation of the group failed half-way")

// transact runs a group in one transaction, its finishes first: operations of one group run at the same time, so that any order
// of them is right. An error of an operation itself goes to results; a returned error other than
// errMixed is one of the database or the journal, and concerns the whole group.
func (q *Queue) transact(group []*op, results []error) error {
	ctx := context.WithoutCancel(group[0].ctx)
	if _, _, err := q.conn.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := &tx{conn: q.conn, q: q, now: q.cfg.Now().UnixMilli(), lines: q.lines[:0]}
	if err := t.finish(ctx, group, results); err != nil {
		return errors.Join(err, q.rollback(ctx))
	}
	applied := len(t.journaled)
	for i, o := range group {
		if o.finish != nil {
			continue
		}
		before := q.conn.changes
		err := o.ctx.Err()
		if err == nil {
			err = o.apply(t)
		}
		results[i] = err
		switch {
		case err == nil:
			applied++
		case isDatabase(err):
			return errors.Join(err, q.rollback(ctx))
		case q.conn.changes != before && len(group) > 1:
			return errors.Join(errMixed, q.rollback(ctx))
		}
	}
	if applied == 0 {
		return q.rollback(ctx)
	}
	return q.commit(ctx, t)
}

// rollback undoes the transaction. The memory of interned rows goes with it, since it may name rows that are gone.
func (q *Queue) rollback(ctx context.Context) error {
	q.names.reset()
	if _, _, err := q.conn.exec(ctx, "ROLLBACK"); err != nil && !isNoTransaction(err) {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// commit makes the journal lines of the files that were finished, notes in the same transaction which they are, commits, and
// then appends the lines. A crash between the two is mended at the next Open.
func (q *Queue) commit(ctx context.Context, t *tx) error {
	var err error
	if len(t.journaled) > 0 {
		err = t.settleJournaled(ctx)
	}
	if err == nil {
		err = q.point("commit")
	}
	if err == nil {
		_, _, err = q.conn.exec(ctx, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, q.rollback(ctx))
	}
	if err := q.point("committed"); err != nil {
		return err
	}
	q.lines = t.lines
	if err := q.journal.append(t.lines); err != nil {
		return err
	}
	return q.point("settled")
}

// point is where tests break things; in production it does nothing.
func (q *Queue) point(name string) error {
	if q.fault == nil {
		return nil
	}
	return q.fault(name)
}
