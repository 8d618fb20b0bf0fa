//go:build e2e

package e2e_test

import "strconv"

// program is the only programme of the synthetic catalogues.
const program = "10001"

// programme2733 serves the recorded products of programme 2733 at their true sizes.
var programme2733 = []string{"--catalog", "2733"}

// synthetic is a catalogue of at least n files (guide-star files not counted) whose sizes are real ones divided by scale:
// with 1000 they are 57 kB in the mean and 300 kB at most.
func synthetic(n, scale int) []string {
	const perGroup, group = 49, 5 // files of one visit, observations of one visit
	return observations((n+perGroup-1)/perGroup*group, scale)
}

// productRows is a catalogue whose product lists have at least n rows in all, on the archive's real mix: 70 % are guide-star
// files, and files are listed under several observations.
func productRows(n int) []string {
	const perObservation = 67.2
	return observations(int(float64(n)/perObservation)+5, 1000)
}

func observations(n, scale int) []string {
	return []string{"--catalog", "synthetic", "--observations", itoa(n), "--per-program", "4995", "--scale", itoa(scale)}
}

// rateFlag limits all file bodies together to so many bytes a second.
func rateFlag(bytes int) []string { return []string{"--rate", itoa(bytes)} }

func itoa(n int) string { return strconv.Itoa(n) }
