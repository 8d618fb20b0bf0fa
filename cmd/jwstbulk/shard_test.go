package main

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestT17Spread starts a hundred tasks of an array at once: their first requests come over ten seconds or more.
func TestT17Spread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		env := map[string]string{"SLURM_ARRAY_TASK_COUNT": "100"}
		spread := startSpread(func(name string) string { return env[name] })
		began := time.Now()
		var (
			mu    sync.Mutex // guards after
			after []time.Duration
			wg    sync.WaitGroup
		)
		for range 100 {
			wg.Go(func() {
				pause(t.Context(), rand.N(spread))
				mu.Lock()
				defer mu.Unlock()
				after = append(after, time.Since(began))
			})
		}
		wg.Wait()
		if d := slices.Max(after) - slices.Min(after); d < 10*time.Second {
			t.Errorf("the first requests of 100 tasks come within %v, want 10 s or more", d)
		}
	})
	if d := startSpread(func(string) string { return "" }); d > 3*time.Second {
		t.Errorf("a task alone waits up to %v", d)
	}
}
