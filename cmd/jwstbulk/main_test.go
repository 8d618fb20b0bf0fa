package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"jwstbulk/internal/masttest"
)

// TestMain lets scripts call the program as a command of its own, in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jwstbulk": main})
}

// TestScripts runs testdata/script. Each script has a simulated archive of its own at $JWSTBULK_ARCHIVE: programme 10001 is
// public and has two visits, 10002 is exclusive and opens with the token in $TOKEN; $EXPIRED is an expired one.
//
// Commands beside the usual ones:
//
//	fault JSON     sets a fault of the archive
//	archive down   stops the archive
//	requests N GLOB  wants exactly N requests for bytes of files that match
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fault":    faultCmd,
			"archive":  archiveCmd,
			"requests": requestsCmd,
		},
	})
}

type serverKey struct{}

const token, expired = "script-token", "script-expired"

func setup(e *testscript.Env) error {
	s, err := masttest.New(masttest.Config{
		Catalog: masttest.Synthetic(masttest.SyntheticConfig{Observations: 20, PerProgram: 10, Exclusive: 2, Scale: 1000}),
		Tokens:  []masttest.Token{{Value: token, Programs: []string{"10002"}}, {Value: expired, Expired: true}},
	})
	if err != nil {
		return err
	}
	if err := s.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	e.Defer(func() { _ = s.Close() }) // a script may have stopped it
	e.Values[serverKey{}] = s
	e.Setenv("JWSTBULK_ARCHIVE", s.URL)
	e.Setenv("TOKEN", token)
	e.Setenv("EXPIRED", expired)
	return nil
}

func server(ts *testscript.TestScript) *masttest.Server {
	s, _ := ts.Value(serverKey{}).(*masttest.Server)
	return s
}

func faultCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fault JSON")
	}
	faults, err := masttest.ParseFaults(strings.NewReader("[" + args[0] + "]"))
	ts.Check(err)
	server(ts).SetFault(faults...)
}

func archiveCmd(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg:
		ts.Fatalf("archive cannot be negated")
	case len(args) == 1 && args[0] == "down":
		ts.Check(server(ts).Close())
	case len(args) == 2 && args[0] == "reprocess":
		if len(server(ts).Reprocess(args[1])) == 0 {
			ts.Fatalf("nothing is called %s", args[1])
		}
	default:
		ts.Fatalf("usage: archive down | archive reprocess GLOB")
	}
}

func requestsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: requests N GLOB")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := len(server(ts).BodyRequests(args[1])); got != want {
		ts.Fatalf("%d requests for %s, want %d", got, args[1], want)
	}
}

// TestExitCodeOrder: when several apply, the most severe is the exit code.
func TestExitCodeOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		codes []int
		want  int
	}{{nil, 0}, {[]int{10}, 10}, {[]int{3, 6}, 6}, {[]int{10, 5, 3}, 3}, {[]int{4, 6, 7}, 7}, {[]int{9, 10}, 10}, {[]int{1, 2}, 1}} {
		if got := worst(tt.codes); got != tt.want {
			t.Errorf("worst(%v) = %d, want %d", tt.codes, got, tt.want)
		}
	}
}

// TestReadmeTellsExitCodes holds the README and the help against the codes.
func TestReadmeTellsExitCodes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{exitOK, exitInternal, exitUsage, exitSomeFailed, exitAuth, exitUnavailable, exitVerify, exitStorage, exitTransfer, exitNothing, exitAgain, exitDrift, exitLocked} {
		if !strings.Contains(string(b), "\n| "+strconv.Itoa(code)+" | ") {
			t.Errorf("README.md does not tell exit code %d", code)
		}
		if !strings.Contains(exitHelp, "\n   "+strconv.Itoa(code)+" ") {
			t.Errorf("the help does not tell exit code %d", code)
		}
	}
}

// TestEveryFlagHasATwin: a flag is also an environment variable, but for the token.
func TestEveryFlagHasATwin(t *testing.T) {
	t.Parallel()
	app := newApp(io.Discard, io.Discard)
	for _, c := range app.Commands {
		for _, f := range c.Flags {
			d, ok := f.(interface{ GetEnvVars() []string })
			if name := f.Names()[0]; ok && len(d.GetEnvVars()) == 0 && name != "token" && name != "token-for" {
				t.Errorf("%s --%s has no environment twin", c.Name, name)
			}
		}
	}
}
