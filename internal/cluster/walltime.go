package cluster

import (
	"os"
	"strconv"
	"time"
)

// pbsEnd tells when a job of a PBS that names its wall time in the environment will end: TORQUE sets PBS_WALLTIME in seconds,
// and writes the file PBS_NODEFILE names when the job begins, which is the only word of its begin. PBS Pro and Grid Engine put
// neither into the environment; their jobs know by the script that submit writes, or drain at the signal. The zero time means
// that nobody knows.
func pbsEnd(getenv func(string) string) time.Time {
	seconds, err := strconv.ParseInt(getenv("PBS_WALLTIME"), 10, 64)
	if err != nil || seconds <= 0 || seconds > int64(10*365*24*time.Hour/time.Second) {
		return time.Time{}
	}
	fi, err := os.Stat(getenv("PBS_NODEFILE"))
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime().Add(time.Duration(seconds) * time.Second)
}
