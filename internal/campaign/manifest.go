package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"

	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// WriteManifest writes manifest.jsonl, SHA256SUMS and provenance.jsonl from the done files of the queue, in place of those
// that are there. A campaign that was begun from a manifest and holds exactly what that records gets it back, byte for byte.
// It returns the manifest's header.
func (c *Campaign) WriteManifest(ctx context.Context) (manifest.Header, error) {
	h, same, err := c.sameAsOrigin(ctx)
	if err != nil {
		return h, err
	}
	entries := func() iter.Seq2[manifest.Entry, error] { return c.Origin() }
	if !same {
		entries = func() iter.Seq2[manifest.Entry, error] { return c.entries(ctx) }
		if h, err = c.manifestHeader(ctx); err != nil {
			return h, err
		}
	}
	h.Root, err = manifest.Write(c.Root, h, entries)
	if err != nil {
		return h, err
	}
	return h, manifest.WriteProvenance(c.Root, c.provenance(ctx))
}

// manifestHeader tells what was asked for and whether it is all there.
func (c *Campaign) manifestHeader(ctx context.Context) (manifest.Header, error) {
	counts, err := c.Queue.Counts(ctx)
	if err != nil {
		return manifest.Header{}, err
	}
	queries, err := c.Queue.Queries(ctx)
	if err != nil {
		return manifest.Header{}, err
	}
	done := counts.State[queue.Done]
	h := manifest.Header{Files: done.Files, Bytes: done.Bytes, Missing: counts.Total().Files - done.Files}
	// Without a query nobody knows what was asked for: the queue was lost, and made anew from its journal.
	h.Complete = h.Missing == 0 && len(queries) > 0
	for i, q := range queries {
		// A query that was asked again counts once, by its last plan: it asks for the same.
		if slices.ContainsFunc(queries[i+1:], func(later queue.QueryRow) bool { return bytes.Equal(later.Spec, q.Spec) }) {
			continue
		}
		h.Query = append(h.Query, json.RawMessage(q.Spec))
		failed, err := c.Queue.Chunks(ctx, q.ID, queue.ChunkFailed)
		if err != nil {
			return h, err
		}
		if q.FinishedAt.IsZero() || len(failed) > 0 {
			h.Complete = false
		}
	}
	return h, nil
}

func (c *Campaign) entries(ctx context.Context) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		for f, err := range c.Queue.Done(ctx) {
			if err != nil {
				yield(manifest.Entry{}, err)
				return
			}
			if !yield(entry(f), nil) {
				return
			}
		}
	}
}

// entry is the manifest's view of a done file: what follows from its bytes and from what the archive says for good.
func entry(f queue.File) manifest.Entry {
	e := manifest.Entry{
		URI: f.URI, Path: f.Path, Size: f.Size, Proof: string(f.Proof),
		CalVer: f.Header["CAL_VER"], CRDSCtx: f.Header["CRDS_CTX"], SDPVer: f.Header["SDP_VER"],
		Date: f.Header["DATE"], Datamodl: f.Header["DATAMODL"],
		Program: f.Program, Instrument: f.Instrument, Level: f.Level, Obs: f.Observations,
	}
	copy(e.SHA256[:], f.SHA256)
	copy(e.MD5[:], f.MD5)
	return e
}

func (c *Campaign) provenance(ctx context.Context) iter.Seq2[manifest.Provenance, error] {
	return func(yield func(manifest.Provenance, error) bool) {
		for f, err := range c.Queue.Done(ctx) {
			p := manifest.Provenance{URI: f.URI, ETag: f.Validator.ETag, LastModified: f.Validator.LastModified, Source: f.Source,
				Rights: f.Rights, Release: f.ReleaseAt, Ingest: f.IngestedAt, Fetched: f.FinishedAt}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
