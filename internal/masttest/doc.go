// Package masttest simulates the MAST archive for tests, demonstrations and measurements.
//
// The one idea: a catalogue says which files exist, and every byte of every file is a pure function of its URI, version
// and size, computed at any offset and never stored. So an archive of terabytes costs no disk, two runs see the same
// bytes, and a test can ask for the truth (Files, Observations, Content, SHA256) without going through the wire.
//
// A Server speaks the public interfaces of https://mast.stsci.edu as documented by STScI and as seen in recorded
// replies: the Mashup service (api/v0/invoke with its polling, paging and filters, and columnsconfig), file download
// with ranges and validators, bundle scripts, path_lookup, whoami with tokens, the per-file metadata of viz, and the
// Mission Search products. The unmodified astroquery works against it.
//
// It misbehaves on request: a Fault names files by glob and says what to do to their replies (cut, reset, stall, lie
// about ranges, change the file, redirect, …) and how often. It remembers each request with status, range and bytes
// sent, and of a token only that there was one.
//
// FITS files are valid and look like JWST products (SCI, ERR and DQ images and an ASDF table), JSON parses, CSV and
// ECSV have rows, JPEG and PNG decode; each has exactly the size listed. The checksum listed is the MD5 of the bytes
// served, except with Config.MetadataOnly, where recorded checksums are passed through and no file can be downloaded.
//
// Not promised: the real archive's speed, its headers that nobody has recorded, or any rule about concurrency.
package masttest
