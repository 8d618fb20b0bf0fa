//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// seed is set once, before any test runs.
var seed uint64

func TestMain(m *testing.M) {
	for _, name := range []string{"jwstbulk", "mastsim"} {
		if _, err := os.Stat(binary(name)); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v; run make e2e, which builds it\n", err)
			os.Exit(2)
		}
	}
	seed = uint64(time.Now().UnixNano())
	if s := os.Getenv("JWSTBULK_E2E_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			fmt.Fprintf(os.Stderr, "e2e: JWSTBULK_E2E_SEED: %v\n", err)
			os.Exit(2)
		}
		seed = n
	}
	fmt.Printf("seed: JWSTBULK_E2E_SEED=%d\n", seed)
	os.Exit(m.Run())
}

// binary returns the absolute path of a built program.
func binary(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	if err != nil {
		panic(err) // only without a working directory
	}
	return path
}

// random returns the test's own source of choices, a function of the printed seed and the test's name.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	h := fnv.New64a()
	_, _ = io.WriteString(h, t.Name()) // a hash's Write never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// count returns how often to repeat something: the sampled count, or the full one in a soak.
func count(sampled, full int) int {
	if soak() {
		return full
	}
	return sampled
}

func soak() bool { return os.Getenv("JWSTBULK_SOAK") == "1" }

// proc is a program under test. The test kills it by its own process id, never by name.
type proc struct {
	cmd            *exec.Cmd
	began          time.Time
	stdout, stderr bytes.Buffer  // complete once done is closed
	done           chan struct{} // closed when it has ended
	waitErr        error         // of Wait; valid after done

	mu  sync.Mutex // guards hwm
	hwm int64      // bytes; the last VmHWM seen
}

// launch starts a program with a clean environment: none of the tester's tokens and settings reach it.
//
// Standard output goes to stdout, or is kept in the proc if that is nil.
func launch(t *testing.T, dir string, env []string, stdout io.Writer, name string, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go p.watchMemory()
	go func() {
		p.waitErr = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the program as a power button would and waits until it is gone.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has ended already
	<-p.done
}

// watchMemory polls the high-water mark of the resident set, which is gone with the process.
func (p *proc) watchMemory() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if kb, err := statusKB(p.cmd.Process.Pid, "VmHWM:"); err == nil {
			p.mu.Lock()
			p.hwm = kb << 10
			p.mu.Unlock()
		}
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

// memory returns the highest resident set seen, in bytes; 0 where /proc does not tell.
func (p *proc) memory() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hwm
}

func statusKB(pid int, key string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, errors.New(key + " not found")
}

// result is what a finished program left behind.
type result struct {
	args           string
	code           int // -1 if a signal ended it
	stdout, stderr string
	took           time.Duration
	memory         int64
}

// wait waits for the end of p, at most limit.
func (p *proc) wait(t *testing.T, limit time.Duration) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // Go then prints where every goroutine stands
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
		}
		p.kill()
		t.Fatalf("%s did not end within %v\nstderr:\n%s", strings.Join(p.cmd.Args, " "), limit, p.stderr.String())
	}
	return result{
		args: strings.Join(p.cmd.Args[1:], " "), code: p.cmd.ProcessState.ExitCode(),
		stdout: p.stdout.String(), stderr: p.stderr.String(), took: time.Since(p.began), memory: p.memory(),
	}
}

// want fails the test unless the program ended with the code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("jwstbulk %s: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", r.args, r.code, code, tail(r.stdout), tail(r.stderr))
	}
	return r
}

// tail returns the end of a long text.
func tail(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}

// until polls, for what tells nobody by itself.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
