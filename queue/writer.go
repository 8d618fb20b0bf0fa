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
	ctx   context.Context
	apply func(*tx) error
	solo  bool // may be long or fail on purpose: a transaction of its own
	read  bool // only reads: run between groups, without a transaction
	err   chan error
}

// tx is the writer's open transaction as operations see it.
type tx struct {
	*conn
	q         *Queue
	now       int64   // UTC milliseconds, read once per transaction
	lines     []byte  // journal lines to append after the commit
	journaled []int64 // files these lines speak of
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
		if !first.solo && !first.read {
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
			if o.solo || o.read {
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

// settle runs a group, and delivers each result after the commit and the journal's fsync.
func (q *Queue) settle(group []*op) {
	if err := q.failed(); err != nil {
		deliver(group, nil, err)
		return
	}
	if group[0].read {
		t := &tx{conn: q.conn, q: q, now: q.cfg.Now().UnixMilli()}
		group[0].err <- group[0].apply(t)
		return
	}
	results := make([]error, len(group))
	err := q.transact(group, results)
	if err != nil {
		// The memory of interned rows may name rows that were rolled back.
		q.names.reset()
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

// transact runs a group in one transaction. An error of an operation itself goes to results; a returned error is one of
// the database or the journal and concerns the whole group.
func (q *Queue) transact(group []*op, results []error) error {
	ctx := context.WithoutCancel(group[0].ctx)
	if _, _, err := q.conn.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := &tx{conn: q.conn, q: q, now: q.cfg.Now().UnixMilli(), lines: q.lines[:0]}
	applied := 0
	for i, o := range group {
		fatal := false
		if results[i], fatal = q.apply(t, o); fatal {
			return errors.Join(results[i], q.rollback(ctx))
		}
		if results[i] == nil {
			applied++
		}
	}
	if applied == 0 {
		return q.rollback(ctx)
	}
	if err := q.commit(ctx, t); err != nil {
		return errors.Join(err, q.rollback(ctx))
	}
	q.lines = t.lines
	if err := q.journal.append(t.lines); err != nil {
		return err
	}
	return q.point("settled")
}

func (q *Queue) rollback(ctx context.Context) error {
	if _, _, err := q.conn.exec(ctx, "ROLLBACK"); err != nil && !isNoTransaction(err) {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// commit notes which files the coming journal lines speak of, in the same transaction, and commits.
func (q *Queue) commit(ctx context.Context, t *tx) error {
	if len(t.journaled) > 0 {
		if err := noteJournaled(ctx, t); err != nil {
			return err
		}
	}
	if err := q.point("commit"); err != nil {
		return err
	}
	if _, _, err := q.conn.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	return q.point("committed")
}

// apply runs one operation inside a savepoint. fatal is true for errors of the database.
func (q *Queue) apply(t *tx, o *op) (err error, fatal bool) { //nolint:revive // err is the operation's result, not a failure of apply
	if err := o.ctx.Err(); err != nil {
		return err, false
	}
	ctx := context.WithoutCancel(o.ctx)
	if _, _, err := t.exec(ctx, "SAVEPOINT op"); err != nil {
		return err, true
	}
	lines, journaled := len(t.lines), len(t.journaled)
	err = o.apply(t)
	if err == nil {
		_, _, err = t.exec(ctx, "RELEASE op")
		return err, err != nil
	}
	if isDatabase(err) {
		return err, true
	}
	t.lines, t.journaled = t.lines[:lines], t.journaled[:journaled]
	q.names.reset()
	if _, _, rerr := t.exec(ctx, "ROLLBACK TO op"); rerr != nil {
		return errors.Join(err, rerr), true
	}
	if _, _, rerr := t.exec(ctx, "RELEASE op"); rerr != nil {
		return errors.Join(err, rerr), true
	}
	return err, false
}

// point is where tests break things; in production it does nothing.
func (q *Queue) point(name string) error {
	if q.fault == nil {
		return nil
	}
	return q.fault(name)
}
