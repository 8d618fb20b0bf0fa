package mast

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// Digests are what a server states of the whole file, as bytes; nil where it states nothing. They prove that the bytes are
// those the server holds, not that these are right.
type Digests struct {
	SHA256    []byte // RFC 9530, or S3
	CRC64NVME []byte // S3, big-endian
	CRC32C    []byte // S3, big-endian
	MD5       []byte // the entity tag of an S3 object that was stored in one piece
}

// IsZero reports that nothing is stated.
func (d Digests) IsZero() bool {
	return d.SHA256 == nil && d.CRC64NVME == nil && d.CRC32C == nil && d.MD5 == nil
}

// s3Digests returns what an S3 server states. Its checksums speak of the whole object only if it says so (FULL_OBJECT): others
// are made of the sums of its parts, and one of a 206 may be that of the part sent.
func s3Digests(h http.Header, complete bool) Digests {
	d := Digests{MD5: tagMD5(h)}
	if complete && h.Get("X-Amz-Checksum-Type") == "FULL_OBJECT" {
		d.SHA256 = decoded(h.Get("X-Amz-Checksum-Sha256"), 32)
		d.CRC64NVME = decoded(h.Get("X-Amz-Checksum-Crc64nvme"), 8)
		d.CRC32C = decoded(h.Get("X-Amz-Checksum-Crc32c"), 4)
	}
	return d
}

// tagMD5 returns the MD5 that an S3 entity tag is, nil if it is none: after an upload in several parts ("…-N"), or where the
// object is encrypted by a key of its owner's.
func tagMD5(h http.Header) []byte {
	if sse := h.Get("X-Amz-Server-Side-Encryption"); sse != "" && sse != "AES256" ||
		h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" {
		return nil
	}
	tag := h.Get("ETag")
	if len(tag) != 34 || tag[0] != '"' || tag[33] != '"' {
		return nil
	}
	sum, err := hex.DecodeString(tag[1:33])
	if err != nil {
		return nil
	}
	return sum
}

// decoded returns n bytes of base64, nil if it is something else.
func decoded(text string, n int) []byte {
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sum) != n {
		return nil
	}
	return sum
}

// reprSHA256 returns the SHA-256 of the whole file where the server states it: Repr-Digest (RFC 9530 section 3), which
// holds for a 206 too, or on a complete reply Content-Digest (section 2), which covers just the bytes of the message.
func reprSHA256(h http.Header, complete bool) []byte {
	fields := h.Values("Repr-Digest")
	if complete {
		fields = append(fields[:len(fields):len(fields)], h.Values("Content-Digest")...)
	}
	for _, field := range fields {
		for member := range strings.SplitSeq(field, ",") {
			key, value, ok := strings.Cut(strings.TrimSpace(member), "=")
			value, _, _ = strings.Cut(value, ";") // parameters of the dictionary member
			if !ok || key != "sha-256" || len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
				continue
			}
			if sum := decoded(value[1:len(value)-1], 32); sum != nil {
				return sum
			}
		}
	}
	return nil
}
