// Package mast is the client of the MAST archive: metadata queries and file downloads over HTTP.
//
// The idea: a call either returns the whole truth or an error that says what is missing. A reply of the query service is
// polled and paged to its end, checked for syntax and completeness, and its rows written to a temporary file, before the
// first one is handed out, so that a caller never acts on half a list; rows are then decoded as a stream, so that half a
// million of them never sit in memory. A file is opened by one attempt, and only a reply whose status and headers prove that its
// bytes continue the ones already held is returned as a continuation.
//
// The package promises:
//
//   - the token is sent to the configured archive's own origin (scheme, host and port) and nowhere else, whatever a
//     redirect says, and no text made here contains it;
//   - metadata requests are made one at a time; temporary failures are retried here, and a Retry-After is obeyed;
//   - every text that came from a server and leaves in an error is short and free of control characters.
//
// It does not retry file downloads, watch for stalls in a body, limit bytes a second or check contents: that is the
// downloader's work. It knows nothing of queues.
package mast
