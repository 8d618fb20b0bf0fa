package planner

import (
	"context"
	"slices"
	"time"

	"jwstbulk/internal/mast"
)

// ahead is a request for products that is made while the reply before it is being stored: the archive takes seconds to answer,
// the queue a part of one to store. There is one at a time, and nothing else is asked meanwhile. If the plan stops, its answer
// is thrown away, and the chunk, which is in the queue by then, asks again.
type ahead struct {
	ids     []int64
	done    chan struct{} // closed when the fields below are set
	reply   *mast.Reply
	err     error
	elapsed time.Duration
}

// askAhead begins to ask for the products of observations; none is no request. Nothing may be asked ahead already.
func (w *work) askAhead(ctx context.Context, ids []int64) {
	if len(ids) == 0 {
		return
	}
	w.report(kindProducts, len(ids))
	a := &ahead{ids: ids, done: make(chan struct{})}
	w.ahead = a
	go func() {
		defer close(a.done)
		start := w.cfg.Now()
		a.reply, a.err = w.cfg.Archive.Products(ctx, ids)
		a.elapsed = w.cfg.Now().Sub(start)
	}()
}

// ask asks for the products of observations, or waits for the answer if they were asked for ahead.
func (w *work) ask(ctx context.Context, ids []int64) (*mast.Reply, time.Duration, error) {
	if w.ahead == nil || !slices.Equal(w.ahead.ids, ids) {
		w.dropAhead()
		w.askAhead(ctx, ids)
	}
	a := w.ahead
	w.ahead = nil
	<-a.done
	return a.reply, a.elapsed, a.err
}

// dropAhead waits for what was asked ahead and throws the answer away.
func (w *work) dropAhead() {
	if w.ahead == nil {
		return
	}
	<-w.ahead.done
	if w.ahead.err == nil {
		w.ahead.reply.Close()
	}
	w.ahead = nil
}
