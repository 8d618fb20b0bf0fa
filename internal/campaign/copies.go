package campaign

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"jwstbulk/internal/mast"
	"jwstbulk/manifest"
)

// Copies finds the public copies of files in the cloud. It belongs to one goroutine.
type Copies struct {
	client *mast.Client
	done   func() error // removes the client's scratch directory
	bucket string
	keys   map[string]string // of the entries that were looked up last
}

// OpenCopies prepares to ask the archive; bucket is the address under which the keys are, without a slash at the end. The
// caller closes the Copies.
func OpenCopies(archive mast.Config, bucket string) (*Copies, error) {
	dir, done, err := Scratch()
	if err != nil {
		return nil, err
	}
	archive.Spool = dir
	client, err := mast.New(archive)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return &Copies{client: client, done: done, bucket: bucket}, nil
}

// Close removes what is kept on disk.
func (c *Copies) Close() error {
	c.client.Close()
	return c.done()
}

// Entries yields entries as they are, and asks for the copies of forty of them at a time before the first of these is
// yielded. An error of entries or *mast.Error is yielded once and ends the sequence.
func (c *Copies) Entries(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		next, stop := iter.Pull2(entries)
		defer stop()
		for {
			batch, err := take(next, mast.MaxCloudPaths)
			if err == nil && len(batch) == 0 {
				return
			}
			if err == nil {
				err = c.ask(ctx, batch)
			}
			if err != nil {
				yield(manifest.Entry{}, err)
				return
			}
			for _, e := range batch {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// take takes the next n entries, fewer at the end.
func take(next func() (manifest.Entry, error, bool), n int) (batch []manifest.Entry, err error) {
	for len(batch) < n {
		e, err, more := next()
		if err != nil || !more {
			return batch, err
		}
		batch = append(batch, e)
	}
	return batch, nil
}

func (c *Copies) ask(ctx context.Context, batch []manifest.Entry) error {
	var uris []string
	for _, e := range batch {
		uris = append(uris, e.URI)
	}
	found, err := c.client.CloudPaths(ctx, uris)
	if err != nil {
		return fmt.Errorf("asking for the public copies of files: %w", err)
	}
	c.keys = map[string]string{}
	for uri, p := range found {
		c.keys[uri] = p.Key
	}
	return nil
}

// Address is where the public copy of a file is, whose entry was yielded last; "" if it has none.
func (c *Copies) Address(uri string) string {
	key := c.keys[uri]
	if key == "" {
		return ""
	}
	var parts []string
	for part := range strings.SplitSeq(key, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return c.bucket + "/" + strings.Join(parts, "/")
}
