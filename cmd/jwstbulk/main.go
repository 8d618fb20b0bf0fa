package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"
)

// version is set by the linker.
var version = "devel"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run is the program: it parses, calls the subcommand, prints the error if there is one, and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stopped, cancel := signals()
	defer cancel()
	app := newApp(stdout, stderr)
	err := app.RunContext(ctx, args)
	code := exitCode(err, stopped())
	var quiet *reportedError
	if err != nil && !errors.As(err, &quiet) {
		printError(stderr, err)
	}
	return code
}

// newApp builds the command tree.
func newApp(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:    "jwstbulk",
		Usage:   "download large JWST data sets from MAST, resumable and verified",
		Version: version,
		Description: "Plan and fetch everything a query matches, into the directory jwst-1345:\n\n" +
			"   jwstbulk get --program 1345 --instrument NIRCAM --level 3 -d jwst-1345\n\n" +
			"Stop it at any time; the same command, or `jwstbulk run`, goes on where it was.\n\n" + exitHelp,
		Writer: stdout, ErrWriter: stderr,
		Commands: []*cli.Command{getCommand(), planCommand(), runCommand(), statusCommand(), errorsCommand(), whyCommand(),
			retryCommand(), verifyCommand(), checkCommand(), manifestCommand(), updateCommand(), citeCommand(),
			submitCommand(), collectCommand(), doctorCommand()},
		HideHelpCommand:           true,
		UseShortOptionHandling:    false,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // cli's own would call os.Exit before defers ran
		OnUsageError:              onUsageError,
		Before:                    nil,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q; `jwstbulk --help` lists them", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// onUsageError turns the flag parser's complaints into ours.
func onUsageError(c *cli.Context, err error, _ bool) error {
	name := "jwstbulk"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
	}
	text := strings.Replace(err.Error(), "flag provided but not defined: ", "unknown flag ", 1)
	return usagef("%s; `%s --help` lists the flags", text, name)
}

// noArgs refuses arguments where none are taken. The flag parser stops at the first argument, so a flag after it would
// silently be ignored.
func noArgs(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("unexpected argument %q; %s takes flags only (`jwstbulk %s --help`)", c.Args().First(), c.Command.Name, c.Command.Name)
	}
	return nil
}

// someArgs returns the arguments of a command that takes some.
func someArgs(c *cli.Context, what string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) == 0 {
		return nil, usagef("missing %s; see `jwstbulk %s --help`", what, c.Command.Name)
	}
	for _, a := range args {
		if len(a) > 1 && strings.HasPrefix(a, "-") {
			return nil, usagef("put the flag %q before the arguments", a)
		}
	}
	return args, nil
}

// signals returns a context that ends with the first SIGINT, SIGTERM or SIGUSR1, and a function that tells which it was. The
// second SIGINT or SIGTERM ends the process at once: whatever it leaves behind, the next start can go on from.
func signals() (context.Context, func() os.Signal, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var first atomic.Value
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	go func() {
		for s := range c {
			if first.CompareAndSwap(nil, s) {
				cancel(&signalError{s})
				continue
			}
			if s != syscall.SIGUSR1 {
				os.Exit(signalCode(s))
			}
		}
	}()
	stopped := func() os.Signal {
		s, _ := first.Load().(os.Signal)
		return s
	}
	return ctx, stopped, func() {
		signal.Stop(c)
		close(c)
		cancel(nil)
	}
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "stopped by " + e.signal.String() }

// endedBy returns the signal that ended ctx, nil if none did.
func endedBy(ctx context.Context) os.Signal {
	var e *signalError
	if errors.As(context.Cause(ctx), &e) {
		return e.signal
	}
	return nil
}

// printError prints what happened and, on the next line, what to do about it if that is known.
func printError(w io.Writer, err error) {
	text, hint := explain(err)
	fmt.Fprintf(w, "jwstbulk: %s\n", text)
	if hint != "" {
		fmt.Fprintf(w, "  %s\n", hint)
	}
}
