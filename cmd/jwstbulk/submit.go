package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
)

func submitCommand() *cli.Command {
	return &cli.Command{
		Name:      "submit",
		Usage:     "let a batch system fetch: slurm, pbs or sge",
		ArgsUsage: "slurm|pbs|sge",
		Description: "Without --tasks it submits a chain: one job that fetches until its time is over and then submits the next one, until all is there.\n" +
			"With --tasks K it submits an array of shards, of which K run at a time and share one budget of transfers and requests;\n" +
			"a last job collects their work, writes the manifest, and submits what is left. --print shows the scripts and submits nothing.\n\n" +
			"   jwstbulk plan --program 1345 -d /scratch/me/jwst-1345\n" +
			"   jwstbulk submit --time 4h --partition dtn -d /scratch/me/jwst-1345 slurm",
		Flags:        slices.Concat(submitFlags(), fetchFlags(), commonFlags(), archiveFlags()),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := someArgs(c, "batch system (slurm, pbs or sge)")
			if err != nil {
				return err
			}
			if len(args) > 1 {
				return usagef("unexpected argument %q", args[1])
			}
			sys, err := batchSystem(args[0])
			if err != nil {
				return err
			}
			return runSubmit(c.Context, readOutput(c), c, sys)
		},
	}
}

func submitFlags() []cli.Flag {
	const cat = "Jobs"
	return []cli.Flag{
		&cli.IntFlag{Name: "tasks", Category: cat, EnvVars: env("tasks"), Usage: "an array, `K` tasks at a time; without it a chain"},
		&cli.IntFlag{Name: "shards", Category: cat, EnvVars: env("shards"), Usage: "`N` shards in all, of an array; 8 for each task if not given"},
		&cli.IntFlag{Name: "rounds", Category: cat, Value: 5, EnvVars: env("rounds"), Usage: "submit what is left up to `N` times, while something is gained"},
		&cli.StringFlag{Name: "time", Category: cat, EnvVars: env("time"), Usage: "wall `TIME` of each job: 4h, 90m, 04:00:00, 1-12:00:00, or minutes"},
		&cli.StringFlag{Name: "partition", Category: cat, EnvVars: env("partition"), Usage: "partition or queue, `NAME`"},
		&cli.StringFlag{Name: "account", Category: cat, EnvVars: env("account"), Usage: "account or project, `NAME`"},
		&cli.StringFlag{Name: "mem", Category: cat, Value: "2G", EnvVars: env("mem"), Usage: "memory of each job, `SIZE` as the batch system writes it; \"\" for the site's default"},
		&cli.StringSliceFlag{Name: "sbatch", Aliases: []string{"option"}, Category: cat, EnvVars: env("sbatch"), Usage: "a further `OPTION` of the batch system, word for word, e.g. --sbatch --qos=low"},
		&cli.BoolFlag{Name: "print", Category: cat, EnvVars: env("print"), Usage: "show the job scripts, submit nothing, change nothing"},
	}
}

// readSpec turns flags into a submission. The token is not stored yet.
func readSpec(c *cli.Context, o output, sys cluster.System) (cluster.Spec, campaign.Config, error) {
	cfg, err := readCampaign(c, o, false)
	if err != nil {
		return cluster.Spec{}, cfg, err
	}
	f, err := readFetch(c)
	if err != nil {
		return cluster.Spec{}, cfg, err
	}
	s := cluster.Spec{System: sys.Name(), Dir: cfg.Dir, Tasks: c.Int("tasks"), Shards: c.Int("shards"), Rounds: c.Int("rounds"),
		Jobs: f.Jobs, Rate: f.Rate, ByteRate: f.ByteRate, Partition: c.String("partition"), Account: c.String("account"),
		Memory: c.String("mem"), Extra: c.StringSlice("sbatch"), Fetch: passOn(c), Archive: []string{"--archive", c.String("archive")}}
	if c.IsSet("tasks") && s.Tasks < 1 {
		return s, cfg, usagef("invalid --tasks %d: want 1 or more", s.Tasks)
	}
	if v := c.String("time"); v != "" {
		if s.Time, err = cluster.ParseTime(v); err != nil {
			return s, cfg, usagef("--time: %v", err)
		}
	}
	if err := s.Validate(); err != nil {
		return s, cfg, usagef("%v", err)
	}
	if v := c.String("token-for"); v != "" {
		s.Archive = append(s.Archive, "--token-for", v)
	}
	switch {
	case c.String("token-file") != "":
		name, err := filepath.Abs(c.String("token-file"))
		if err != nil {
			return s, cfg, err
		}
		s.Archive = append(s.Archive, "--token-file", name)
	case !cfg.Archive.Token.IsZero():
		s.Archive = append(s.Archive, "--token-file", cluster.TokenPath(cfg.Dir))
	}
	if s.Program, err = os.Executable(); err != nil {
		return s, cfg, fmt.Errorf("finding our own program: %w", err)
	}
	return s, cfg, nil
}

// passOn returns the flags that were given and that jobs take as they are; budgets are divided and tokens go by file.
func passOn(c *cli.Context) []string {
	var out []string
	for _, f := range fetchFlags() {
		name := f.Names()[0]
		switch name {
		case "jobs", "rate", "limit-rate", "error-on-nothing":
			continue
		}
		if !c.IsSet(name) {
			continue
		}
		if _, isBool := f.(*cli.BoolFlag); isBool {
			out = append(out, fmt.Sprintf("--%s=%v", name, c.Bool(name)))
			continue
		}
		out = append(out, "--"+name, fmt.Sprint(c.Value(name)))
	}
	if q := c.String("queue"); q != "" && c.Int("tasks") == 0 {
		if abs, err := filepath.Abs(q); err == nil { // fails only without a working directory
			q = abs
		}
		out = append(out, "--queue", q)
	}
	return out
}

func runSubmit(ctx context.Context, o output, c *cli.Context, sys cluster.System) error {
	spec, cfg, err := readSpec(c, o, sys)
	if err != nil {
		return err
	}
	if c.Bool("print") {
		return printScripts(ctx, o, c, sys, spec)
	}
	if spec.Tasks == 0 {
		return submitChain(ctx, o, sys, spec, cfg)
	}
	if err := noChain(ctx, sys, spec); err != nil {
		return err
	}
	cp, err := campaign.Open(ctx, cfg)
	if err != nil {
		return err
	}
	err = storeToken(cp.Root, spec, cfg)
	if err == nil {
		err = submitArray(ctx, o, sys, spec, cp)
	}
	return errors.Join(err, cp.Close())
}

// printScripts shows what would be submitted.
func printScripts(ctx context.Context, o output, c *cli.Context, sys cluster.System, spec cluster.Spec) error {
	if spec.Tasks == 0 {
		return printScript(o, sys, spec.ChainJob(cluster.ScriptPath(spec.Dir, spec.ChainName())))
	}
	r, _, err := openReader(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close() // only read from
	counts, err := r.Counts(ctx)
	if err != nil {
		return err
	}
	rounds, err := r.Rounds(ctx)
	if err != nil {
		return err
	}
	next := int64(1)
	if len(rounds) > 0 {
		next = rounds[len(rounds)-1].ID + 1
	}
	if err := printScript(o, sys, spec.ArrayJob(next, spec.ShardsFor(toLend(counts), 0))); err != nil {
		return err
	}
	fmt.Fprintln(o.stdout)
	return printScript(o, sys, spec.CollectJob(next))
}

func printScript(o output, sys cluster.System, j cluster.Job) error {
	text, err := sys.Script(j)
	if err != nil {
		return usagef("%v", err)
	}
	_, err = io.WriteString(o.stdout, text)
	return err
}

// storeToken writes the token where the jobs read it, if it came from elsewhere than a file.
func storeToken(root *os.Root, spec cluster.Spec, cfg campaign.Config) error {
	if !slices.Contains(spec.Archive, cluster.TokenPath(spec.Dir)) {
		return nil
	}
	_, err := cluster.WriteToken(root, spec.Dir, cfg.Archive.Token.Save)
	return err
}

func writeScript(root *os.Root, sys cluster.System, spec cluster.Spec, j cluster.Job) (string, error) {
	text, err := sys.Script(j)
	if err != nil {
		return "", usagef("%v", err)
	}
	return cluster.WriteScript(root, spec.Dir, j.Name, text)
}

// submission is what submit prints.
type submission struct {
	Version int    `json:"version"` // 1
	System  string `json:"system"`
	Round   int64  `json:"round,omitempty"`
	Shards  int    `json:"shards,omitempty"`
	Files   int64  `json:"files,omitempty"`
	Job     string `json:"job"`
	Collect string `json:"collect,omitempty"` // the job that collects
	Script  string `json:"script"`
}

func told(o output, s submission) error {
	s.Version = 1
	if o.json {
		w := newLines(o.stdout)
		w.add("submitted", s)
		return w.flush()
	}
	text := fmt.Sprintf("submitted job %s (%s)\n", s.Job, s.Script)
	if s.Round > 0 {
		text = fmt.Sprintf("submitted job %s: round %d, %s in %d shards (%s)\n", s.Job, s.Round, files(s.Files), s.Shards, s.Script)
		if s.Collect != "" {
			text += fmt.Sprintf("          job %s collects when it has ended\n", s.Collect)
		}
	}
	_, err := io.WriteString(o.stdout, text+"`jwstbulk status` shows how far they are\n")
	return err
}
