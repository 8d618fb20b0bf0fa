package fetcher

import (
	"context"
	"path"

	"jwstbulk/internal/mast"
)

// S3 is the public copy of MAST's data in a bucket. It implements Mirror.
type S3 struct {
	Client *mast.Client // asked where the copies are
	Bucket *mast.Bucket
}

// Name returns "s3".
func (S3) Name() string { return "s3" }

// Open asks the bucket for the object of a key.
func (s S3) Open(ctx context.Context, key string, from int64, v mast.Validator) (*mast.Body, error) {
	return s.Bucket.Open(ctx, key, from, v)
}

// Locate asks MAST for the keys. One that ends in another name than its file is none of it.
func (s S3) Locate(ctx context.Context, uris []string) (map[string]string, error) {
	paths, err := s.Client.CloudPaths(ctx, uris)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]string, len(paths))
	for uri, p := range paths {
		if p.Key != "" && path.Base(p.Key) == path.Base(uri) {
			keys[uri] = p.Key
		}
	}
	return keys, nil
}
