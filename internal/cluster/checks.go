package cluster

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"github.com/dustin/go-humanize"

	"jwstbulk/internal/durable"
)

// Check is one finding about the place where we run.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Text   string `json:"text"` // what was found, and what to do about it
}

// Result is how a check ended.
type Result string

const (
	// OK is a place where jobs can run.
	OK Result = "ok"
	// Warn is something to know.
	Warn Result = "warn"
	// Bad is something that keeps jobs from running.
	Bad Result = "fail"
)

// CheckPlace looks at the file system of dir, which must exist, at our own binary, and for a batch system.
func CheckPlace(dir string) []Check {
	return []Check{checkFS(dir), checkSpace(dir), checkScratch(), checkBinary(), checkScheduler()}
}

func checkFS(dir string) Check {
	name, network, err := durable.FSKind(dir)
	switch {
	case err != nil:
		return Check{"file system", Bad, err.Error()}
	case network:
		return Check{"file system", OK, name + ", shared: the queue is opened by one process for itself, tasks keep their own on a local disk"}
	}
	return Check{"file system", Warn, fmt.Sprintf("%s, local to this machine: tasks on other nodes do not see %s", name, dir)}
}

// fewInodes and littleSpace are below what a small campaign needs.
const (
	fewInodes   = 10_000
	littleSpace = 10 << 30
)

func checkSpace(dir string) Check {
	bytes, inodes, err := durable.FreeSpace(dir)
	if err != nil {
		return Check{"space", Bad, err.Error()}
	}
	c := Check{"space", OK, fmt.Sprintf("%s and %s inodes free (a quota may be less)", humanize.IBytes(bytes), humanize.Comma(int64(min(inodes, 1<<62))))}
	if bytes < littleSpace || inodes < fewInodes {
		c.Result = Warn
	}
	return c
}

func checkScratch() Check {
	if dir := Scratch(os.Getenv); dir != "" {
		return Check{"local disk", OK, dir + " holds the queues of tasks"}
	}
	return Check{"local disk", Warn, "none with 256 MiB free: tasks keep their queues in the campaign directory, which is slower; set TMPDIR"}
}

// checkBinary tells whether our own program needs a C library of this system.
func checkBinary() Check {
	exe, err := os.Executable()
	if err != nil {
		return Check{"binary", Warn, err.Error()}
	}
	f, err := elf.Open(exe)
	if err != nil {
		return Check{"binary", OK, runtime.GOOS + " " + runtime.GOARCH}
	}
	defer f.Close() // only read from
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return Check{"binary", Warn, "needs this system's C library; where it does not start on other nodes, use the one of `make static`"}
	}
	return Check{"binary", OK, "static: runs on any node of this processor"}
}

func checkScheduler() Check {
	for _, s := range []struct{ command, name string }{{"sbatch", "slurm"}, {"qsub", "pbs or sge"}} {
		if path, err := exec.LookPath(s.command); err == nil {
			return Check{"batch system", OK, s.name + " (" + path + ")"}
		}
	}
	return Check{"batch system", Warn, "neither sbatch nor qsub is here: submit on a login node"}
}

// CheckLock tests whether a lock in dir keeps another process out: hold takes a campaign in the given directory, and
// excluded runs another process that tries to take it too and reports whether it was refused.
func CheckLock(ctx context.Context, dir string, hold func(ctx context.Context, dir string) (release func() error, err error),
	excluded func(ctx context.Context, dir string) (bool, error)) (c Check) {
	c = Check{Name: "locks", Result: Warn}
	probe, err := os.MkdirTemp(dir, ".jwstbulk-doctor-")
	if err != nil {
		return Check{"locks", Bad, err.Error()}
	}
	defer func() {
		if err := os.RemoveAll(probe); err != nil && c.Result == OK {
			c.Result, c.Text = Warn, err.Error()
		}
	}()
	release, err := hold(ctx, probe)
	if err != nil {
		c.Text = "not testable here: " + err.Error()
		return c
	}
	refused, err := excluded(ctx, probe)
	if e := release(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		c.Text = "not testable here: " + err.Error()
	case refused:
		return Check{"locks", OK, "a second process on this node is kept out"}
	default:
		c.Text = "a second process is not kept out: never run two commands that write one campaign here; arrays and chains do not"
	}
	return c
}
