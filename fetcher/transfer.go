package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// transfer makes one request and streams its body to the part. It returns nil when the part holds the whole file.
func (a *attempt) transfer(ctx context.Context) error {
	if a.whole() {
		return nil
	}
	if err := a.disk.enter(ctx); err != nil {
		return err
	}
	release, err := a.takeSlot(ctx)
	if err != nil {
		return err
	}
	defer release()
	begin, before := time.Now(), a.received
	defer func() { a.src.transferred(a.received-before, time.Since(begin)) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b, err := a.open(ctx)
	if err != nil || b == nil {
		return err
	}
	defer b.Close() // what matters of a body is known from its last Read
	if err := a.accept(ctx, b); err != nil {
		return err
	}
	return a.stream(ctx, cancel, b)
}

// open passes the gates of the host and sends the request. A nil body without error means that the part is complete.
func (a *attempt) open(ctx context.Context) (*mast.Body, error) {
	probe, err := a.passGates(ctx)
	if err != nil {
		return nil, err
	}
	from := a.resumable()
	var v mast.Validator
	if from > 0 {
		v = validator(a.part.meta)
	}
	b, err := a.request(ctx, from, v)
	var past *mast.RangeError
	if errors.As(err, &past) {
		a.src.gate.good()
		return nil, a.pastEnd(ctx, past, from)
	}
	if err != nil {
		return nil, a.hostSays(ctx, err, probe)
	}
	a.src.gate.good()
	return b, nil
}

// passGates blocks until a request may be sent. The host is looked at once more after the limiter, for it may have asked
// everybody to wait meanwhile.
func (a *attempt) passGates(ctx context.Context) (probe bool, err error) {
	for {
		if a.optional() && !a.src.gate.open(time.Now(), false) {
			return false, errClosed // there is no need to wait for it
		}
		if probe, err = a.src.gate.enter(ctx); err != nil {
			return false, err
		}
		if err := a.src.requests.Wait(ctx); err != nil {
			a.src.gate.cancel(probe)
			return false, errDrain
		}
		if may := a.cfg.MaySend; may != nil && !may() {
			a.src.gate.cancel(probe)
			return false, errDrain
		}
		if a.src.gate.open(time.Now(), probe) {
			return probe, nil
		}
		a.src.gate.cancel(probe)
	}
}

// pastEnd handles a 416: nil means that the part holds the whole file already.
func (a *attempt) pastEnd(ctx context.Context, past *mast.RangeError, from int64) error {
	if a.part == nil || from == 0 {
		return fmt.Errorf("%w: %w", mast.ErrProtocol, past.Err)
	}
	if past.Total >= 0 && past.Total != a.job.Size && !a.asked && !a.optional() {
		if err := a.askAgain(ctx); err != nil {
			return err
		}
	}
	if past.Total == a.part.size && past.Total == a.job.Size {
		a.part.meta.Size = past.Total
		return nil
	}
	return fmt.Errorf("%w: the server has no byte %d", errRestart, from)
}

// hostSays tells the host's gate what a failed request means for everybody.
func (a *attempt) hostSays(ctx context.Context, err error, probe bool) error {
	if ctx.Err() != nil {
		a.src.gate.cancel(probe)
		return errDrain
	}
	v := classify(err)
	a.src.gate.pause(v.pause)
	switch {
	case a.optional(): // nobody waits for it; its health decides
		a.src.gate.cancel(probe)
	case errors.Is(err, errNoCopy): // it was not asked
		a.src.gate.cancel(probe)
	case v.class == classOutage:
		a.src.gate.bad(a.job.URI, false, err)
	case v.class == classGate, v.class == classStop: // our own lack of sockets says nothing of the host
		a.src.gate.cancel(probe)
	case v.class == classRetry && !errors.Is(err, mast.ErrProtocol) && !throttled(err):
		key := a.job.URI
		if a.job.Tries > 0 {
			key = "" // it failed while others came, so it is no evidence against the host
		}
		if a.src.gate.bad(key, true, err) {
			return &outageError{err}
		}
	default:
		a.src.gate.good()
	}
	return err
}

// errClosed says that a source that the file need not come from may not be asked now.
var errClosed = errors.New("it asked to wait")

// accept holds the reply's head against what is known of the file, before any byte of it is written, and gets the part
// ready for it.
func (a *attempt) accept(ctx context.Context, b *mast.Body) error {
	if b.From > 0 && a.part != nil && a.part.meta.Size >= 0 && b.Total != a.part.meta.Size {
		return fmt.Errorf("%w: %w", errRestart, &SizeError{What: "the file of a partial reply", Got: b.Total, Want: a.part.meta.Size})
	}
	if a.job.Size >= 0 && b.Total >= 0 && a.job.Size != b.Total {
		if a.optional() {
			return &SizeError{What: "the copy", Got: b.Total, Want: a.job.Size}
		}
		listed := a.job.Size
		if !a.asked {
			if err := a.askAgain(ctx); err != nil {
				return err
			}
		}
		if a.job.Size != b.Total && !a.cfg.AcceptSize {
			return &failError{reason: queue.ReasonSize, err: &SizeError{What: "the server's file", Got: b.Total, Want: listed},
				advice: "the catalogue may lag behind a reprocessing: `jwstbulk retry` asks again, --accept-server-size takes the server's word"}
		}
		a.job.Size = b.Total
	}
	if b.Changed && a.part != nil && a.part.size > 0 {
		if err := a.event(ctx, "changed-on-server", fmt.Sprintf("%d bytes of the older version dropped", a.part.size)); err != nil {
			return err
		}
	}
	if err := a.ready(b.From); err != nil {
		return err
	}
	a.announced = b.Total >= 0
	if b.From == 0 || a.stated.IsZero() {
		a.stated = b.Digests
	}
	m := &a.part.meta
	m.Source, m.Size, m.Boot = a.src.Name(), b.Total, a.boot
	if b.From == 0 {
		m.Checksum = a.job.Checksum
		m.Validator = queue.Validator{ETag: b.Validator.ETag, LastModified: b.Validator.LastModified, Date: b.Validator.Date}
	}
	a.cfg.Reporter.Begin(a.job, a.part.size, max(b.Total, a.job.Size))
	return nil
}

// stream copies the body to the part. The queue knows of the part before its first new byte is written, so that no byte
// on disk is ever fetched again on this boot.
func (a *attempt) stream(ctx context.Context, cancel context.CancelCauseFunc, b *mast.Body) error {
	recorded := a.recordPart(ctx)
	limit := b.Total
	if limit < 0 {
		limit = a.job.Size
	}
	var (
		in     = newWatchdog(b, cancel, a.cfg.Stall, a.cfg.MinRate)
		buf    = a.buffers.Get().(*[copyBuffer]byte)
		first  = a.part.size == 0
		synced = time.Now()
		err    error
	)
	defer a.buffers.Put(buf)
	for err == nil {
		var n int
		n, err = fill(in, buf[:])
		if first && n > 0 {
			first = false
			if e := sniff(a.job.URI, buf[:n]); e != nil {
				return errors.Join(e, wait(recorded))
			}
		}
		if limit >= 0 && a.part.size+int64(n) > limit {
			return errors.Join(a.tooLong(ctx, wait(recorded), b.Total < 0), &SizeError{"the body", a.part.size + int64(n), limit})
		}
		if e := wait(recorded); e != nil {
			return e
		}
		recorded = nil
		if e := a.step("recorded"); e != nil {
			return e
		}
		if e := a.keep(ctx, buf[:n], &synced); e != nil {
			return e
		}
		if e := a.step("written"); e != nil {
			return e
		}
	}
	return a.ended(ctx, err, limit)
}

// tooLong is the error of a body that exceeds its length. Where that is the catalogue's alone, the archive is asked whether
// it is still true.
func (a *attempt) tooLong(ctx context.Context, recorded error, listed bool) error {
	if recorded == nil && listed && !a.asked {
		recorded = a.askAgain(ctx)
	}
	if recorded != nil {
		return recorded
	}
	return errRestart
}

// keep writes bytes of the body to the part, within the byte limit, and fsyncs the part now and then.
func (a *attempt) keep(ctx context.Context, b []byte, synced *time.Time) error {
	if err := takeBytes(ctx, a.bytes, len(b)); err != nil {
		return err
	}
	if err := a.part.write(b); err != nil {
		return err
	}
	a.received += int64(len(b))
	a.cfg.Reporter.Bytes(a.job, int64(len(b)))
	a.count(func(r *Result) { r.Bytes += int64(len(b)) })
	if a.part.size-a.part.synced < a.cfg.SyncEvery && time.Since(*synced) < a.cfg.SyncAfter {
		return nil
	}
	*synced = time.Now()
	if err := errors.Join(a.part.sync(), a.step("flushed")); err != nil {
		return err
	}
	return wait(a.recordPart(ctx))
}

// ended judges how a body ended: nil if the part is complete.
func (a *attempt) ended(ctx context.Context, err error, limit int64) error {
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStalled):
		return errDrain
	case err != io.EOF:
		return fmt.Errorf("reading the body: %w", err)
	case limit >= 0 && a.part.size < limit:
		return fmt.Errorf("%w: %w", errShort, &SizeError{"the body", a.part.size, limit})
	}
	a.part.meta.Size = a.part.size
	return nil
}

// recordPart tells the queue of the part's state, if that is news, without waiting: the result arrives on the channel,
// which must be received from by wait.
func (a *attempt) recordPart(ctx context.Context) <-chan error {
	now := a.part.state(a.boot)
	if samePart(now, a.recorded) {
		return nil
	}
	old := a.recorded
	a.recorded = now
	c := make(chan error, 1)
	go func() {
		err := a.cfg.Queue.Progress(context.WithoutCancel(ctx), *a.job, now)
		if err == nil && old.Token != "" && old.Token != now.Token {
			_ = a.root.Remove(partPath(a.job.URI, old.Token)) // no row names it any more: if it stays, the next start removes it
		}
		c <- asQueueError(err)
	}()
	return c
}

func samePart(a, b queue.Part) bool {
	return a.Token == b.Token && a.Source == b.Source && a.Boot == b.Boot && a.Durable == b.Durable && a.Size == b.Size &&
		bytes.Equal(a.Checksum, b.Checksum) && a.Validator == b.Validator
}

func wait(c <-chan error) error {
	if c == nil {
		return nil
	}
	return <-c
}

// fill reads until buf is full or the body ends; unlike io.ReadFull it reports the reader's own error with the bytes.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// sniff looks at the first bytes: archives and proxies send pages where a file was asked for.
func sniff(uri string, b []byte) error {
	head := bytes.ToLower(bytes.TrimLeft(b[:min(len(b), 512)], " \t\r\n\ufeff"))
	if !strings.HasSuffix(uri, ".html") && (bytes.HasPrefix(head, []byte("<html")) || bytes.HasPrefix(head, []byte("<!doctype"))) {
		return fmt.Errorf("%w: it begins with %q", errNotAFile, mast.Printable(string(head[:min(len(head), 40)]), 40))
	}
	if path.Ext(uri) == ".fits" && len(b) >= 9 && !bytes.HasPrefix(b, []byte("SIMPLE  =")) {
		return fmt.Errorf("%w: it begins with %q, not with SIMPLE", errNotAFile, mast.Printable(string(b[:min(len(b), 30)]), 30))
	}
	return nil
}
