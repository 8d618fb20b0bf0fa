package planner

import (
	"context"
	"slices"
	"time"

	"jwstbulk/internal/mast"
)

// ahead is a request for products that is made while the reply before it is being stored: the archive takes seconds to answer,
// the queue a part of one to store. There is one at a time, and nothing else is asked meanwhile. Its answer is kept until its
// chunk is worked, which may be after others. If the plan stops before, it is thrown away, and the chunk, which is in the queue by
// then, asks again.
type ahead struct {
	ids     []int64
	done    chan struct{} // closed when the fields below are set
	reply   *mast.Reply
	err     error
	elapsed time.Duration
}

// send begins to ask for the products of observations. Nothing may be under way.
func (w *work) send(ctx context.Context, ids []int64) *ahead {
	w.report(kindProducts, len(ids))
	a := &ahead{ids: ids, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		start := w.cfg.Now()
		a.reply, a.err = w.cfg.Archive.Products(ctx, ids)
		a.elapsed = w.cfg.Now().Sub(start)
	}()
	return a
}

// askAhead begins to ask for what the next chunk will ask for. Without observations it does nothing, nor while something is asked
// ahead already: that chunk has not had its turn.
func (w *work) askAhead(ctx context.Context, ids []int64) {
	if len(ids) > 0 && w.ahead == nil {
		w.ahead = w.send(ctx, ids)
	}
}

// ask asks for the products of observations, or waits for the answer if they were asked for ahead.
func (w *work) ask(ctx context.Context, ids []int64) (*mast.Reply, time.Duration, error) {
	a := w.ahead
	if a != nil {
		<-a.done // also if it is another chunk's: one at a time
	}
	if a == nil || !slices.Equal(a.ids, ids) {
		a = w.send(ctx, ids)
		<-a.done
	} else {
		w.ahead = nil
	}
	return a.reply, a.elapsed, a.err
}

// dropAhead waits for what was asked ahead and throws the answer away.
func (w *work) dropAhead() {
	if w.ahead == nil {
		return
	}
	<-w.ahead.done
	if w.ahead.err == nil {
		_ = w.ahead.reply.Close() // nobody reads it
	}
	w.ahead = nil
}
