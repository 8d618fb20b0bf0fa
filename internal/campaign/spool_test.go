package campaign_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"jwstbulk/internal/campaign"
)

// TestOpenSweepsSpool: a reply whose process was killed before it had removed its name goes, and nothing else.
func TestOpenSweepsSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool := filepath.Join(dir, ".jwstbulk", "spool")
	if err := errors.Join(os.MkdirAll(spool, 0o777), os.WriteFile(filepath.Join(spool, "jwstbulk-reply-123"), nil, 0o600),
		os.WriteFile(filepath.Join(spool, "mine"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	c, err := campaign.Open(t.Context(), campaign.Config{Dir: dir, Create: true, Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, spool); got != "mine" {
		t.Errorf("left are %q, want mine", got)
	}
}

// TestTasksSpoolApart: no lock keeps tasks from the campaign's directory, so each has its replies where its own queue is. On a
// network file system, sweeping would take a reply away from a task on another machine that has just made it.
func TestTasksSpoolApart(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	const reply = "jwstbulk-reply-123"
	for _, d := range []string{dir, state} {
		spool := filepath.Join(d, ".jwstbulk", "spool")
		if err := errors.Join(os.MkdirAll(spool, 0o777), os.WriteFile(filepath.Join(spool, reply), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := campaign.Open(t.Context(), campaign.Config{Dir: dir, StateDir: state, Create: true, Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(dir, ".jwstbulk", "spool")); got != reply {
		t.Errorf("in the campaign's directory are %q, want another task's %s", got, reply)
	}
	if got := names(t, filepath.Join(state, ".jwstbulk", "spool")); got != "" {
		t.Errorf("in the task's own are %q, want none", got)
	}
}
