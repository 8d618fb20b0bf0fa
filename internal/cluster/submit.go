package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"jwstbulk/internal/durable"
)

// JobDir is where job scripts and their logs lie, relative to the campaign directory.
const JobDir = ".jwstbulk/job"

// tokenName is the file that holds the token for jobs, relative to the campaign directory.
const tokenName = ".jwstbulk/token"

// Spec is a submission as it was asked for; it is kept with the round, so that the next round is submitted the same way.
type Spec struct {
	System    string        `json:"system"`
	Program   string        `json:"program"`          // path of our own binary
	Dir       string        `json:"dir"`              // the campaign directory, absolute
	Tasks     int           `json:"tasks,omitempty"`  // at a time; 0: a chain
	Shards    int           `json:"shards,omitempty"` // 0: as many as fit
	Rounds    int           `json:"rounds,omitempty"` // further rounds that collect may submit
	Jobs      int           `json:"jobs"`             // transfers at a time, of all tasks
	Rate      float64       `json:"rate"`             // requests a second, of all tasks; ≤ 0: no limit
	ByteRate  int64         `json:"byte_rate,omitempty"`
	Time      time.Duration `json:"time,omitempty"`
	Partition string        `json:"partition,omitempty"`
	Account   string        `json:"account,omitempty"`
	Memory    string        `json:"memory,omitempty"`
	Extra     []string      `json:"extra,omitempty"`
	Fetch     []string      `json:"fetch,omitempty"`   // further flags of run, without the budgets
	Archive   []string      `json:"archive,omitempty"` // flags that name the archive and the token's file
}

// ParseTime reads the wall time of a submission: 4h, 90m, 240 (minutes), 04:00:00, 1-12:00:00.
func ParseTime(s string) (time.Duration, error) { return parseLimit(s) }

// Validate checks what can be checked without the batch system.
func (s Spec) Validate() error {
	switch {
	case s.Tasks < 0 || s.Shards < 0 || s.Rounds < 0:
		return errors.New("tasks, shards and rounds cannot be negative")
	case s.Tasks > s.Jobs:
		return fmt.Errorf("%d tasks cannot share %d transfers at a time: each needs one; fewer --tasks, or a larger -j", s.Tasks, s.Jobs)
	case s.Shards > 0 && s.Tasks > s.Shards:
		return fmt.Errorf("%d tasks need as many shards at least, not %d", s.Tasks, s.Shards)
	}
	return nil
}

// MaxShards is how many shards an array has at most, unless asked for more: Slurm's default limit is 1001 (slurm.conf(5),
// MaxArraySize).
const MaxShards = 1000

// ShardsFor returns how many shards to make of some files: what was asked for, else eight for each task at a time, so that the
// last ones end about together. There are never more shards than files, nor more than limit if that is not 0.
func (s Spec) ShardsFor(files int64, limit int) int {
	n := s.Shards
	if n == 0 {
		n = min(8*s.Tasks, MaxShards)
	}
	if limit > 0 {
		n = min(n, limit)
	}
	return int(max(1, min(int64(n), files)))
}

// name names jobs of a campaign, and of no other: the batch system finds them by it.
func (s Spec) name(what string) string {
	sum := sha256.Sum256([]byte(s.Dir))
	return "jwst-" + hex.EncodeToString(sum[:4]) + what
}

// ChainName is the name of every link of the chain.
func (s Spec) ChainName() string { return s.name("-chain") }

// RoundName is the name of a round's array.
func (s Spec) RoundName(round int64) string { return s.name("-r" + strconv.FormatInt(round, 10)) }

// CollectName is the name of the job that collects a round.
func (s Spec) CollectName(round int64) string { return s.name("-c" + strconv.FormatInt(round, 10)) }

func (s Spec) job(name, comment string) Job {
	return Job{Name: name, Comment: comment, Log: filepath.Join(s.Dir, filepath.FromSlash(JobDir), name), Time: s.Time,
		Partition: s.Partition, Account: s.Account, Memory: s.Memory, Extra: s.Extra}
}

// budget returns the flags that give one of n tasks its share. Shares of rates are exact; of transfers, what does not divide
// is not used.
func (s Spec) budget(n int) []string {
	rate := "0"
	if s.Rate > 0 {
		rate = strconv.FormatFloat(s.Rate/float64(n), 'g', -1, 64)
	}
	out := []string{"--jobs", strconv.Itoa(max(s.Jobs/n, 1)), "--rate", rate}
	if s.ByteRate > 0 {
		out = append(out, "--limit-rate", strconv.FormatInt(max(s.ByteRate/int64(n), 1024), 10))
	}
	return out
}

func (s Spec) args(head []string, tail ...[]string) []string {
	out := append([]string{s.Program}, head...)
	out = append(out, "--dir", s.Dir)
	for _, t := range tail {
		out = append(out, t...)
	}
	return out
}

// ChainJob is one link of the chain; script is the path of its own script, which it submits again.
func (s Spec) ChainJob(script string) Job {
	j := s.job(s.ChainName(), "Fetches until the time is over, then submits this script again while files are left.")
	j.Chain = true
	j.Args = s.args([]string{"run", "--chain", script, "--batch-system", s.System}, s.budget(1), s.Fetch, s.Archive)
	return j
}

// ArrayJob is the array of a round.
func (s Spec) ArrayJob(round int64, shards int) Job {
	atOnce := min(s.Tasks, shards)
	j := s.job(s.RoundName(round), fmt.Sprintf("Round %d: fetches %d shards, %d at a time; the limits below are one task's share.", round, shards, atOnce))
	j.Shards, j.AtOnce = shards, atOnce
	head := []string{"run", "--shard", "--round", strconv.FormatInt(round, 10)}
	if shards == 1 {
		head = append(head, "--shard-index", "0") // PBS has no arrays of one
	}
	j.Args = s.args(head, s.budget(atOnce), s.Fetch, s.Archive)
	return j
}

// CollectJob collects a round after its array.
func (s Spec) CollectJob(round int64) Job {
	j := s.job(s.CollectName(round), fmt.Sprintf("Takes the work of round %d in, writes the manifest, and submits what is left while rounds are left.", round))
	if j.Time > 0 {
		j.Time = max(j.Time, 10*time.Minute)
	}
	j.Args = s.args([]string{"collect", "--rounds", strconv.Itoa(s.Rounds)})
	return j
}

// WriteScript puts a job script into the campaign and returns its absolute path.
func WriteScript(root *os.Root, dir, name, text string) (string, error) {
	if err := durable.MkdirAll(root, JobDir); err != nil {
		return "", err
	}
	file := path.Join(JobDir, name+".sh")
	err := durable.WriteFile(root, file, 0o755, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("writing a job script: %w", err)
	}
	return filepath.Join(dir, filepath.FromSlash(file)), nil
}

// ScriptPath is where WriteScript puts the script of that name.
func ScriptPath(dir, name string) string {
	return filepath.Join(dir, filepath.FromSlash(JobDir), name+".sh")
}

// WriteToken puts a token where jobs find it and nobody else may read it, and returns the absolute path. reveal writes it.
func WriteToken(root *os.Root, dir string, reveal func(io.Writer) error) (string, error) {
	if err := durable.MkdirAll(root, path.Dir(tokenName)); err != nil {
		return "", err
	}
	if err := durable.WriteFile(root, tokenName, 0o600, reveal); err != nil {
		return "", fmt.Errorf("storing the token for the jobs: %w", err)
	}
	return TokenPath(dir), nil
}

// TokenPath is where WriteToken puts the token.
func TokenPath(dir string) string { return filepath.Join(dir, filepath.FromSlash(tokenName)) }
