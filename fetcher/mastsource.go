package fetcher

import (
	"context"
	"errors"
	"io/fs"

	"jwstbulk/internal/mast"
	"jwstbulk/queue"
)

// MAST is the archive as a source of files and of facts about them. It implements Source and Archive.
type MAST struct{ Client *mast.Client }

// Name returns "mast".
func (MAST) Name() string { return "mast" }

// Open asks MAST's download service for a file.
func (m MAST) Open(ctx context.Context, uri string, from int64, v mast.Validator) (*mast.Body, error) {
	return m.Client.Open(ctx, uri, from, v)
}

// Facts asks the keyword service of one file; it knows FITS files only.
func (m MAST) Facts(ctx context.Context, uri string) (queue.KeywordFact, bool, error) {
	row, err := m.Client.FileKeywords(ctx, uri)
	if errors.Is(err, fs.ErrNotExist) {
		return queue.KeywordFact{}, false, nil
	}
	if err != nil {
		return queue.KeywordFact{}, false, err
	}
	return queue.KeywordFact{URI: uri, Size: row.Size, Checksum: row.Checksum, ObsID: row.FileSet}, true, nil
}

// Anonymous asks whoami.
func (m MAST) Anonymous(ctx context.Context) (bool, error) {
	id, err := m.Client.WhoAmI(ctx)
	return id.Anonymous, err
}
