package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	args := os.Args[1:]
	stream := len(args) > 0 && args[0] == "-stream"
	if stream {
		args = args[1:]
	}
	code, err := run(args, stream, os.Getenv("CI") == "true", os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run returns the exit code: go test's own, or 1 if strict and a test was skipped.
func run(args []string, stream, strict bool, w io.Writer) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	rep := newReport(w, stream)
	readErr := rep.read(out)
	err = cmd.Wait()
	rep.close()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), readErr
	case err != nil || readErr != nil:
		return 1, errors.Join(err, readErr)
	case strict && len(rep.skipped) > 0:
		return 1, fmt.Errorf("%d tests were skipped; in CI every test must run", len(rep.skipped))
	}
	return 0, nil
}

// event is one line of go test -json (cmd/test2json, and go help buildjson for the build's part).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

type report struct {
	w              io.Writer
	stream         bool
	output         map[string][]string // by package and test, until its outcome is known
	passed, failed int
	benchmarks     int
	skipped        []string
}

func newReport(w io.Writer, stream bool) *report {
	return &report{w: w, stream: stream, output: map[string][]string{}}
}

func (r *report) read(src io.Reader) error {
	lines := bufio.NewReader(src)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var ev event
			if json.Unmarshal(line, &ev) == nil {
				r.handle(ev)
			} else {
				fmt.Fprintf(r.w, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the output of go test: %w", err)
		}
	}
}

func (r *report) handle(ev event) {
	key := ev.Package + " " + ev.Test
	switch ev.Action {
	case "build-output":
		fmt.Fprint(r.w, ev.Output)
	case "output":
		if strings.Contains(ev.Output, " ns/op") {
			r.benchmarks++
		}
		if r.stream && !noise(ev.Output) {
			fmt.Fprint(r.w, ev.Output)
		}
		r.output[key] = append(r.output[key], ev.Output)
	case "pass", "fail", "skip":
		if ev.Test == "" {
			r.endPackage(ev)
		} else {
			r.endTest(ev)
		}
		delete(r.output, key)
	}
}

func (r *report) endTest(ev event) {
	key := ev.Package + " " + ev.Test
	switch ev.Action {
	case "pass":
		r.passed++
	case "skip":
		why := slices.DeleteFunc(r.output[key], noise)
		r.skipped = append(r.skipped, key+": "+strings.Join(strings.Fields(strings.Join(why, " ")), " "))
	case "fail":
		r.failed++
		if !r.stream {
			fmt.Fprint(r.w, strings.Join(slices.DeleteFunc(r.output[key], noise), ""))
		}
	}
}

func (r *report) endPackage(ev event) {
	switch ev.Action {
	case "skip": // it has no tests
		return
	case "fail":
		if !r.stream { // a panic or a data race that belongs to no test
			fmt.Fprint(r.w, strings.Join(slices.DeleteFunc(r.output[ev.Package+" "], noise), ""))
		}
		if r.failed == 0 {
			r.failed++ // a package that did not build has no test to count
		}
	}
	word := map[string]string{"pass": "ok", "fail": "FAIL"}[ev.Action]
	fmt.Fprintf(r.w, "%-5s %7.1fs  %s\n", word, ev.Elapsed, ev.Package)
}

func (r *report) close() {
	for _, s := range r.skipped {
		fmt.Fprintln(r.w, "SKIP ", s)
	}
	if r.benchmarks > 0 && r.passed+r.failed == 0 {
		fmt.Fprintf(r.w, "%d benchmarks ran\n", r.benchmarks)
		return
	}
	fmt.Fprintf(r.w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
}

// noise tells go test's own progress lines from what tests print.
func noise(line string) bool {
	for _, p := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "FAIL\n", "FAIL\t", "PASS\n", "ok  \t"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}
