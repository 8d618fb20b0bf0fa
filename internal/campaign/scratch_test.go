package campaign_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jwstbulk/internal/campaign"
)

// TestScratch leaves a directory as a killed process does, and holds another.
func TestScratch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	left := filepath.Join(os.TempDir(), "jwstbulk-scratch-01234567-1")
	leave(t, left)
	used, usedDone, err := campaign.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	_, done, err := campaign.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("a directory in use was removed: %v", err)
	}
	if err := errors.Join(done(), usedDone()); err != nil {
		t.Error(err)
	}
	if got := names(t, os.TempDir()); got != "" {
		t.Errorf("%s; want nothing left", got)
	}
}

// leave makes a directory as a killed process leaves it.
func leave(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "deep"), 0o700), os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// TestWriteNewAfterKill: the next writer of a name removes what dead ones left, and nothing of a live one's or a stranger's.
func TestWriteNewAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := filepath.Join(dir, "out")
	leave(t, to+".jwstbulk-scratch-01234567-1")                               // killed under another boot
	leave(t, filepath.Join(dir, "o.jwstbulk-scratch-0-1"))                    // of another name
	leave(t, to+".strange")                                                   // not ours
	if err := errors.Join(os.Mkdir(to+".jwstbulk-scratch-01234567-2", 0o700), // killed before there was a lock
		os.WriteFile(to+".jwstbulk-scratch-file", nil, 0o600),
		os.MkdirAll(to+".jwstbulk-scratch-mine/deep", 0o700)); err != nil { // no lock: not ours
		t.Fatal(err)
	}
	const others = "o.jwstbulk-scratch-0-1 out out.jwstbulk-scratch-file out.jwstbulk-scratch-mine out.strange"
	err := campaign.WriteNew(to, func(w io.Writer) error {
		_, err := io.WriteString(w, "first")
		if err != nil {
			return err
		}
		return campaign.WriteNew(to, func(w io.Writer) error { // while the first is being written
			_, err := io.WriteString(w, "second")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); string(got) != "first" || err != nil {
		t.Errorf("the file is %q, %v; want what was finished last", got, err)
	}
	if got := names(t, dir); got != others {
		t.Errorf("beside it are\n%s, want\n%s", got, others)
	}
	broken := errors.New("broken")
	if err := campaign.WriteNew(to, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("WriteNew = %v, want the writer's error", err)
	}
	if got := names(t, dir); got != others {
		t.Errorf("after an error there are\n%s, want\n%s", got, others)
	}
}

// TestSweepScratchOnNetwork: where locks of other machines prove nothing, what other boots left stays.
func TestSweepScratchOnNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"x-mine-1", "x-other-1"} {
		leave(t, filepath.Join(dir, name))
	}
	campaign.SweepScratch(dir, "x-", "", true)
	campaign.SweepScratch(dir, "x-", "mine", true)
	if got := names(t, dir); got != "x-other-1" {
		t.Errorf("left are %q, want x-other-1", got)
	}
	campaign.SweepScratch(dir, "x-", "mine", false)
	if got := names(t, dir); got != "" {
		t.Errorf("left are %q on a local file system, want none", got)
	}
}
