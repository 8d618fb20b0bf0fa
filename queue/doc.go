// Package queue is the durable job queue of a campaign, in SQLite.
//
// The one idea: every change of a job is one guarded SQL statement, and all writes go through one goroutine that commits
// whatever has gathered while the previous commit ran, so that durability is paid once a group and never waits for a clock.
//
// It promises that what it acknowledged survives a kill or a power cut (WAL, synchronous=FULL), that an outcome of an
// older attempt changes nothing (ErrStale), and that a lost or damaged database can be rebuilt from the journal.
// It knows no HTTP and no MAST, and it never touches the data files: placing, renaming and proving are the caller's work.
package queue
