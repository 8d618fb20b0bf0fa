// Package campaign holds the compositions that several commands need: opening a campaign directory with everything that
// belongs to it, fetching, writing the manifest, asking the archive in bulk what became of a manifest's files (Survey),
// repairing and updating a tree, and fetching from a manifest alone.
//
// A campaign is one directory with data, its state below .jwstbulk, and its manifest. Open takes the campaign's lock; one
// process at a time writes it. The package decides nothing about exit codes and prints nothing.
package campaign
