package cluster

import (
	"errors"
	"os"
	"strconv"

	"jwstbulk/internal/durable"
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
