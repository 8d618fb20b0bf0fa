// Command jwstbulk downloads large JWST data sets from MAST: it plans a query into a queue, fetches and verifies the files,
// and records what was fetched so that anyone can fetch the same bytes again.
//
// Each subcommand has a file of its own that turns flags into an options struct and calls a run function that takes writers.
// exit.go is the only map from what happened to an exit code. Results go to stdout, everything else to stderr.
package main
