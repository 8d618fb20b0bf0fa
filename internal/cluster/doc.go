// Package cluster lets a site's batch system work on a campaign: it writes the lists that tasks fetch, the journals they
// leave, and the job scripts that start them.
//
// The one idea: nothing is shared but immutable lists and append-only files with one writer each. Shard k of round r is the
// list shard/r/k.jsonl; every attempt at it has a queue of its own and a journal of its own, whose last line says "end".
// No database is opened by two processes or hosts, and no lock has to cross a node. Files under way are safe because each
// attempt writes parts of its own and a file gets its final name only whole; two attempts at one shard cost bandwidth, never
// a file.
//
// The package runs the batch system's own commands (sbatch, qsub, squeue, qstat), never as a daemon and never in a loop.
package cluster
