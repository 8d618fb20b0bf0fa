// Package durable replaces files and creates directories so that the result survives a power cut.
//
// The one idea: a name is only ever made to point at bytes that are already on disk. A file is written beside its target,
// flushed, renamed over it, and then the directory that holds the name is flushed too, because fsync of a file says
// nothing of its directory entry (fsync(2)).
//
// All names are relative to an [os.Root], so no name can lead out of the campaign, through ".." or a symbolic link.
// Errors of write, sync, close and rename are all returned: quotas and network file systems report a full disk there
// (close(2), nfs(5)). An fsync that failed is never repeated, since the kernel may have dropped the pages meanwhile.
//
// It does not lock, retry or clean up after other processes, and it never follows up on a failed directory flush: the
// caller must treat the file as possibly not there.
package durable
