package campaign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
)

// Announced are the files of MAST's subscription notices, by name.
type Announced struct {
	Names map[string]bool
	New   bool // some are new or became public, so that queries may match more than before
}

// maxNotices is the most bytes of notices that are read.
const maxNotices = 256 << 20

// ParseAnnounced reads subscription notices as MAST sends them: a JSON array of objects with filename and event_type
// (Reprocessed, New or Public). Names of other missions are skipped.
func ParseAnnounced(r io.Reader) (Announced, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxNotices))
	if err != nil {
		return Announced{}, fmt.Errorf("reading the notices: %w", err)
	}
	var rows []struct {
		Mission  string `json:"mission"`
		Filename string `json:"filename"`
		Event    string `json:"event_type"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &rows); err != nil {
		return Announced{}, fmt.Errorf("not a list of notices as MAST sends them: %w", err)
	}
	a := Announced{Names: map[string]bool{}}
	for i, row := range rows {
		if row.Mission != "" && row.Mission != "JWST" {
			continue
		}
		if row.Filename == "" {
			return a, fmt.Errorf("notice %d has no filename", i+1)
		}
		a.Names[row.Filename] = true
		a.New = a.New || row.Event != "Reprocessed"
	}
	return a, nil
}

// Accepts reports whether a URI was announced.
func (a Announced) Accepts(uri string) bool { return a.Names[path.Base(uri)] }
