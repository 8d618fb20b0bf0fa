package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Close waits for the operations under way, marks the queue as cleanly closed, writes the last status.json and gives the
// locks back. Later calls return the same result; other methods then fail. A queue that was stopped by a failed write or found
// damaged is not marked clean, so that the next Open checks it; Close returns the failed write's error.
func (q *Queue) Close() error {
	q.close.Do(func() {
		close(q.quit)
		<-q.stopped
		// A cancelled caller must still leave a clean queue, so no context of a caller's is used.
		ctx := context.Background()
		errs := []error{q.failed()}
		if errs[0] == nil && !q.damaged.Load() {
			errs = append(errs, q.lastStatus(ctx), q.markClean(ctx))
		}
		q.closed = errors.Join(append(errs, q.free())...)
	})
	return q.closed
}

// Owner returns how this process signed the campaign's lock.
func (q *Queue) Owner() Owner { return q.owner }

func (q *Queue) markClean(ctx context.Context) error {
	err := inTx(ctx, q.conn, func() error {
		if _, _, err := q.conn.exec(ctx, `DELETE FROM unjournaled`); err != nil {
			return err
		}
		if _, _, err := q.conn.exec(ctx, upsertMeta, metaJournal, strconv.FormatInt(q.journal.size, 10)); err != nil {
			return err
		}
		_, _, err := q.conn.exec(ctx, upsertMeta, metaClean, "1")
		return err
	})
	if err != nil {
		return fmt.Errorf("marking the queue as closed: %w", err)
	}
	return nil
}

// lastStatus says in status.json that nobody works here any more. The writer has ended, so its connection is free.
func (q *Queue) lastStatus(ctx context.Context) error {
	c, err := countsOf(ctx, q.conn)
	if err != nil {
		return err
	}
	q.statusMu.Lock()
	s := q.status
	q.statusMu.Unlock()
	s.Counts, s.Ended = c, true
	return q.WriteStatus(s)
}

// free closes what is open, in an order that keeps the locks to the last. SQLite folds the write-ahead log into the
// database when its last connection closes.
func (q *Queue) free() error {
	var errs []error
	if q.Reader != nil {
		errs = append(errs, q.Reader.Close())
	}
	if q.conn != nil {
		errs = append(errs, q.conn.close())
	}
	if q.journal != nil {
		errs = append(errs, q.journal.close())
	}
	for _, l := range q.locks {
		errs = append(errs, l.release())
	}
	return errors.Join(errs...)
}
