// Package tools pins, in a module of its own, the programs that building and checking jwstbulk needs beside the Go
// toolchain (staticcheck, govulncheck: the tool lines of go.mod), and holds the small ones written here (gotest, and fusefs for
// the end-to-end tests). The S3 server of those tests, versitygw, has so many dependencies that it has a module to itself. The
// product's own go.mod stays free of them all.
package tools
