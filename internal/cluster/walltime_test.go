package cluster_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"jwstbulk/internal/cluster"
)

// TestDeadlineOfTorque: a job's end is its begin, which the node file tells, and its wall time.
func TestDeadlineOfTorque(t *testing.T) {
	t.Parallel()
	nodes := filepath.Join(t.TempDir(), "nodes")
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, err := range []error{os.WriteFile(nodes, []byte("n1\n"), 0o644), os.Chtimes(nodes, begin, begin)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		walltime, nodes string
		want            time.Time
	}{
		{"14400", nodes, begin.Add(4 * time.Hour)},
		{"14400", nodes + "-gone", time.Time{}}, {"14400", "", time.Time{}}, {"", nodes, time.Time{}}, {"-1", nodes, time.Time{}},
		{"04:00:00", nodes, time.Time{}}, {"99999999999999", nodes, time.Time{}},
	} {
		env := map[string]string{"PBS_JOBID": "1.host", "PBS_WALLTIME": tt.walltime, "PBS_NODEFILE": tt.nodes}
		got, err := cluster.Deadline(t.Context(), "", begin.Add(time.Hour), func(name string) string { return env[name] }, nil)
		if err != nil || !got.Equal(tt.want) {
			t.Errorf("PBS_WALLTIME=%q PBS_NODEFILE=%q: %v, %v; want %v", tt.walltime, tt.nodes, got, err, tt.want)
		}
	}
}
