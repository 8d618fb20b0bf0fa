// Package campaign holds the compositions that several commands need: opening a campaign directory with everything that
// belongs to it, fetching, and writing the manifest.
//
// A campaign is one directory with data, its state below .jwstbulk, and its manifest. Open takes the campaign's lock; one
// process at a time writes it. The package decides nothing about exit codes and prints nothing.
package campaign
