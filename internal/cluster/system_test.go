package cluster_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jwstbulk/internal/cluster"
)

func spec(system string) cluster.Spec {
	return cluster.Spec{System: system, Program: "/opt/jwstbulk/bin/jwstbulk", Dir: "/scratch/me/jwst-1345", Tasks: 4, Shards: 24, Rounds: 5, Jobs: 10,
		Rate: 10, ByteRate: 40_000_000, Time: 4 * time.Hour, Partition: "dtn", Account: "ab12", Memory: "2G", Extra: []string{"--qos=low"},
		Fetch: []string{"--order-by", "size,desc"}, Archive: []string{"--archive", "https://mast.stsci.edu", "--token-file", "/home/me/my token"}}
}

// TestScripts holds the scripts of all systems against golden files (UPDATE_GOLDEN=1 go test -run TestScripts writes them).
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, sys := range cluster.Systems() {
		s := spec(sys.Name())
		for what, job := range map[string]cluster.Job{
			"chain":   s.ChainJob(cluster.ScriptPath(s.Dir, s.ChainName())),
			"array":   s.ArrayJob(3, 24),
			"collect": s.CollectJob(3),
		} {
			got, err := sys.Script(job)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", sys.Name()+"-"+what+".sh")
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		}
	}
}

func TestScriptRefuses(t *testing.T) {
	t.Parallel()
	for _, sys := range cluster.Systems() {
		for name, change := range map[string]func(*cluster.Spec){
			"newline in an option":     func(s *cluster.Spec) { s.Extra = []string{"--qos=low\nrm -rf /"} },
			"newline in the directory": func(s *cluster.Spec) { s.Dir = "/a\nb" },
			"blank in the partition":   func(s *cluster.Spec) { s.Partition = "a b" },
			"blank in the directory":   func(s *cluster.Spec) { s.Dir = "/my data" },
		} {
			s := spec(sys.Name())
			change(&s)
			if text, err := sys.Script(s.ArrayJob(1, 2)); err == nil {
				t.Errorf("%s, %s: no error, script:\n%s", sys.Name(), name, text)
			}
		}
	}
}

// fake is a Runner that answers from a table by the command's first word and keeps what it was asked.
type fake struct {
	out  map[string]string
	err  map[string]string
	seen []string
}

func (f *fake) run(_ context.Context, name string, args ...string) (string, error) {
	f.seen = append(f.seen, strings.Join(append([]string{name}, args...), " "))
	if m, ok := f.err[name]; ok {
		return "", &cluster.RefusedError{Command: name, Message: m, Err: errors.New("exit status 1")}
	}
	return f.out[name], nil
}

func TestLive(t *testing.T) {
	t.Parallel()
	const (
		pbs = "Job id            Name             User              Time Use S Queue\n----------------  ---------------- ----------------  -------- - -----\n" +
			"12[].srv          jwst-r1          me                       0 B workq\n12[1].srv         jwst-r1          me                00:00:01 R workq\n" +
			"12[2].srv         jwst-r1          me                       0 Q workq\n12[3].srv         jwst-r1          me                00:00:01 X workq\n" +
			"12[4].srv         jwst-r1          me                00:00:01 E workq\n"
		sge = "job-ID  prior   name       user         state submit/start at     queue                          slots ja-task-ID\n----\n" +
			"     12 0.55500 jwst-r1    me           r     11/25/2026 10:00:00 all.q@n1                           1 2\n" +
			"     12 0.55500 jwst-r1    me           qw    11/25/2026 10:00:00                                    1 3\n" +
			"     13 0.55500 other      me           qw    11/25/2026 10:00:00                                    1 9\n"
	)
	for _, c := range []struct {
		name, id string
		sys      cluster.System
		fake     fake
		want     map[int]bool
		fails    bool
	}{
		{"slurm", "7", cluster.Slurm{}, fake{out: map[string]string{"squeue": "3\n5\n"}}, map[int]bool{3: true, 5: true}, false},
		{"slurm, one job", "7", cluster.Slurm{}, fake{out: map[string]string{"squeue": "N/A\n"}}, map[int]bool{0: true}, false},
		{"slurm, forgotten", "7", cluster.Slurm{}, fake{err: map[string]string{"squeue": "slurm_load_jobs error: Invalid job id specified"}}, nil, false},
		{"slurm, away", "7", cluster.Slurm{}, fake{err: map[string]string{"squeue": "Unable to contact slurm controller"}}, nil, true},
		{"pbs", "12[].srv", cluster.PBS{}, fake{out: map[string]string{"qstat": pbs}}, map[int]bool{1: true, 2: true, 4: true}, false},
		{"pbs, forgotten", "12[].srv", cluster.PBS{}, fake{err: map[string]string{"qstat": "qstat: Unknown Job Id 12[].srv"}}, nil, false},
		{"sge", "12", cluster.GridEngine{}, fake{out: map[string]string{"qstat": sge}}, map[int]bool{1: true, 2: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.sys.Live(t.Context(), c.fake.run, c.id)
			if (err != nil) != c.fails || !maps.Equal(got, c.want) {
				t.Errorf("Live = %v, %v, want %v, fails %v", got, err, c.want, c.fails)
			}
		})
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sys       cluster.System
		out, id   string
		wantAsked string
	}{
		{cluster.Slurm{}, "42;east\n", "42", "sbatch --parsable --dependency=afterany:9 --begin=now+61 s.sh"},
		{cluster.PBS{}, "42[].srv\n", "42[].srv", "qsub -W depend=afterany:9 -a "},
		{cluster.GridEngine{}, "42.1-24:1\n", "42", "qsub -terse -hold_jid 9 -a "},
	} {
		f := fake{out: map[string]string{"sbatch": c.out, "qsub": c.out}}
		id, err := c.sys.Submit(t.Context(), f.run, "s.sh", "9", time.Minute)
		if id != c.id || err != nil || !strings.HasPrefix(f.seen[0], c.wantAsked) {
			t.Errorf("%s: Submit = %q, %v, asked %q, want %q, %q", c.sys.Name(), id, err, f.seen[0], c.id, c.wantAsked)
		}
		f = fake{err: map[string]string{"sbatch": "Batch job submission failed: Invalid account", "qsub": "qsub: Unauthorized Request"}}
		var refused *cluster.RefusedError
		if _, err := c.sys.Submit(t.Context(), f.run, "s.sh", "", 0); !errors.As(err, &refused) || refused.Message == "" {
			t.Errorf("%s: a refusal = %v, want a *RefusedError with the system's words", c.sys.Name(), err)
		}
		f = fake{out: map[string]string{"sbatch": "", "qsub": ""}}
		if id, err := c.sys.Submit(t.Context(), f.run, "s.sh", "", 0); err == nil {
			t.Errorf("%s: Submit without an answer = %q, want an error", c.sys.Name(), id)
		}
	}
}

func TestNoScheduler(t *testing.T) {
	t.Parallel()
	if _, err := cluster.Run(t.Context(), "jwstbulk-no-such-command"); !errors.Is(err, cluster.ErrNoScheduler) {
		t.Errorf("Run of an absent command = %v, want ErrNoScheduler", err)
	}
}

func TestRunHidesSecrets(t *testing.T) {
	t.Setenv("MAST_API_TOKEN", "secret-1")
	t.Setenv("OTHER_TOKEN", "secret-2")
	t.Setenv("JWSTBULK_DIR", "/elsewhere")
	t.Setenv("SLURM_JOB_ID", "12")
	t.Setenv("SLURM_CONF", "/etc/kept")
	out, err := cluster.Run(t.Context(), "env")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"secret-1", "secret-2", "JWSTBULK_DIR", "SLURM_JOB_ID"} {
		if strings.Contains(out, bad) {
			t.Errorf("the environment of a submission holds %s", bad)
		}
	}
	if !strings.Contains(out, "SLURM_CONF=/etc/kept") {
		t.Error("SLURM_CONF is missing from the environment of a submission")
	}
}
