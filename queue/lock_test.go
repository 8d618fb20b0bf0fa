package queue_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jwstbulk/queue"
)

// holder starts a process that holds the campaign, and ends it with the test.
func holder(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "QUEUE_CHILD=hold", "QUEUE_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := holder(t, dir)
	_, err := queue.Open(t.Context(), queue.Config{Dir: dir})
	var locked *queue.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("Open of a held campaign = %v, want a LockedError", err)
	}
	host, _ := os.Hostname()
	o := locked.Owner
	if o.PID != cmd.Process.Pid || o.Host != host || o.Command != "jwstbulk get --hold" || o.Started.IsZero() {
		t.Errorf("owner = %+v, want process %d on %s", o, cmd.Process.Pid, host)
	}
	if msg := err.Error(); !strings.Contains(msg, "jwstbulk get --hold") || !strings.Contains(msg, host) {
		t.Errorf("message %q does not name the owner", msg)
	}
	if _, err := queue.Rebuild(t.Context(), queue.Config{Dir: dir}); !errors.As(err, &locked) {
		t.Errorf("Rebuild of a held campaign = %v, want a LockedError", err)
	}
	r, err := queue.OpenReader(t.Context(), queue.Config{Dir: dir})
	if err != nil {
		t.Fatalf("OpenReader beside the owner: %v", err)
	}
	if _, err := r.Counts(t.Context()); err != nil {
		t.Errorf("Counts beside the owner: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestQueueElsewhereIsLockedToo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a # 100% odd?name.db")
	q, err := queue.Open(t.Context(), queue.Config{Dir: t.TempDir(), Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the database is not where it was asked for: %v", err)
	}
	var locked *queue.LockedError
	if _, err := queue.Open(t.Context(), queue.Config{Dir: t.TempDir(), Path: path, Create: true}); !errors.As(err, &locked) {
		t.Errorf("a second campaign on one database: %v, want a LockedError", err)
	}
}

func TestLockIsFreeAfterClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 3 {
		if err := openAt(t, dir, nil).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockIsFreeWhileAProgramStarts: between fork and exec a new program has copies of this process's descriptors. They must
// not keep the lock when this process gives it back.
func TestLockIsFreeWhileAProgramStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	fds, err := q.DupLocks()
	t.Cleanup(func() {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
	})
	if err != nil || len(fds) != 2 {
		t.Fatalf("DupLocks = %v, %v, want both locks", fds, err)
	}
	if !queue.Held(dir) {
		t.Error("an open campaign is not held")
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if queue.Held(dir) {
		t.Error("a closed campaign is still held")
	}
	openAt(t, dir, nil)
}

func TestUnsignedLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openAt(t, dir, nil)
	if err := os.WriteFile(statePath(dir, "lock"), []byte("half a sig"), 0o666); err != nil {
		t.Fatal(err)
	}
	var locked *queue.LockedError
	_, err := queue.Open(t.Context(), queue.Config{Dir: dir})
	if !errors.As(err, &locked) || locked.Owner != (queue.Owner{}) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open = %v, want a LockedError without owner", err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}
