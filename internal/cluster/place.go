package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

// minScratch is the free space that a local disk must have for a task's queue: some hundred bytes a file and a log.
const minScratch = 256 << 20

// Scratch returns a directory on a local disk for a task's own queue: what the site names in SLURM_TMPDIR or TMPDIR, else
// the system's. "" means that there is none with some space.
func Scratch(getenv func(string) string) string {
	for _, dir := range []string{getenv("SLURM_TMPDIR"), getenv("TMPDIR"), os.TempDir()} {
		if dir == "" {
			continue
		}
		free, _, err := durable.FreeSpace(dir)
		if err != nil || free < minScratch {
			continue
		}
		if _, network, err := durable.FSKind(dir); err != nil || network {
			continue
		}
		probe, err := os.MkdirTemp(dir, "jwstbulk-probe-")
		if err == nil && os.Remove(probe) == nil {
			return dir
		}
	}
	return ""
}

// taskPrefix begins the name of the directory that holds a task's own queue.
const taskPrefix = "jwstbulk-task-"

// youngTask is the age below which a task may not have locked its queue yet.
const youngTask = time.Hour

// sweepScratch removes the queues of tasks that were killed, as far as they are ours to remove. It must be a local disk, where
// a lock that is free proves that its owner is dead.
func sweepScratch(dir string, now time.Time) {
	old, _ := filepath.Glob(filepath.Join(dir, taskPrefix+"*")) // fails only on a bad pattern
	for _, task := range old {
		fi, err := os.Lstat(task)
		if err == nil && fi.IsDir() && now.Sub(fi.ModTime()) > youngTask && !queue.Held(task) {
			_ = os.RemoveAll(task) // another user's stays
		}
	}
}

// Here is what the batch system says of the job that this process is.
type Here struct {
	System  string // slurm, pbs, sge; "" outside a job
	Job     string // id, of an array with the task
	Array   string // id of the job as a whole
	Task    int    // index of the shard; -1 if this is no task of an array
	Restart int
}

// WhereAmI reads the variables of the batch systems.
func WhereAmI(getenv func(string) string) Here {
	h := Here{Task: -1}
	h.Restart, _ = strconv.Atoi(getenv("SLURM_RESTART_COUNT")) // not set at the first start
	index := func(name string, first int) {
		if n, err := strconv.Atoi(getenv(name)); err == nil {
			h.Task = n - first
		}
	}
	switch {
	case getenv("SLURM_JOB_ID") != "":
		h.System, h.Job, h.Array = "slurm", getenv("SLURM_JOB_ID"), getenv("SLURM_JOB_ID")
		if id := getenv("SLURM_ARRAY_JOB_ID"); id != "" {
			h.Array = id
		}
		index("SLURM_ARRAY_TASK_ID", 0)
	case getenv("PBS_JOBID") != "":
		h.System, h.Job, h.Array = "pbs", getenv("PBS_JOBID"), getenv("PBS_JOBID")
		index("PBS_ARRAY_INDEX", 0)
	case getenv("JOB_ID") != "" && getenv("SGE_TASK_ID") != "":
		h.System, h.Job, h.Array = "sge", getenv("JOB_ID"), getenv("JOB_ID")
		index("SGE_TASK_ID", 1) // "undefined" where this is no task
	}
	return h
}

// ErrNoTask is returned where a shard's number is neither given nor known from the batch system.
var ErrNoTask = errors.New("which shard? this is no task of an array: give --shard-index")
