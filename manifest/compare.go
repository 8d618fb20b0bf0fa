package manifest

import (
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Kind is what became of a file between two records of it.
type Kind string

// The kinds of change.
const (
	KindAdded       Kind = "added"       // only the newer record has it
	KindWithdrawn   Kind = "withdrawn"   // only the older record has it
	KindReprocessed Kind = "reprocessed" // the same name, other bytes
	KindMoved       Kind = "moved"       // the same bytes under another path
	KindAccess      Kind = "access"      // the same bytes, but no longer (or not yet) public
)

// Cause is why a file was reprocessed, as far as the records tell: the first that applies.
type Cause string

// The causes. A new pipeline mostly brings new reference files with it.
const (
	CausePipeline  Cause = "new pipeline"        // another cal_ver
	CauseReference Cause = "new reference files" // the same cal_ver, another crds_ctx
	CauseData      Cause = "new data"            // the same pipeline and reference files, other bytes
	CauseUnknown   Cause = "unknown"             // one of the records does not tell the versions
)

// FileVersion is one version of a file as a manifest or the archive states it. Empty and zero fields are unknown.
type FileVersion struct {
	Path     string    `json:"path,omitempty"`
	Size     int64     `json:"size"` // bytes; -1 unknown
	SHA256   string    `json:"sha256,omitempty"`
	Checksum string    `json:"checksum,omitempty"` // of a manifest the MD5 of the bytes, of the archive what it lists
	CalVer   string    `json:"cal_ver,omitempty"`
	CRDSCtx  string    `json:"crds_ctx,omitempty"`
	SDPVer   string    `json:"sdp_ver,omitempty"`
	Date     string    `json:"date,omitempty"` // when the file was made, as it says itself
	Ingest   time.Time `json:"ingest,omitzero"`
	Release  time.Time `json:"release,omitzero"`
}

// Change is a file that two records tell differently.
type Change struct {
	URI   string       `json:"uri"`
	Kind  Kind         `json:"kind"`
	Cause Cause        `json:"cause,omitempty"` // of a reprocessed file
	Old   *FileVersion `json:"old,omitempty"`   // nil if added
	New   *FileVersion `json:"new,omitempty"`   // nil if withdrawn
}

// SameSize reports a reprocessed file whose length did not change, so that no look at lengths finds it.
func (c Change) SameSize() bool {
	return c.Kind == KindReprocessed && c.Old.Size == c.New.Size
}

// Why says in words what differs between two versions: "cal_ver 1.13.4 → 1.19.1, 2880 → 5760 bytes".
func (c Change) Why() string {
	if c.Old == nil || c.New == nil {
		return ""
	}
	var parts []string
	add := func(name, a, b string) {
		if a != b && a != "" && b != "" {
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, a, b))
		}
	}
	switch c.Kind {
	case KindMoved:
		add("path", c.Old.Path, c.New.Path)
		return strings.Join(parts, ", ")
	case KindAccess:
		return "public from " + c.New.Release.UTC().Format(time.RFC3339) + " on"
	case KindAdded, KindWithdrawn, KindReprocessed:
	}
	add("cal_ver", c.Old.CalVer, c.New.CalVer)
	add("crds_ctx", c.Old.CRDSCtx, c.New.CRDSCtx)
	add("sdp_ver", c.Old.SDPVer, c.New.SDPVer)
	if c.Old.Size != c.New.Size && c.Old.Size >= 0 && c.New.Size >= 0 {
		parts = append(parts, fmt.Sprintf("%d → %d bytes", c.Old.Size, c.New.Size))
	} else {
		parts = append(parts, fmt.Sprintf("%d bytes as before", c.Old.Size))
	}
	add("checksum", c.Old.Checksum, c.New.Checksum)
	if !c.New.Ingest.IsZero() {
		parts = append(parts, "archived "+c.New.Ingest.UTC().Format("2006-01-02"))
	}
	return strings.Join(parts, ", ")
}

// CauseOf tells why the bytes of old gave way to those of cur.
func CauseOf(old, cur FileVersion) Cause {
	switch {
	case old.CalVer != "" && cur.CalVer != "" && old.CalVer != cur.CalVer:
		return CausePipeline
	case old.CRDSCtx != "" && cur.CRDSCtx != "" && old.CRDSCtx != cur.CRDSCtx:
		return CauseReference
	case old.CalVer == cur.CalVer && old.CRDSCtx == cur.CRDSCtx:
		return CauseData
	}
	return CauseUnknown
}

// VersionOf is the version of a file that an entry records.
func VersionOf(e Entry) FileVersion {
	v := FileVersion{Path: e.Path, Size: e.Size, SHA256: hex.EncodeToString(e.SHA256[:]), CalVer: e.CalVer, CRDSCtx: e.CRDSCtx,
		SDPVer: e.SDPVer, Date: e.Date}
	if e.MD5 != [16]byte{} {
		v.Checksum = hex.EncodeToString(e.MD5[:])
	}
	return v
}

// Compare yields how cur differs from old, in the order of URIs; both must be sorted by URI, as Reader.Entries yields them.
// An error of either ends the sequence. One entry of each is held at a time.
func Compare(old, cur iter.Seq2[Entry, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextOld, stopOld := iter.Pull2(old)
		defer stopOld()
		nextCur, stopCur := iter.Pull2(cur)
		defer stopCur()
		a, err, moreA := nextOld()
		b, errB, moreB := nextCur()
		for moreA || moreB {
			if err != nil || errB != nil {
				yield(Change{}, sideError(err, errB))
				return
			}
			takeA := moreA && (!moreB || a.URI <= b.URI)
			takeB := moreB && (!moreA || b.URI <= a.URI)
			if c, differs := compareEntries(a, b, takeA, takeB); differs && !yield(c, nil) {
				return
			}
			if takeA {
				a, err, moreA = nextOld()
			}
			if takeB {
				b, errB, moreB = nextCur()
			}
		}
	}
}

// sideError says which of two manifests an error is of.
func sideError(old, cur error) error {
	if old != nil {
		return fmt.Errorf("the older manifest: %w", old)
	}
	return fmt.Errorf("the newer manifest: %w", cur)
}

func compareEntries(a, b Entry, hasA, hasB bool) (Change, bool) {
	switch {
	case !hasA:
		v := VersionOf(b)
		return Change{URI: b.URI, Kind: KindAdded, New: &v}, true
	case !hasB:
		v := VersionOf(a)
		return Change{URI: a.URI, Kind: KindWithdrawn, Old: &v}, true
	case a.SHA256 == b.SHA256 && a.Path == b.Path:
		return Change{}, false
	}
	old, cur := VersionOf(a), VersionOf(b)
	c := Change{URI: a.URI, Kind: KindMoved, Old: &old, New: &cur}
	if a.SHA256 != b.SHA256 {
		c.Kind, c.Cause = KindReprocessed, CauseOf(old, cur)
	}
	return c, true
}
