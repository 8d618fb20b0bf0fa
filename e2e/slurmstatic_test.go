//go:build e2e && slurm

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSlurmStatic runs the binary of `make static` where there is nothing else: no C library, no /etc, no /proc, as on a node
// whose system is older than the one that built it.
func TestSlurmStatic(t *testing.T) {
	needRoot(t)
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "5", "--scale", "100000")
	text, err := os.ReadFile(binary("static/jwstbulk"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "jwstbulk"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	in := func(args ...string) result {
		return launch(t, root, nil, nil, "chroot", append([]string{root, "/jwstbulk"}, args...)...).wait(t, time.Minute)
	}
	in(append([]string{"get", "--archive", s.url, "--program", "10001", "-d", "/campaign"}, fast...)...).want(t, 0)
	in("verify", "--level", "digest", "-d", "/campaign").want(t, 0)
	in("doctor", "--cluster", "--archive", s.url, "-d", "/campaign").want(t, 0)
}
