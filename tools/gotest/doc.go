// Command gotest runs go test with the flags given to it and prints what a person or a build log wants to read: one line a
// package, the whole output of a test that failed, the tests that were skipped and why, and a closing count.
//
// A skipped test is a test that did not run. With CI=true in the environment a skip therefore fails the run.
// -stream, before the flags for go test, prints all output as it comes.
package main
