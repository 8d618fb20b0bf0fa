//go:build linux

package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ops are the operations that rules may name.
var ops = []string{"create", "open", "lookup", "mkdir", "unlink", "rename", "truncate", "read", "write", "fsync", "flush", "lock"}

// rule is one fault in force.
type rule struct {
	op, glob string // glob "" means every file
	fail     syscall.Errno
	late     syscall.Errno
	delay    time.Duration
	rot      bool
}

func (r rule) matches(op, name string) bool {
	if r.op != op && r.op != "any" {
		return false
	}
	if r.glob == "" {
		return true
	}
	whole, _ := path.Match(r.glob, name) // parseRule has tried the pattern
	base, _ := path.Match(r.glob, path.Base(name))
	return whole || base
}

// parseRule reads a command that adds a fault.
func parseRule(line string) (rule, error) {
	f := strings.Fields(line)
	usage := fmt.Errorf("unknown command %q", line)
	if len(f) == 2 && f[0] == "rot" {
		_, err := path.Match(f[1], "")
		return rule{op: "read", glob: f[1], rot: true}, err
	}
	if len(f) < 3 || len(f) > 4 {
		return rule{}, usage
	}
	r := rule{op: f[1]}
	if !slices.Contains(ops, r.op) && r.op != "any" {
		return rule{}, fmt.Errorf("unknown operation %q", r.op)
	}
	if len(f) == 4 {
		r.glob = f[3]
		if _, err := path.Match(r.glob, ""); err != nil {
			return rule{}, err
		}
	}
	var err error
	switch f[0] {
	case "fail":
		r.fail, err = errno(f[2])
	case "late":
		r.late, err = errno(f[2])
	case "delay":
		r.delay, err = time.ParseDuration(f[2])
	default:
		err = usage
	}
	return r, err
}

func errno(name string) (syscall.Errno, error) {
	for e := syscall.Errno(1); e < 256; e++ {
		if unix.ErrnoName(e) == name {
			return e, nil
		}
	}
	return 0, fmt.Errorf("unknown error %q", name)
}

// faults holds the rules in force. Safe for use by several goroutines.
type faults struct {
	mu    sync.RWMutex // guards all below
	rules []rule
	dead  bool // the power is cut
}

func (f *faults) add(r rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
}

func (f *faults) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// do performs an operation on the named file as the rules have it.
func (f *faults) do(ctx context.Context, op, name string, act func() syscall.Errno) syscall.Errno {
	f.mu.RLock()
	rules, dead := f.rules, f.dead
	f.mu.RUnlock()
	if dead {
		return syscall.EIO
	}
	var late syscall.Errno
	for _, r := range rules {
		if !r.matches(op, name) {
			continue
		}
		if r.delay > 0 {
			select {
			case <-time.After(r.delay):
			case <-ctx.Done(): // the caller was killed
				return syscall.EINTR
			}
		}
		if r.fail != 0 {
			return r.fail
		}
		if r.late != 0 {
			late = r.late
		}
	}
	if e := act(); e != 0 {
		return e
	}
	return late
}

// rotten tells whether reads of the file are to find a flipped bit.
func (f *faults) rotten(name string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.ContainsFunc(f.rules, func(r rule) bool { return r.rot && r.matches("read", name) })
}
