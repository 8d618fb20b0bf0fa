package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"jwstbulk/internal/cluster"
	"jwstbulk/queue"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:         "status",
		Usage:        "where the campaign stands",
		Description:  "Tells how many files are done, under way, waiting and failed. It can be asked while a run goes on, from any host.",
		Flags:        commonFlags(),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			r, dir, err := openReader(c.Context, c)
			if err != nil {
				return err
			}
			defer r.Close() // only read from
			return runStatus(c.Context, readOutput(c), r, dir)
		},
	}
}

// statusReport is the output of status --json.
type statusReport struct {
	Version  int                   `json:"version"` // 1
	Dir      string                `json:"dir"`
	Counts   queue.Counts          `json:"counts"`
	Total    queue.Count           `json:"total"`
	Running  *queue.Status         `json:"running,omitempty"` // what the process that holds the campaign wrote last
	LastRun  *runLine              `json:"last_run,omitempty"`
	Queries  []queryLine           `json:"queries"`
	Complete bool                  `json:"complete"`
	Rounds   []cluster.RoundReport `json:"rounds,omitempty"` // work of batch jobs, by their journals
}

type queryLine struct {
	ID       int64           `json:"id"`
	Query    json.RawMessage `json:"query"`
	Finished bool            `json:"finished"`
}

// runLine is a run in status --json.
type runLine struct {
	Run      int64           `json:"run"`
	Command  string          `json:"command"`
	Host     string          `json:"host"`
	Version  string          `json:"jwstbulk"`
	Started  string          `json:"started"`
	Finished string          `json:"finished,omitempty"` // absent while it runs and after a kill
	Exit     *int            `json:"exit,omitempty"`
	Files    int64           `json:"files"`
	Bytes    int64           `json:"bytes"`
	Summary  json.RawMessage `json:"summary,omitempty"`
}

func newRunLine(r queue.Run) *runLine {
	l := &runLine{Run: r.ID, Command: r.Command, Host: r.Host, Version: r.Version, Started: stamp(r.StartedAt), Finished: stamp(r.FinishedAt),
		Files: r.Files, Bytes: r.Bytes, Summary: r.Summary}
	if !r.FinishedAt.IsZero() {
		l.Exit = &r.Exit
	}
	return l
}

func runStatus(ctx context.Context, o output, r *queue.Reader, dir string) error {
	s := statusReport{Version: 1, Dir: dir, Queries: []queryLine{}}
	var err error
	if s.Counts, err = r.Counts(ctx); err != nil {
		return err
	}
	queries, err := r.Queries(ctx)
	if err != nil {
		return err
	}
	for _, q := range queries {
		s.Queries = append(s.Queries, queryLine{ID: q.ID, Query: q.Spec, Finished: !q.FinishedAt.IsZero()})
	}
	runs, err := r.Runs(ctx)
	if err != nil {
		return err
	}
	if len(runs) > 0 {
		s.LastRun = newRunLine(runs[len(runs)-1])
	}
	if st, err := queue.ReadStatus(dir); err == nil && !st.Ended {
		s.Running = &st
	}
	if s.Rounds, err = roundReports(ctx, r, dir); err != nil {
		return err
	}
	s.Total = s.Counts.Total()
	s.Complete = s.Total.Files == s.Counts.State[queue.Done].Files
	if o.json {
		w := newLines(o.stdout)
		w.add("status", s)
		return w.flush()
	}
	_, err = io.WriteString(o.stdout, s.text())
	return err
}

// roundReports reads the journals of the rounds that have files lent.
func roundReports(ctx context.Context, r *queue.Reader, dir string) ([]cluster.RoundReport, error) {
	rounds, err := r.Rounds(ctx)
	if err != nil || len(rounds) == 0 {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	var out []cluster.RoundReport
	for _, round := range rounds {
		if round.Lent == 0 {
			continue
		}
		rep, err := cluster.ReadRound(root, round)
		if err != nil {
			return nil, err
		}
		out = append(out, rep)
	}
	return out, nil
}

func (s statusReport) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "campaign  %s\n", s.Dir)
	for _, q := range s.Queries {
		mark := ""
		if !q.Finished {
			mark = "  (planning not finished)"
		}
		fmt.Fprintf(&b, "query %-3d %s%s\n", q.ID, queryText(q.Query), mark)
	}
	done := s.Counts.State[queue.Done]
	fmt.Fprintf(&b, "done      %s of %s, %s of %s\n", number(done.Files), files(s.Total.Files), size(done.Bytes), size(s.Total.Bytes))
	writeLeft(&b, s.Counts)
	for _, round := range s.Rounds {
		writeRound(&b, round)
	}
	if s.LastRun != nil && s.Running == nil {
		end := "was killed"
		if s.LastRun.Exit != nil {
			end = fmt.Sprintf("ended %s with exit code %d", s.LastRun.Finished, *s.LastRun.Exit)
		}
		fmt.Fprintf(&b, "last run  %s, started %s, %s; %s, %s\n", clean(s.LastRun.Command), s.LastRun.Started, end, files(s.LastRun.Files), size(s.LastRun.Bytes))
	}
	if s.Running != nil {
		fmt.Fprintf(&b, "held by   %s, process %d on %s, %s/s, as of %s ago\n", clean(s.Running.Owner.Command), s.Running.Owner.PID, clean(s.Running.Owner.Host),
			size(int64(s.Running.BytesPerSecond)), time.Since(s.Running.Written).Round(time.Second))
	}
	return b.String()
}
