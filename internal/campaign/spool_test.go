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
