//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFuzzManifest looks for a manifest that is not written as it was read: half a minute in all, ten minutes in a soak.
func TestFuzzManifest(t *testing.T) {
	seconds := count(15, 300)
	for _, target := range []string{"FuzzReader", "FuzzEntry"} {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", fmt.Sprintf("%ds", seconds), "./manifest")
		cmd.Dir = ".."
		cmd.Env = os.Environ()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", target, err, tail(string(out)))
			continue
		}
		last := ""
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "fuzz: elapsed") {
				last = line
			}
		}
		t.Logf("%s: %s", target, strings.TrimSpace(last))
	}
}
