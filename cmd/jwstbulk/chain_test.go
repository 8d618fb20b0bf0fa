package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestLinkAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		codes        []int
		again, later bool
	}{
		{"all is there", nil, false, false},
		{"time is over", []int{exitAgain}, true, false},
		{"one file failed, others are left", []int{exitSomeFailed, exitAgain}, true, false},
		{"some files are not public, others are left", []int{exitAuth, exitAgain}, true, false},
		{"only failed ones are left", []int{exitSomeFailed, exitVerify}, false, false},
		{"only exclusive ones are left", []int{exitAuth}, false, false},
		{"the archive is out", []int{exitUnavailable, exitAgain}, true, true},
		{"the campaign is held", []int{exitLocked}, true, true},
		{"no space", []int{exitStorage, exitAgain}, false, false},
		{"wrong flags", []int{exitUsage}, false, false},
		{"internal error", []int{exitInternal, exitUnavailable}, false, true},
	} {
		if again, later := linkAfter(c.codes); again != c.again || again && later != c.later {
			t.Errorf("%s: linkAfter(%v) = %v, %v, want %v, %v", c.name, c.codes, again, later, c.again, c.later)
		}
	}
}

func TestLinkDelay(t *testing.T) {
	t.Parallel()
	var sum time.Duration
	for idle := range maxIdle {
		d := linkDelay(idle, false)
		if sum += d; d > longestDelay || (d == 0) != (idle == 0) {
			t.Errorf("linkDelay(%d) = %v", idle, d)
		}
	}
	if sum < 20*time.Hour || linkDelay(0, true) != firstDelay {
		t.Errorf("a chain that gets nothing ends after %v, want most of a day; the first delay is %v, want %v", sum, linkDelay(0, true), firstDelay)
	}
}

func TestToldToEnd(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		signal   os.Signal
		deadline time.Time
		want     bool
	}{
		{nil, time.Time{}, false},
		{syscall.SIGTERM, time.Time{}, true},
		{syscall.SIGTERM, now.Add(time.Minute), true},
		{syscall.SIGTERM, now.Add(-time.Second), false}, // the end of its time
		{syscall.SIGINT, now.Add(time.Minute), true},
		{syscall.SIGUSR1, now.Add(time.Minute), false},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if c.signal != nil {
			cancel(&signalError{c.signal})
		}
		if got := toldToEnd(ctx, c.deadline, now); got != c.want {
			t.Errorf("toldToEnd after %v, %v before the end = %v, want %v", c.signal, c.deadline.Sub(now), got, c.want)
		}
		cancel(nil)
	}
}
