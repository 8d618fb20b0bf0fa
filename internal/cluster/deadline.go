package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Deadline finds out when the batch system will end this job, from what is there first: given, which the job script computes
// from the time asked for (Unix seconds or RFC 3339; "" if there is none), SLURM_JOB_END_TIME, in a Slurm job one squeue, and
// what TORQUE tells.
// The zero time means that there is no limit or nobody knows. An error is of given alone: it is the user's.
func Deadline(ctx context.Context, given string, now time.Time, getenv func(string) string, run Runner) (time.Time, error) {
	if given != "" {
		t, err := parseDeadline(given)
		if err != nil {
			return time.Time{}, fmt.Errorf("invalid deadline %q: want seconds since 1970 or a time such as 2026-01-31T12:00:00Z", given)
		}
		return t, nil
	}
	if n, err := strconv.ParseInt(getenv("SLURM_JOB_END_TIME"), 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0), nil
	}
	id := getenv("SLURM_JOB_ID")
	if id == "" {
		return pbsEnd(getenv), nil
	}
	if run == nil {
		return time.Time{}, nil
	}
	out, err := run(ctx, "squeue", "-h", "-j", id, "-o", "%L")
	if err != nil {
		return time.Time{}, nil // asked once: a job that does not know its end drains when the signal comes
	}
	left, ok := slurmDuration(strings.TrimSpace(out))
	if !ok {
		return time.Time{}, nil
	}
	return now.Add(left), nil
}

func parseDeadline(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && n < 1<<40 {
		return time.Unix(n, 0), nil
	}
	return time.Parse(time.RFC3339, s)
}

// slurmDuration reads days-hours:minutes:seconds and its shorter forms. UNLIMITED, NOT_SET and INVALID are not ok.
func slurmDuration(s string) (time.Duration, bool) {
	days, rest, found := strings.Cut(s, "-")
	if !found {
		days, rest = "0", s
	}
	d, err := strconv.Atoi(days)
	if err != nil || d < 0 || d > 3650 {
		return 0, false
	}
	total := time.Duration(d) * 24 * time.Hour
	parts := strings.Split(rest, ":")
	if len(parts) > 3 {
		return 0, false
	}
	unit := time.Second
	for i := len(parts) - 1; i >= 0; i-- {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > 1e6 {
			return 0, false
		}
		total += time.Duration(n) * unit
		unit *= 60
	}
	return total, true
}

// parseLimit reads the time of a submission: a Go duration (4h, 90m) or Slurm's own forms, of which a bare number is minutes.
func parseLimit(s string) (time.Duration, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(n) * time.Minute, nil
	}
	d, err := time.ParseDuration(s)
	ok := err == nil
	if !ok {
		d, ok = slurmDuration(s)
	}
	if !ok || d < time.Minute || d > 3650*24*time.Hour {
		return 0, fmt.Errorf("invalid time %q: want a time such as 4h, 90m or 1-12:00:00, one minute at least", s)
	}
	return d, nil
}
