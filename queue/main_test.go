package queue_test

import (
	"os"
	"testing"
)

// TestMain lets the test binary be its own victim: with QUEUE_CHILD set it runs a child of the kill and lock tests.
func TestMain(m *testing.M) {
	if what := os.Getenv("QUEUE_CHILD"); what != "" {
		os.Exit(child(what))
	}
	os.Exit(m.Run())
}
