package manifest

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"jwstbulk/internal/durable"
)

// Write makes manifest.jsonl and SHA256SUMS in root, each atomically and durably, SHA256SUMS first, and returns the root of
// the data set. Files, Bytes and Root of h are computed, the caller gives the rest. entries is called twice and must yield
// the same entries both times, in bytewise order of their URIs; if not, Write fails and both files stay as they were.
// Errors: a *ParseError for an entry or header that may not stand in a manifest, that of entries, or that of the disk.
func Write(root *os.Root, h Header, entries func() iter.Seq2[Entry, error]) (string, error) {
	var err error
	h.Files, h.Bytes, h.Root, err = Sum(entries())
	if err != nil {
		return "", fmt.Errorf("writing manifest: %w", err)
	}
	// The second file is written inside the writing of the first, so that one pass feeds both.
	err = durable.WriteFile(root, Name, 0o644, func(w io.Writer) error {
		return durable.WriteFile(root, SumsName, 0o644, func(sums io.Writer) error {
			return encode(w, sums, h, entries())
		})
	})
	if err != nil {
		return "", fmt.Errorf("writing manifest: %w", err)
	}
	return h.Root, nil
}

// WriteProvenance makes provenance.jsonl in root, atomically and durably, one line an entry in the order given. Nothing
// depends on this file: it holds what may differ between two fetches of the same bytes.
func WriteProvenance(root *os.Root, lines iter.Seq2[Provenance, error]) error {
	err := durable.WriteFile(root, ProvenanceName, 0o644, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<18)
		var line []byte
		for p, err := range lines {
			if err != nil {
				return err
			}
			line = appendProvenance(line[:0], &p)
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return out.Flush()
	})
	if err != nil {
		return fmt.Errorf("writing provenance: %w", err)
	}
	return nil
}

func appendProvenance(b []byte, p *Provenance) []byte {
	b = appendString(append(b, `{"uri":`...), p.URI)
	b = appendOptional(append(b, `,"etag":`...), p.ETag)
	b = appendOptional(append(b, `,"last_modified":`...), p.LastModified)
	b = appendOptional(append(b, `,"source":`...), p.Source)
	b = appendOptional(append(b, `,"rights":`...), p.Rights)
	b = appendTime(append(b, `,"release":`...), p.Release)
	b = appendTime(append(b, `,"ingest":`...), p.Ingest)
	b = appendTime(append(b, `,"fetched":`...), p.Fetched)
	return append(b, "}\n"...)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	return append(b, '"')
}
