package cluster_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jwstbulk/internal/cluster"
	"jwstbulk/internal/durable"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	squeue := func(s string) *fake { return &fake{out: map[string]string{"squeue": s + "\n"}} }
	job := map[string]string{"SLURM_JOB_ID": "5"}
	for _, c := range []struct {
		name, given string
		env         map[string]string
		fake        *fake
		want        time.Time
		asked       int
	}{
		{"given", "1800003600", job, squeue("1:00"), now.Add(time.Hour), 0},
		{"given as a date", "2027-01-15T08:00:00Z", nil, squeue(""), time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC), 0},
		{"job end time", "", map[string]string{"SLURM_JOB_ID": "5", "SLURM_JOB_END_TIME": "1800000060"}, squeue("1:00"), now.Add(time.Minute), 0},
		{"asked", "", job, squeue("1-02:03:04"), now.Add(26*time.Hour + 3*time.Minute + 4*time.Second), 1},
		{"minutes and seconds", "", job, squeue("59:30"), now.Add(59*time.Minute + 30*time.Second), 1},
		{"unlimited", "", job, squeue("UNLIMITED"), time.Time{}, 1},
		{"not set", "", job, squeue("NOT_SET"), time.Time{}, 1},
		{"invalid", "", job, squeue("INVALID"), time.Time{}, 1},
		{"no answer", "", job, &fake{err: map[string]string{"squeue": "away"}}, time.Time{}, 1},
		{"no job", "", nil, squeue("1:00"), time.Time{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := cluster.Deadline(t.Context(), c.given, now, func(k string) string { return c.env[k] }, c.fake.run)
			if err != nil || !got.Equal(c.want) || len(c.fake.seen) != c.asked {
				t.Errorf("Deadline = %v, %v after %d questions, want %v after %d", got, err, len(c.fake.seen), c.want, c.asked)
			}
		})
	}
	if _, err := cluster.Deadline(t.Context(), "tomorrow", now, os.Getenv, nil); err == nil {
		t.Error("Deadline of \"tomorrow\": no error")
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"240": 4 * time.Hour, "4h": 4 * time.Hour, "04:00:00": 4 * time.Hour, "1-12:00:00": 36 * time.Hour,
		"90m": 90 * time.Minute, "": 0, "10s": 0, "-5": 0, "soon": 0, "0": 0, "1:2:3:4": 0, "9999999h": 0} {
		if got, err := cluster.ParseTime(s); got != want && err == nil || (err == nil) != (want > 0) {
			t.Errorf("ParseTime(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
}

func TestWhereAmI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want cluster.Here
	}{
		{nil, cluster.Here{Task: -1}},
		{map[string]string{"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "2"},
			cluster.Here{System: "slurm", Job: "9", Array: "7", Task: 3, Restart: 2}},
		{map[string]string{"PBS_JOBID": "12[4].srv", "PBS_ARRAY_INDEX": "4"}, cluster.Here{System: "pbs", Job: "12[4].srv", Array: "12[4].srv", Task: 4}},
		{map[string]string{"JOB_ID": "12", "SGE_TASK_ID": "1"}, cluster.Here{System: "sge", Job: "12", Array: "12", Task: 0}},
		{map[string]string{"JOB_ID": "12", "SGE_TASK_ID": "undefined"}, cluster.Here{System: "sge", Job: "12", Array: "12", Task: -1}},
	} {
		if got := cluster.WhereAmI(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("WhereAmI(%v) = %+v, want %+v", c.env, got, c.want)
		}
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	const shards = 7
	weight := make([]int64, shards)
	b := cluster.NewBalancer(shards)
	for i := range 1000 {
		size := int64(1000-i) << 16
		weight[b.Assign(size)] += size
	}
	if lo, hi := slices.Min(weight), slices.Max(weight); float64(hi-lo) > 0.01*float64(hi) {
		t.Errorf("shards weigh %d to %d bytes, want within 1 %%", lo, hi)
	}
}

func TestShardsFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tasks, shards, limit, want int
		files                      int64
	}{
		{tasks: 4, files: 1000, want: 32}, {tasks: 4, files: 5, want: 5}, {tasks: 4, shards: 24, files: 1000, want: 24},
		{tasks: 4, shards: 5000, files: 1e6, limit: 1001, want: 1001}, {tasks: 250, files: 1e6, want: 1000}, {tasks: 1, files: 0, want: 1},
	} {
		if got := (cluster.Spec{Tasks: c.tasks, Shards: c.shards}).ShardsFor(c.files, c.limit); got != c.want {
			t.Errorf("ShardsFor(%+v) = %d, want %d", c, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, s := range []cluster.Spec{{Tasks: 5, Jobs: 4}, {Tasks: -1, Jobs: 4}, {Tasks: 4, Shards: 3, Jobs: 4}, {Rounds: -1}} {
		if s.Validate() == nil {
			t.Errorf("Validate(%+v): no error", s)
		}
	}
	if err := (cluster.Spec{Tasks: 4, Shards: 4, Jobs: 4}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := durable.MkdirAll(root, cluster.ShardDir); err != nil {
		t.Fatal(err)
	}
	a, b := cluster.NewPauses(root), cluster.NewPauses(root)
	later := time.Now().Add(time.Minute)
	a.Pause(later)
	a.Pause(later.Add(-30 * time.Second)) // a shorter one does not end it
	if got := b.Until().Sub(later); got < 0 || got > 2*time.Second {
		t.Errorf("another task waits %v longer than asked, want 0 to 2 s", got)
	}
	for _, text := range []string{"nonsense", "", "-1", "99999999999\n"} {
		if err := os.WriteFile(filepath.Join(root.Name(), cluster.ShardDir, "pause"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := cluster.NewPauses(root).Until(); got.After(time.Now()) {
			t.Errorf("Until of %q = %v, want no pause", text, got)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	name, err := cluster.WriteToken(root, dir, func(w io.Writer) error {
		_, err := w.Write([]byte("x\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 || name != cluster.TokenPath(dir) {
		t.Errorf("token file %s: %v, %v, want mode 0600", name, fi, err)
	}
	if _, err := cluster.WriteToken(root, dir, func(w io.Writer) error { return errors.New("no") }); err == nil {
		t.Error("WriteToken hides an error")
	}
}
