// Package queue is the durable job queue of a campaign, in SQLite.
//
// The one idea: every change of a job is one guarded SQL statement, and all writes go through one goroutine that commits
// whatever has gathered while the previous commit ran, so that durability is paid once a group and never waits for a clock.
//
// It promises that what it acknowledged survives a kill or a power cut (write-ahead log with synchronous=FULL, read back at
// Open), that an outcome of an older run or attempt changes nothing (ErrStale), that one process writes a campaign
// (LockedError), and that a lost or damaged database can be rebuilt from the journal of finished files without fetching
// one of them again (Rebuild).
//
// It knows no HTTP and no MAST, and it never touches the data files: placing, renaming and proving are the caller's work.
//
// # Files
//
// Below the campaign directory, in .jwstbulk: queue.db (or elsewhere, Config.Path) with its -wal and -shm; lock, and
// queue.db.lock beside the database, held and signed by the owner; done.jsonl, a JournalLine for each finished file, flushed
// before Finish returns; status.json, for hosts and commands that cannot read the database while it is worked on.
//
// On network file systems, where SQLite's shared memory cannot be trusted, the database is opened exclusively with a
// rollback journal and synchronous=EXTRA, and one connection serves reads and writes.
//
// # Reading it with other programs
//
// The views v_files, v_failures and v_throughput have times as ISO 8601 text and digests as hex, for sqlite3 or pandas:
//
//	sqlite3 -readonly .jwstbulk/queue.db 'SELECT reason, count(*) FROM v_failures GROUP BY reason'
//
// The tables behind them may change with each schema.
package queue
