//go:build e2e && slurm

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// guide is docs/hpc.md: the command lines of each section's code blocks.
func guide(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/hpc.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	section, code := "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		case strings.HasPrefix(line, "```"):
			code = !code
		case code && (strings.HasPrefix(line, "jwstbulk ") || strings.HasPrefix(line, "srun ")):
			out[section] = append(out[section], line)
		}
	}
	return out
}

// TestSlurmGuide does what docs/hpc.md says, word for word but for the names of the directory and the programme, on a cluster
// whose data transfer partition alone has a way out.
func TestSlurmGuide(t *testing.T) {
	s := startSlurm(t, "PartitionName=dtn Nodes=n1,n2 State=UP")
	t.Parallel()
	archive := startSim(t, nil, "--catalog", "synthetic", "--observations", "20", "--scale", "100000")
	sections := guide(t)
	for section, n := range map[string]int{"Before the first job": 2, "A chain": 2, "An array": 2} {
		if len(sections[section]) != n {
			t.Fatalf("section %q has the commands %q, want %d", section, sections[section], n)
		}
	}
	for _, way := range []string{"A chain", "An array"} {
		scratch := t.TempDir()
		names := strings.NewReplacer("/scratch/me", scratch, "--program 1345", "--program 10001")
		env := append([]string{"JWSTBULK_ARCHIVE=" + archive.url}, s.env...)
		do := func(line string) result {
			return launch(t, scratch, env, nil, "/bin/sh", "-c", names.Replace(line)).wait(t, time.Minute)
		}
		for _, line := range append(append([]string{}, sections["Before the first job"]...), sections[way]...) {
			do(line).want(t, 0)
		}
		until(t, way+" has ended", 3*time.Minute, func() bool { return len(s.queue(t, "%i")) == 0 })
		c := &campaign{dir: filepath.Join(scratch, "jwst-1345"), url: archive.url}
		if n := len(c.manifest(t)); n < 150 || c.states(t, "done") != n {
			t.Errorf("%s: %d files in the manifest, %d done", way, n, c.states(t, "done"))
		}
		c.run(t, "verify", "--level", "digest").want(t, 0)
	}
	// A node of another partition has no way out.
	dir := t.TempDir()
	r := launch(t, dir, append([]string{"JWSTBULK_ARCHIVE=" + archive.url}, s.env...), nil, "srun", "--partition", "main", "--nodelist", "n3",
		"unshare", "-n", "jwstbulk", "doctor", "--cluster", "-d", dir).wait(t, time.Minute).want(t, 5)
	if !strings.Contains(r.stdout, "data transfer partition") || r.took > 20*time.Second {
		t.Errorf("doctor on a node without a way out took %v and says\n%s", r.took, r.stdout)
	}
}
