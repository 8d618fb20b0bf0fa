package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// System is a site's batch system. Implementations hold no state; each method runs at most one command of the system.
type System interface {
	// Name is what users call it: slurm, pbs, sge.
	Name() string
	// Script returns the job script, ready to be shown or submitted.
	Script(Job) (string, error)
	// Submit hands in a script file and returns the id of the job. after, if not "", is a job that must have ended first,
	// however it ended. delay is how long the job must not start yet. A refusal is a *RefusedError.
	Submit(ctx context.Context, run Runner, script, after string, delay time.Duration) (id string, err error)
	// Live returns which tasks of a job are waiting or running, by index; a job that is no array has the index 0. An id that
	// the system no longer knows has none. An error means that the system could not be asked.
	Live(ctx context.Context, run Runner, id string) (map[int]bool, error)
	// Find returns the ids of the user's waiting and running jobs of that name.
	Find(ctx context.Context, run Runner, name string) (ids []string, err error)
}

// Job says what a job script starts, and what it asks the batch system for.
type Job struct {
	Name    string // no blanks
	Comment string // a line for people at the top
	Shards  int    // tasks of an array; 0: no array
	AtOnce  int    // tasks at a time, of an array
	Chain   bool   // one link of a chain: never two at a time
	Log     string // path of the log without its ending

	Time      time.Duration // wall time; 0: the site's default, and no deadline
	Partition string        // or queue
	Account   string
	Memory    string   // as the system writes it
	CPUs      int      // of each task; 0: one
	Extra     []string // further options, verbatim

	Args []string // the program and its arguments
}

// RefusedError says that the batch system did not take a job.
type RefusedError struct {
	Command string
	Message string // what it said
	Err     error
}

func (e *RefusedError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Command, e.Message)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// ErrNoScheduler is wrapped by a RefusedError where the system's commands are not installed.
var ErrNoScheduler = errors.New("the command is not there: is this a login node of the cluster?")

// Runner runs a command and returns what it printed. Its error is a *RefusedError.
type Runner func(ctx context.Context, name string, args ...string) (stdout string, err error)

// commandTimeout bounds one command of a batch system: a controller that is gone makes its clients wait.
const commandTimeout = time.Minute

// Run runs a command of the batch system without tokens and without our own settings in its environment, because the
// controller stores the environment of a submission.
func Run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = cleanEnv(os.Environ())
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", &RefusedError{Command: name, Err: ErrNoScheduler}
	}
	if err != nil {
		return "", &RefusedError{Command: name, Message: strings.TrimSpace(errOut.String()), Err: err}
	}
	return out.String(), nil
}

// cleanEnv drops what must not be stored: tokens, and our own variables, which would change what the job does. Variables of
// the job that submits go as well, so that the next link does not inherit them.
func cleanEnv(env []string) []string {
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		upper := strings.ToUpper(name)
		switch {
		case strings.HasPrefix(upper, "JWSTBULK_"), strings.Contains(upper, "TOKEN"), strings.HasPrefix(upper, "SBATCH_"):
		case strings.HasPrefix(upper, "SLURM_") && upper != "SLURM_CONF":
		default:
			out = append(out, kv)
		}
	}
	return out
}

// Systems returns all batch systems we know.
func Systems() []System { return []System{Slurm{}, PBS{}, GridEngine{}} }

// quote quotes a word for the shell where it must be.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_./:,=+@%", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// commandLine writes the program with its flags, one option a line.
func commandLine(args []string) string {
	var b strings.Builder
	for i, a := range args {
		switch {
		case i == 0:
		case strings.HasPrefix(a, "-"):
			b.WriteString(" \\\n  ")
		default:
			b.WriteString(" ")
		}
		b.WriteString(quote(a))
	}
	return b.String()
}

// check refuses what cannot be written into a script.
func (j Job) check() error {
	words := append([]string{j.Name, j.Comment, j.Log, j.Partition, j.Account, j.Memory}, append(j.Args, j.Extra...)...)
	for _, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%q has a control character, which no job script can hold", w)
		}
	}
	if strings.ContainsAny(j.Name+j.Log+j.Partition+j.Account+j.Memory, "\"'\\ \t") {
		return errors.New("a job's name, partition, account, memory and the path of its log must have no blanks, quotes or backslashes: " +
			"move the campaign to a directory with a plain name")
	}
	return nil
}

// script puts a job script together: the lines of the system, the deadline, and the command in place of the shell, so that it
// gets the system's signals.
func script(j Job, options []string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for _, o := range options {
		b.WriteString(o + "\n")
	}
	fmt.Fprintf(&b, "\n# %s\n", j.Comment)
	b.WriteString("# It may be started any number of times: each start goes on where the last one was.\n")
	if j.Time > 0 {
		seconds := int64(j.Time / time.Second)
		fmt.Fprintf(&b, "\n# This start will be ended %d s from now: stop in time.\n", seconds)
		fmt.Fprintf(&b, "JWSTBULK_DEADLINE=$(( $(date +%%s) + %d ))\nexport JWSTBULK_DEADLINE\n", seconds)
	}
	fmt.Fprintf(&b, "\nexec %s\n", commandLine(j.Args))
	return b.String()
}

// clock writes a time as hours, minutes and seconds.
func clock(d time.Duration) string {
	s := int64(d / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
