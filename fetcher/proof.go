package fetcher

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"jwstbulk/internal/fits"
	"jwstbulk/queue"
)

// body is what is known of a complete body: every byte was hashed and checked as it passed.
type body struct {
	size        int64
	sha256, md5 []byte
	complaint   error // of the structure check; nil if the file is whole
	isFITS      bool
	stated      error // how it differs from what its source stated of the whole; nil if it does not
	sized       bool  // the catalogue or the server announced exactly this length
}

// ruling is what to do with a complete body.
type ruling int

const (
	accept ruling = iota // proven: place it
	again                // fetch it once more
	ask                  // ask the archive's metadata once more, then judge again
	trial                // fetch once more, as one of the few trials of an unproven checksum
	refuse               // give up
)

// judgement is a ruling with what it rests on.
type judgement struct {
	ruling  ruling
	proof   queue.Proof
	flagged string      // a complaint that did not outvote the proof
	trust   queue.Trust // new trust in the archive's checksums; "" if unchanged
	reason  queue.Reason
	err     error // why not accepted
}

// judge decides about a complete body. It is a pure function: asked says that the metadata was asked again in this attempt,
// require that a checksum counts even while nobody has seen one match.
func judge(job *queue.Job, b body, trust queue.Trust, asked, require bool) judgement {
	fine := b.complaint == nil && b.stated == nil
	same := job.LastSHA != nil && bytes.Equal(job.LastSHA, b.sha256)
	if job.Want != nil {
		return judgeWanted(job, b)
	}
	if job.Checksum != nil && trust != queue.TrustNotMD5 {
		if bytes.Equal(job.Checksum, b.md5) {
			j := judgement{ruling: accept, proof: queue.ProofArchive, flagged: complaint(b)}
			if trust != queue.TrustProven {
				j.trust = queue.TrustProven
			}
			return j
		}
		err := &DigestError{Algorithm: "MD5", Got: hex.EncodeToString(b.md5), Want: hex.EncodeToString(job.Checksum)}
		switch {
		case !asked:
			return judgement{ruling: ask, reason: queue.ReasonDigest, err: err}
		case trust == queue.TrustProven || require:
			if job.LastSHA == nil {
				return judgement{ruling: again, reason: queue.ReasonDigest, err: err}
			}
			return judgement{ruling: refuse, reason: queue.ReasonDigest, err: err}
		case fine && same:
			return judgement{ruling: accept, proof: queue.ProofDouble, flagged: err.Error()}
		case fine:
			return judgement{ruling: trial, reason: queue.ReasonDigest, err: err}
		}
	}
	return judgeAlone(b, same, job.LastSHA != nil)
}

// judgeWanted holds a body against the SHA-256 of a trusted manifest: nothing else counts.
func judgeWanted(job *queue.Job, b body) judgement {
	if bytes.Equal(job.Want, b.sha256) {
		return judgement{ruling: accept, proof: queue.ProofManifest, flagged: complaint(b)}
	}
	err := &DigestError{Algorithm: "SHA-256", Got: hex.EncodeToString(b.sha256), Want: hex.EncodeToString(job.Want)}
	if job.LastSHA == nil {
		return judgement{ruling: again, reason: queue.ReasonDigest, err: err}
	}
	return judgement{ruling: refuse, reason: queue.ReasonDigest, err: err}
}

// judgeAlone decides without a checksum of the archive's: by what the source states of the whole, by length, by structure, or
// by two fetches that agree. What the source states only rejects: it proves that nothing was lost on the way, no more. before
// says that a body was rejected already, and same that this one has its bytes.
func judgeAlone(b body, same, before bool) judgement {
	switch {
	case b.stated != nil && before:
		return judgement{ruling: refuse, reason: queue.ReasonDigest, err: b.stated}
	case b.stated != nil:
		return judgement{ruling: again, reason: queue.ReasonDigest, err: b.stated}
	case errors.Is(b.complaint, fits.ErrHTML): // the same page twice is still a page
		return judgement{ruling: again, reason: queue.ReasonStructure, err: fmt.Errorf("%w: %w", errNotAFile, b.complaint)}
	case same:
		return judgement{ruling: accept, proof: queue.ProofDouble, flagged: complaint(b)}
	case b.complaint != nil:
		return judgement{ruling: again, reason: queue.ReasonStructure, err: fmt.Errorf("checking the file: %w", b.complaint)}
	case !b.sized:
		return judgement{ruling: again, reason: queue.ReasonSize,
			err: fmt.Errorf("neither the catalogue nor the server tells the length: %w", errUnproven)}
	case b.isFITS:
		return judgement{ruling: accept, proof: queue.ProofStructure}
	}
	return judgement{ruling: accept, proof: queue.ProofSize}
}

func complaint(b body) string {
	if b.complaint == nil {
		return ""
	}
	return b.complaint.Error()
}
