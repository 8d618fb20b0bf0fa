// Package manifest is the record of what was fetched: its format, writing and reading it, and checking files against it.
//
// The one idea: the manifest of a data set is a pure function of the bytes. Entries are sorted, keys have a fixed order, and no
// fact that can change while the bytes stay the same is in it, so two people who hold the same files hold the same manifest,
// and its Root (a SHA-256 over digests and URIs) is the name of the data set, whatever the layout, source or machine.
// docs/manifest.md is the specification of the format for those who write or read it without this package.
//
// Write puts manifest.jsonl and SHA256SUMS in place atomically; WriteProvenance adds provenance.jsonl, which holds what may
// vary and promises nothing. Reader is strict: what it accepts, Encode gives back byte for byte. Verify holds a tree against a
// manifest, opening files through os.Root so that no path or symbolic link leads outside. Compare merges two manifests, Mixed
// finds versions that do not belong together, Export and WriteBag write the record in the forms of other programs.
//
// Memory does not grow with the number of entries but for one thing: 8 bytes a path (about 16 with slack) are kept while
// reading and writing, to refuse two entries with one path. The package knows no queue and no archive, and changes no data file.
package manifest
