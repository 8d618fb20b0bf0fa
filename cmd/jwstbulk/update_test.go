package main

import (
	"testing"
	"time"

	"jwstbulk/queue"
)

// TestHasWork: an update that finds nothing new still goes on with what an earlier process left.
func TestHasWork(t *testing.T) {
	t.Parallel()
	in := func(s queue.State) queue.Counts {
		return queue.Counts{State: map[queue.State]queue.Count{queue.Done: {Files: 7}, s: {Files: 1}}}
	}
	due := func(d time.Duration) queue.Counts {
		c := in(queue.Parked)
		c.Next = time.Now().Add(d)
		return c
	}
	for name, tt := range map[string]struct {
		counts queue.Counts
		want   bool
	}{
		"done": {in(queue.Done), false}, "pending": {in(queue.Pending), true}, "placing": {in(queue.Placing), true},
		"running": {in(queue.Running), true}, "waiting": {in(queue.Waiting), true}, "lent": {in(queue.Lent), false},
		"failed": {in(queue.Failed), false}, "parked": {in(queue.Parked), false}, "parked, to come": {due(time.Hour), false},
		"parked, due": {due(-time.Hour), true},
	} {
		if got := hasWork(tt.counts); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
