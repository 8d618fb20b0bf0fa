package queue

import "strings"

// Where a new file would go is stored with it. Most proposals hold: then an offer changes whole runs of rows at once. One that
// does not, because the file's facts or the layout changed, is replaced by the offer.

// propose gives dir_id and path_hash of a planned file, nil without a layout or with a folder that the offer would refuse.
func (in *ingest) propose(f NewFile, name string) (dirID, hash any, err error) {
	if in.layout == nil {
		return nil, nil, nil
	}
	folder := strings.Trim(in.layout(f.planned()), "/")
	if !in.folders.valid(folder, name) {
		return nil, nil, nil
	}
	id, err := in.dirOnce(&in.folderMemo, folder)
	if err != nil {
		return nil, nil, err
	}
	return id, -pathHash(folder, name), nil
}

// dirMemo is the directory that one kind of use asked for last: rows that follow each other mostly share theirs.
type dirMemo struct {
	path string
	id   int64
}

// dirOnce is dir with a memo.
func (in *ingest) dirOnce(m *dirMemo, path string) (int64, error) {
	if m.id > 0 && m.path == path {
		return m.id, nil
	}
	id, err := in.dir(in.ctx, path)
	if err == nil {
		*m = dirMemo{path, id}
	}
	return id, err
}

// planned is the file as a layout sees it.
func (f NewFile) planned() File {
	return File{URI: f.URI, State: Planned, Size: f.Size, ObsID: f.ObsID, Facts: f.Facts}
}

// proposeAgain is for a planned file that another observation gives its folder.
func (in *ingest) proposeAgain(fileID int64, f NewFile) error {
	_, name := splitURI(f.URI)
	dirID, hash, err := in.propose(f, name)
	if err != nil || dirID == nil {
		return err
	}
	_, _, err = in.exec(in.ctx, `UPDATE file SET dir_id=?, path_hash=? WHERE id=? AND state='planned'`, dirID, hash, fileID)
	return err
}
