//go:build e2e

package e2e_test

import "strconv"

// program is the programme of the synthetic catalogues.
const program = "9001"

// programme2733 serves the recorded products of programme 2733.
var programme2733 = []string{"--catalog", "2733"}

// synthetic is a catalogue of about n files of mixed sizes.
func synthetic(n int) []string {
	return []string{"--catalog", "synthetic", "--files", itoa(n)}
}

// productRows is a catalogue whose product lists have n rows in all, on the archive's real mix: most are guide-star files,
// and files are listed under several observations.
func productRows(n int) []string {
	return []string{"--catalog", "synthetic", "--rows", itoa(n)}
}

// rateFlag limits all file bodies together to so many bytes a second.
func rateFlag(bytes int) []string { return []string{"--rate", itoa(bytes)} }

func itoa(n int) string { return strconv.Itoa(n) }
