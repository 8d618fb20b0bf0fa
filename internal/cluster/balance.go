package cluster

import "container/heap"

// perFile is what a file weighs beside its bytes: about what is transferred in the time that one more request costs.
const perFile = 4 << 20

// Balancer deals files out to shards so that the shards weigh about the same: each file, the largest first, goes to the
// lightest shard. With files of unknown size or the same size this is dealing in turn. Not safe for concurrent use.
type Balancer struct{ shards loads }

type load struct {
	weight int64
	shard  int
}

type loads []load

func (l loads) Len() int { return len(l) }
func (l loads) Less(i, j int) bool {
	if l[i].weight != l[j].weight {
		return l[i].weight < l[j].weight
	}
	return l[i].shard < l[j].shard
}
func (l loads) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *loads) Push(x any)   { *l = append(*l, x.(load)) }
func (l *loads) Pop() any     { panic("unreachable: shards are only re-weighed") }

// NewBalancer makes a Balancer for n shards, one at least.
func NewBalancer(n int) *Balancer {
	b := &Balancer{shards: make(loads, max(n, 1))}
	for i := range b.shards {
		b.shards[i].shard = i // all weigh nothing, so this is a heap
	}
	return b
}

// Assign returns the shard of the next file; size is in bytes, negative if unknown.
func (b *Balancer) Assign(size int64) int {
	lightest := &b.shards[0]
	shard := lightest.shard
	lightest.weight += max(size, 0) + perFile
	heap.Fix(&b.shards, 0)
	return shard
}
