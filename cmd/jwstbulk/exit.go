package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/internal/cluster"
	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// Exit codes: an interface, documented in the README.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitSomeFailed  = 3
	exitAuth        = 4
	exitUnavailable = 5
	exitVerify      = 6
	exitStorage     = 7
	exitTransfer    = 8
	exitNothing     = 9
	exitAgain       = 10
	exitDrift       = 11
	exitLocked      = 12
)

const exitHelp = `Exit codes:
   0  everything asked for is present and proven
   1  internal error
   2  wrong flags, arguments or configuration
   3  finished, but some files failed: jwstbulk errors
   4  a token is missing, not valid, or without rights for some files
   5  the archive is not available, or part of the plan failed: try later
   6  some files are wrong: their bytes do not verify
   7  local storage: space, inodes, quota or permission
   8  --max-transfer is reached, work is left: run it again
   9  nothing to do (only with --error-on-nothing)
   10 out of time, work is left: run it again
   11 drift: the archive, or the newer manifest, no longer holds what the manifest records
   12 another process holds the campaign
   130, 143 interrupted; run it again to go on`

// severity orders the codes: the first one that applies is the exit code.
var severity = []int{exitInternal, exitUsage, exitLocked, exitStorage, exitAuth, exitVerify, exitDrift, exitSomeFailed,
	exitUnavailable, exitTransfer, exitAgain, exitNothing}

// worst returns the most severe of some codes, 0 if there is none.
func worst(codes []int) int {
	for _, c := range severity {
		if slices.Contains(codes, c) {
			return c
		}
	}
	return exitOK
}

// usageError is a mistake in flags, arguments or configuration.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// reportedError carries an exit code for something that has been told to the user already.
type reportedError struct{ codes []int }

func (e *reportedError) Error() string { return fmt.Sprintf("exit codes %v", e.codes) }

// reported returns an error for the codes that apply, nil if there are none.
func reported(codes []int) error {
	codes = slices.DeleteFunc(slices.Clone(codes), func(c int) bool { return c == exitOK })
	if len(codes) == 0 {
		return nil
	}
	return &reportedError{codes}
}

// exitCode is the one map from what happened to the exit code.
func exitCode(err error, stopped os.Signal) int {
	codes := errorCodes(err)
	code := worst(codes)
	if stopped != nil && (code == exitOK || code == exitAgain || code == exitInternal && errors.Is(err, context.Canceled)) {
		return signalCode(stopped)
	}
	return code
}

// signalCode is the exit code of a run that a signal ended: in a batch job it only means that there is work left.
func signalCode(s os.Signal) int {
	sig, _ := s.(syscall.Signal)
	if sig == syscall.SIGUSR1 || inBatchJob() {
		return exitAgain
	}
	return 128 + int(sig)
}

// inBatchJob reports whether a batch system runs us: it sends signals to say that time is up.
func inBatchJob() bool {
	for _, name := range []string{"SLURM_JOB_ID", "PBS_JOBID", "JOB_ID"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// errorCodes sorts an error.
func errorCodes(err error) []int {
	var (
		reported  *reportedError
		usage     *usageError
		criteria  *query.UsageError
		list      *filelist.Error
		file      *query.FileError
		empty     *planner.EmptyError
		locked    *queue.LockedError
		parse     *manifest.ParseError
		storage   *fetcher.StorageError
		space     *planner.SpaceError
		outage    *fetcher.UnavailableError
		remote    *mast.Error
		pathError *fs.PathError
		linkError *os.LinkError
		bytes     *manifest.SizeError
		digest    *manifest.DigestError
		origin    *campaign.OriginError
		refused   *cluster.RefusedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reported):
		return reported.codes
	case errors.As(err, &usage), errors.As(err, &criteria), errors.As(err, &list), errors.As(err, &file), errors.As(err, &empty), errors.As(err, &parse),
		errors.As(err, &origin), errors.Is(err, campaign.ErrUnfinishedFreeze), errors.Is(err, campaign.ErrFrozen), errors.As(err, &refused), errors.Is(err, queue.ErrNoCampaign), errors.Is(err, queue.ErrSchemaTooNew):
		return []int{exitUsage}
	case errors.As(err, &locked):
		return []int{exitLocked}
	case errors.As(err, &bytes), errors.As(err, &digest):
		return []int{exitVerify}
	case errors.As(err, &outage), errors.Is(err, campaign.ErrIncomplete):
		return []int{exitUnavailable}
	case errors.As(err, &storage), errors.As(err, &space), errors.Is(err, queue.ErrNoLocks), isStorage(err):
		return []int{exitStorage}
	case errors.As(err, &remote):
		if remote.Status == 401 || remote.Status == 403 {
			return []int{exitAuth}
		}
		return []int{exitUnavailable}
	case errors.As(err, &pathError), errors.As(err, &linkError):
		return []int{exitStorage}
	}
	return []int{exitInternal}
}

func isStorage(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EIO, syscall.EMFILE, syscall.ENFILE,
		syscall.ENOTDIR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, fs.ErrPermission)
}

// stateCodes says which codes the files of a campaign call for. publicOnly leaves exclusive files out of the account.
func stateCodes(c queue.Counts, publicOnly bool) []int {
	var codes []int
	add := func(code int, state queue.State, reasons ...queue.Reason) {
		for _, r := range reasons {
			if c.Reason[state][r].Files > 0 {
				codes = append(codes, code)
			}
		}
	}
	if !publicOnly {
		add(exitAuth, queue.Parked, queue.ReasonNeedsToken, queue.ReasonNotPublic)
		add(exitAuth, queue.Failed, queue.ReasonDenied)
	}
	add(exitVerify, queue.Failed, queue.ReasonDigest, queue.ReasonStructure)
	add(exitSomeFailed, queue.Failed, queue.ReasonMissing, queue.ReasonHTTP, queue.ReasonNetwork, queue.ReasonSize,
		queue.ReasonRefusedName, queue.ReasonRefusedPath, queue.ReasonCollision)
	add(exitSomeFailed, queue.Waiting, queue.ReasonReprocessing)
	add(exitUnavailable, queue.Waiting, queue.ReasonRetryAfter, queue.ReasonTransient, queue.ReasonNetwork)
	for _, s := range []queue.State{queue.Pending, queue.Running, queue.Placing, queue.Lent} {
		if c.State[s].Files > 0 {
			codes = append(codes, exitAgain)
		}
	}
	return codes
}

// limitCodes says which codes a limit that ended a run calls for.
func limitCodes(l fetcher.Limit) []int {
	switch l {
	case fetcher.LimitTransfer:
		return []int{exitTransfer}
	case fetcher.LimitTime:
		return []int{exitAgain}
	}
	return nil
}

// lockedAdvice says how to get a campaign that somebody else holds.
func lockedAdvice(l *queue.LockedError) string {
	if l.Owner.PID == 0 {
		return "wait for it or stop it; if nobody has it open, its file system gives no locks: put the queue on a local disk with --queue FILE"
	}
	if here, err := os.Hostname(); err == nil && l.Owner.Host != "" && l.Owner.Host != here {
		return fmt.Sprintf("wait for it or stop it; if %s is gone, its file server gives the lock up after some minutes, and if that never happens, remove %s",
			l.Owner.Host, l.Path)
	}
	return "`jwstbulk status` shows how far it is"
}

// explain says an error in words for the user: what happened, and what to do.
func explain(err error) (text, hint string) {
	var (
		locked *queue.LockedError
		space  *planner.SpaceError
		parse  *manifest.ParseError
	)
	text = err.Error()
	switch {
	case errors.As(err, &space):
		return text, "make room, narrow the query, or start all the same with --ignore-space; the plan is kept"
	case errors.Is(err, queue.ErrNoCampaign):
		return text, "give the directory of one with -d, or start one with `jwstbulk get`"
	case errors.Is(err, queue.ErrSchemaTooNew):
		return text, "use the newer jwstbulk; nothing was changed"
	case errors.As(err, &locked):
		return text, lockedAdvice(locked)
	case errors.Is(err, queue.ErrNoLocks):
		return text, "put the queue on a local disk with --queue FILE, here and in every later command, and run only one at a time"
	case errors.Is(err, queue.ErrDamaged):
		return text, "run the same command again: the queue is moved aside and made anew from the journal, and no finished file is fetched again"
	case errors.Is(err, context.Canceled):
		return "interrupted", "run the same command again to go on"
	case errors.As(err, &parse):
		return text, parseAdvice(parse)
	case errors.Is(err, syscall.ENOSPC):
		return text, "free some space, then run the same command again: nothing is lost"
	case errors.Is(err, syscall.EXDEV):
		return text, "the data are on another file system than .jwstbulk beside them; both must be on one: give -d a directory there"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return text, "lower -j or raise `ulimit -n`, then run the same command again: nothing is lost"
	}
	for _, c := range errorCodes(err) {
		switch c {
		case exitUnavailable:
			return text, "try again later: what was planned and fetched so far is kept"
		case exitAuth:
			return text, tokenAdvice
		case exitVerify:
			return text, "`jwstbulk verify --repair` brings back what is not as recorded"
		}
	}
	return text, ""
}

// parseAdvice says what to do about a manifest that cannot be read.
func parseAdvice(e *manifest.ParseError) string {
	switch {
	case errors.Is(e, manifest.ErrFormat):
		return "give a manifest.jsonl, or a directory that holds one"
	case errors.Is(e, manifest.ErrVersion):
		return "use a newer jwstbulk"
	}
	return "it was cut, damaged or edited: take another copy; a campaign's own is written anew by `jwstbulk manifest write -d DIR`"
}
