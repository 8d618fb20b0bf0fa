// Package fetcher works a queue: it claims files, downloads them with resume and limits, proves them, puts them under their
// final names and records what happened.
//
// The one idea: bytes first, database second. A file gets its final name only after its bytes are complete, proven, and
// fsynced, and after the queue holds what is needed to finish or undo that step:
//
//	claim → open → gates → stream to the part while hashing → fsync part → prove
//	      → record placing → rename → fsync directories → record done → journal
//
// What a kill leaves behind, by the last step that took effect:
//
//	claim            a running row; the next start returns it to pending
//	create part      a part no row names; swept at the next start
//	record part      a part that the next attempt continues, if the server proves by a validator that it is the same version
//	stream           the same, longer; after another boot only the bytes recorded as fsynced count
//	record placing   a placing row whose part still lies in the part directory; the next start renames it, if its SHA-256 is right
//	rename           a placing row whose final name exists; the next start records done, if its SHA-256 is right
//	record done      a done row without a journal line; the queue appends it when it is opened
//
// Bytes that are on disk already (Config.Candidates) are proven first and then go the same way from record placing on.
//
// It promises that nothing unproven is ever under a final name, that no two versions of a file are ever mixed, that no file
// of the user's is overwritten, that one bad file never stops a run, and that one failed write to the queue always does.
package fetcher
