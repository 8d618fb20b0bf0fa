package masttest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// body sends the bytes [from, to) of a file in one of many ways, most of them wrong.
type body struct {
	c        *call
	src      io.ReaderAt
	from, to int64
	total    int64
	status   int
}

// framing is how the end of a body is told.
type framing int

const (
	byLength framing = iota
	byChunks
	byClose
	byBoth // Content-Length and chunks
)

// ending is what happens when the bytes to be sent are sent.
type ending int

const (
	endWell ending = iota
	endFIN
	endRST
	endStall
)

// script is a body put together from the faults that are due.
type script struct {
	frame  framing
	end    ending
	limit  int64         // bytes to send before end; -1 means all
	drip   time.Duration // pause between single bytes after dripAt; 0 means none
	after  int64         // where the drip begins
	length string        // Content-Length to send, "two" for two; "" means the true one
}

// send sends a good body through net/http and any other one by hand.
func (b *body) send(due []Fault) {
	switch {
	case has(due, DoGzip):
		b.gzip()
		return
	case has(due, DoMultipart) && b.status == http.StatusPartialContent:
		b.multipart()
		return
	}
	sc := scriptOf(due)
	// Only a hand-made reply can be framed or ended wrongly, or send one header twice.
	if sc == (script{limit: -1}) {
		b.plain()
		return
	}
	b.raw(sc)
}

func scriptOf(due []Fault) script {
	sc := script{limit: -1}
	for _, x := range due {
		switch x.Do {
		case DoReset:
			sc.end, sc.limit = endRST, x.After
		case DoCut:
			sc.end, sc.limit = endFIN, x.After
		case DoChunkCut:
			sc.frame, sc.end, sc.limit = byChunks, endFIN, x.After
		case DoChunked:
			sc.frame = byChunks
		case DoNoLength:
			sc.frame = byClose
			if x.After > 0 {
				sc.end, sc.limit = endFIN, x.After
			}
		case DoTwoLengths:
			sc.frame = byBoth
		case DoContentLength:
			sc.length = x.Value
		case DoStall:
			sc.end, sc.limit = endStall, x.After
		case DoDrip:
			sc.drip, sc.after = time.Second, x.After
			if x.Seconds > 0 {
				sc.drip = seconds(x.Seconds)
			}
		}
	}
	return sc
}

// plain sends the body as it should be.
func (b *body) plain() {
	h := b.c.w.Header()
	h.Set("Content-Length", strconv.FormatInt(b.to-b.from, 10))
	b.c.w.WriteHeader(b.status)
	buf := make([]byte, b.c.s.rate.piece())
	for off := b.from; off < b.to; {
		p := buf[:min(int64(len(buf)), b.to-off)]
		n, err := b.src.ReadAt(p, off)
		if err != nil && err != io.EOF {
			panic(http.ErrAbortHandler) // cannot happen: a content never fails inside its size
		}
		if b.c.s.rate.wait(b.c.ctx, n) != nil {
			panic(http.ErrAbortHandler) // the server is closing or the client is gone: net/http must not end the body well
		}
		if _, err := b.c.w.Write(p[:n]); err != nil {
			return
		}
		off += int64(n)
	}
}

// raw takes the connection over and writes the reply by hand.
func (b *body) raw(sc script) {
	conn, _, err := http.NewResponseController(b.c.w.ResponseWriter).Hijack()
	if err != nil {
		b.c.html(http.StatusInternalServerError, "this listener cannot be broken on purpose")
		return
	}
	defer conn.Close()
	stop := afterDone(b.c, conn)
	defer stop()
	b.c.w.note(b.status)
	w := bufio.NewWriterSize(conn, 64<<10)
	b.head(w, sc)
	if b.pour(w, sc) != nil || w.Flush() != nil {
		return
	}
	switch sc.end {
	case endRST:
		// The client should have the bytes before the reset: a RST throws away what the kernel has not delivered.
		_ = sleep(b.c.ctx, 20*time.Millisecond)
		rst(conn)
	case endStall:
		_, _ = io.Copy(io.Discard, conn) // until the client goes away or Close cuts the connection
	}
}

// afterDone closes a connection when the server closes.
func afterDone(c *call, conn net.Conn) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-c.s.done:
			_ = conn.Close()
		case <-over:
		}
	}()
	return func() { close(over) }
}

func (b *body) head(w *bufio.Writer, sc script) {
	h := b.c.w.Header().Clone()
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Connection", "close")
	if sc.frame == byLength || sc.frame == byBoth {
		h.Set("Content-Length", strconv.FormatInt(b.to-b.from, 10))
	}
	switch sc.length {
	case "":
	case "two":
		h.Add("Content-Length", strconv.FormatInt(b.to-b.from+1, 10))
	default:
		h.Set("Content-Length", sc.length)
	}
	if sc.frame == byChunks || sc.frame == byBoth {
		h.Set("Transfer-Encoding", "chunked")
	}
	_, _ = fmt.Fprintf(w, "HTTP/1.1 %d %s\r\n", b.status, http.StatusText(b.status)) // an error shows at Flush
	_ = h.Write(w)
	_, _ = w.WriteString("\r\n")
}

// pour writes the body up to the script's limit.
func (b *body) pour(w *bufio.Writer, sc script) error {
	end := b.to
	if sc.limit >= 0 {
		end = min(end, b.from+sc.limit)
	}
	buf := make([]byte, b.c.s.rate.piece())
	for off := b.from; off < end; {
		p := buf[:min(int64(len(buf)), end-off)]
		if sc.drip > 0 {
			if done := off - b.from; done >= sc.after {
				p = p[:1]
				if err := w.Flush(); err != nil {
					return err
				}
				if err := sleep(b.c.ctx, sc.drip); err != nil {
					return err
				}
			} else {
				p = p[:min(int64(len(p)), sc.after-done)]
			}
		}
		n, err := b.src.ReadAt(p, off)
		if err != nil && err != io.EOF {
			return err
		}
		if err := b.c.s.rate.wait(b.c.ctx, n); err != nil {
			return err
		}
		b.c.ent.sent.Add(int64(n))
		if err := writeChunk(w, p[:n], sc.frame); err != nil {
			return err
		}
		off += int64(n)
	}
	if sc.end == endWell && (sc.frame == byChunks || sc.frame == byBoth) {
		_, _ = w.WriteString("0\r\n\r\n") // an error shows at Flush
	}
	return nil
}

func writeChunk(w *bufio.Writer, p []byte, frame framing) error {
	if frame != byChunks && frame != byBoth {
		_, err := w.Write(p)
		return err
	}
	_, _ = fmt.Fprintf(w, "%x\r\n", len(p))
	_, _ = w.Write(p)
	_, err := w.WriteString("\r\n") // a bufio.Writer keeps its first error
	return err
}

func (b *body) gzip() {
	h := b.c.w.Header()
	h.Set("Content-Encoding", "gzip")
	b.c.w.WriteHeader(b.status)
	_ = gzipped(b.c.w, io.NewSectionReader(b.src, b.from, b.to-b.from)) // the client is gone; nobody to tell
}

// multipart sends one range the way several are sent (RFC 9110 section 14.6).
func (b *body) multipart() {
	const boundary = "3d6b6a416f9b5"
	h := b.c.w.Header()
	head := fmt.Sprintf("\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", boundary,
		h.Get("Content-Type"), b.from, b.to-1, b.total)
	tail := "\r\n--" + boundary + "--\r\n"
	h.Del("Content-Range")
	h.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	h.Set("Content-Length", strconv.FormatInt(int64(len(head)+len(tail))+b.to-b.from, 10))
	b.c.w.WriteHeader(http.StatusPartialContent)
	_, _ = io.WriteString(b.c.w, head) // a client that has gone away ends the copy below
	_, _ = io.Copy(b.c.w, io.NewSectionReader(b.src, b.from, b.to-b.from))
	_, _ = io.WriteString(b.c.w, tail)
}
