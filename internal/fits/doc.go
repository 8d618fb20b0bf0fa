// Package fits checks, while the bytes of a file go by, that the file is whole.
//
// The one idea: a check is an io.Writer. Whoever copies, hashes or re-reads a file tees the bytes into a Check in pieces of
// any size and asks for the Report at the end, so that checking costs no second pass and no memory that depends on the file.
//
// For FITS (standard 4.0) the Checker walks the structure: 2880-byte blocks, the mandatory cards and their order, the data
// length |BITPIX|/8 · GCOUNT · (PCOUNT + ΠNAXISn) with every product overflow-checked, random groups, tables with their
// heaps, tile-compressed images, the fill, and that the file ends exactly where its last header says. It verifies the
// CHECKSUM and DATASUM cards where a file carries them and captures the keywords that name a JWST file's processing.
// Light checks exist for JSON, ECSV, CSV, JPEG, PNG and gzip; every kind is searched for a web page sent in its place.
//
// It promises that no number read from a file decides an allocation, that no input makes it panic, and that the verdict does
// not depend on how the bytes were split. It does not read pixel values, does not judge what real files are known to get
// wrong (a stale NEXTEND is a note, not an error), and cannot see damage that keeps the structure when a file has no
// checksum cards: a file cut exactly at the end of an HDU is a valid FITS file, so callers must also hold the exact length.
//
// Header builds header blocks and Seal computes checksum cards; both serve tests and the simulated archive.
package fits
