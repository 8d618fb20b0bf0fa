//go:build linux

// Command fusefs mounts a directory elsewhere through FUSE and misbehaves on demand, for the end-to-end tests:
//
//	fusefs [-locks pass|grant|ERRNO] [-nommap] [-fold] [-volatile] [-do COMMAND]... DIRECTORY MOUNTPOINT
//
// It prints "ok" once the mount stands. Then it takes commands from standard input, one a line, and answers each with "ok"
// or "error: …"; the end of its input unmounts and ends it.
//
//	fail OP ERRNO [GLOB]      OP fails and does nothing, on files whose path below the mount or whose name matches GLOB
//	late OP ERRNO [GLOB]      OP is done and then reported as failed, as after a lost reply of a network file system
//	delay OP TIME [GLOB]      OP begins so much later
//	rot GLOB                  reads of matching files find one bit flipped, each file always the same one
//	heal                      forget all of the above
//	cut SEED                  the power fails (below)
//
// OP is one of create, open, lookup, mkdir, unlink, rename, truncate, read, write, fsync (of files and directories), flush
// (close(2) waits for it), lock, or any. ERRNO is a name such as EIO.
//
// -locks grant lets every lock succeed at once, also one that somebody holds; an ERRNO refuses all. -nommap has every file
// opened for direct I/O, so that a shared memory map fails with ENODEV, as on some network file systems. -fold keeps all
// names in lower case, so that names that differ in case alone are the same.
//
// -volatile remembers what was written to a file since its last fsync. cut then undoes a random half of those writes, by
// sectors of 512 bytes, as if they had been reordered and torn when the power failed, and lets everything fail with EIO from
// then on. Names are kept: creating, renaming and removing are durable at once. A loop device on a file below such a mount
// is a disk with a write cache that power cuts tear.
//
// It takes root (it mounts without fusermount) and nothing is cached by the kernel between two opens.
package main
