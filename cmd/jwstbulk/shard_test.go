package main

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jwstbulk/internal/cluster"
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

// TestHandover: a task begins late where an earlier attempt may still be at work, and only there.
func TestHandover(t *testing.T) {
	t.Parallel()
	alone := func(string) string { return "" }
	for range 100 {
		if d := startPause(true, alone); d < cluster.Handover {
			t.Fatalf("the next attempt begins after %v, want %v or more", d, cluster.Handover)
		}
		if d := startPause(false, alone); d > startSpread(alone) {
			t.Fatalf("a first attempt waits %v", d)
		}
	}
}

// TestOvertakenTask: a task that was overtaken in its sleep sends no request, and one that sends none ends too.
func TestOvertakenTask(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list := filepath.Join(dir, cluster.RoundDir(1), "0.jsonl")
	if err := os.MkdirAll(filepath.Dir(list), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := func() *cluster.Task {
			task, err := cluster.StartTask(cluster.TaskConfig{Dir: dir, Round: 1, Job: "1"})
			if err != nil {
				t.Fatal(err)
			}
			return task
		}
		watch := func(task *cluster.Task) (ctx context.Context, stop func(), maySend func() bool) {
			ctx, stop, maySend = untilOvertaken(t.Context(), output{stderr: io.Discard}, task)
			synctest.Wait()
			if !maySend() || ctx.Err() != nil {
				t.Error("the last task may send no request")
			}
			return ctx, stop, maySend
		}
		first := start()
		defer first.Close()
		_, stop, maySend := watch(first)
		stop() // nobody looks from now on, as while it is asleep
		time.Sleep(time.Second)
		second := start()
		defer second.Close()
		time.Sleep(cluster.LookAge)
		if maySend() {
			t.Error("a task that was asleep and overtaken may send a request")
		}
		ctx, stop, _ := watch(second)
		defer stop()
		time.Sleep(time.Second)
		defer start().Close()
		time.Sleep(cluster.LookAge)
		if synctest.Wait(); context.Cause(ctx) != errOvertaken {
			t.Errorf("the context of a task that was overtaken says %v", context.Cause(ctx))
		}
	})
}
