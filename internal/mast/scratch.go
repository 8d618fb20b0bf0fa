package mast

import "sync"

// scratch lends the buffers of replies: a plan reads thousands of replies, and buffers of their own were a quarter of all that it
// allocated. Those that nobody has asked for a while are freed.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, scratchSize); return &b }}

// scratchSize is enough for all but very long rows.
const scratchSize = 256 << 10

// borrow returns an empty buffer of scratchSize.
func borrow() []byte { return (*scratch.Get().(*[]byte))[:0] }

// giveBack takes a buffer that nothing points into any more. One that grew is left to the garbage collector.
func giveBack(b []byte) {
	if cap(b) == scratchSize {
		scratch.Put(&b)
	}
}
