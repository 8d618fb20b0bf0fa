package fetcher

import (
	"bytes"
	"encoding/hex"
	"hash"
	"hash/crc32"

	"github.com/minio/crc64nvme"

	"jwstbulk/internal/mast"
)

// sums are the checksums that S3 keeps of whole objects, beside the digests that every part has anyway.
type sums struct {
	crc64  hash.Hash64
	crc32c hash.Hash32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSums() *sums { return &sums{crc64nvme.New(), crc32.New(castagnoli)} }

func (s *sums) write(b []byte) {
	_, _ = s.crc64.Write(b) // a hash's Write never fails
	_, _ = s.crc32c.Write(b)
}

// against holds the complete part against what its source stated of the whole: nil if that agrees or says nothing. The
// strongest statement decides; an entity tag that looks like an MD5 need not be one.
func (p *part) against(d mast.Digests, by string) error {
	for _, s := range []struct {
		algorithm string
		want      []byte
		got       func() []byte
	}{
		{"SHA-256", d.SHA256, func() []byte { return p.sha.Sum(nil) }},
		{"CRC64NVME", p.kept(d.CRC64NVME), func() []byte { return p.sums.crc64.Sum(nil) }},
		{"CRC32C", p.kept(d.CRC32C), func() []byte { return p.sums.crc32c.Sum(nil) }},
		{"MD5", d.MD5, func() []byte { return p.md5.Sum(nil) }},
	} {
		if s.want == nil {
			continue
		}
		if got := s.got(); !bytes.Equal(got, s.want) {
			return &DigestError{Algorithm: s.algorithm, Got: hex.EncodeToString(got), Want: hex.EncodeToString(s.want), By: by}
		}
		return nil
	}
	return nil
}

// kept returns want if the part has such a sum, else nil.
func (p *part) kept(want []byte) []byte {
	if p.sums == nil {
		return nil
	}
	return want
}
