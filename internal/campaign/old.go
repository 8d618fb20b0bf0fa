package campaign

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"jwstbulk/internal/durable"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// oldName lists the versions that an update is replacing, an oldFile a line; replacedDir is where the fetcher moves what
// stands at a final name.
const (
	oldName     = StateDir + "/update.jsonl"
	replacedDir = StateDir + "/replaced"
)

// oldFile is a version that an update replaces.
type oldFile struct {
	URI    string `json:"uri"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Keep   string `json:"keep,omitempty"` // where it goes; "" removes it

	companion bool
}

func oldOf(e manifest.Entry) oldFile {
	return oldFile{URI: e.URI, Path: e.Path, SHA256: hex.EncodeToString(e.SHA256[:])}
}

// noteOld adds files to the list of what is to be disposed of, and makes that durable.
func (c *Campaign) noteOld(todo []oldFile, keep string) error {
	have, err := c.readOld()
	if err != nil {
		return err
	}
	known := map[oldFile]bool{}
	for _, o := range have {
		o.Keep = ""
		known[o] = true
	}
	for _, o := range todo {
		o.companion = false
		if !known[o] {
			o.Keep = keep
			have = append(have, o)
		}
	}
	return c.writeOld(have)
}

func (c *Campaign) readOld() ([]oldFile, error) {
	f, err := c.Root.Open(oldName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what an update replaces: %w", err)
	}
	defer f.Close() // only read from
	var out []oldFile
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var o oldFile
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", oldName, err)
		}
		out = append(out, o)
	}
}

// writeOld replaces the list; an empty one is removed.
func (c *Campaign) writeOld(all []oldFile) error {
	if len(all) == 0 {
		err := c.Root.Remove(oldName)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	err := durable.WriteFile(c.Root, oldName, 0o644, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, o := range all {
			if err := enc.Encode(o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting what an update replaces: %w", err)
	}
	return nil
}

// FinishUpdate disposes of the old version of each file whose new one is proven and in place: it goes to the directory that
// was given for it, or is removed. Files still to come keep theirs; left is their number. Nothing but a file with the digest
// of the old version is ever touched. It can be repeated.
func (c *Campaign) FinishUpdate(ctx context.Context) (replaced, left int64, err error) {
	all, err := c.readOld()
	if err != nil || len(all) == 0 {
		return 0, 0, err
	}
	var rest []oldFile
	for _, o := range all {
		f, found, err := c.file(ctx, o.URI)
		if err != nil {
			return replaced, left, err
		}
		if found && f.State != queue.Done {
			rest = append(rest, o)
			continue
		}
		if hex.EncodeToString(f.SHA256) == o.SHA256 {
			continue // the same bytes after all
		}
		done, err := c.dispose(o)
		if err != nil {
			return replaced, left, fmt.Errorf("disposing of the old version of %q: %w", o.Path, err)
		}
		if done {
			replaced++
		}
	}
	return replaced, int64(len(rest)), c.writeOld(rest)
}

// dispose finds the old version among the replaced files and moves or removes it.
func (c *Campaign) dispose(o oldFile) (bool, error) {
	name := path.Join(replacedDir, o.Path)
	for n := 0; ; n++ {
		at := name
		if n > 0 {
			at = fmt.Sprintf("%s.%d", name, n)
		}
		sum, err := c.sum(at)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if hex.EncodeToString(sum) != o.SHA256 {
			continue
		}
		if o.Keep != "" {
			if err := c.keep(at, o); err != nil {
				return false, err
			}
		} else if err := c.Root.Remove(at); err != nil {
			return false, err
		}
		for dir := path.Dir(at); dir != StateDir && c.Root.Remove(dir) == nil; dir = path.Dir(dir) { // empty ones only
		}
		return true, nil
	}
}

func (c *Campaign) sum(name string) ([]byte, error) {
	f, err := c.Root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// keep moves an old version to its directory, by a copy where that is on another file system. A file that stands there with
// other bytes is never replaced: the digest then distinguishes them.
func (c *Campaign) keep(at string, o oldFile) error {
	if err := os.MkdirAll(o.Keep, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.Keep)
	if err != nil {
		return err
	}
	defer root.Close() // whatever was written was flushed
	if err := durable.MkdirAll(root, path.Dir(o.Path)); err != nil {
		return err
	}
	to := o.Path
	if _, err := root.Lstat(to); err == nil {
		to += "." + o.SHA256[:12]
	}
	from, target := filepath.Join(c.Dir, at), filepath.Join(o.Keep, to)
	err = os.Link(from, target)
	switch {
	case errors.Is(err, fs.ErrExist):
		other := &Campaign{Root: root}
		if sum, err := other.sum(to); err != nil || hex.EncodeToString(sum) != o.SHA256 {
			return errors.Join(err, fmt.Errorf("%q is in the way", target))
		}
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP):
		if err := c.copyTo(at, root, to); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := durable.SyncDir(root, path.Dir(to)); err != nil {
		return err
	}
	return c.Root.Remove(at)
}

func (c *Campaign) copyTo(at string, root *os.Root, to string) error {
	in, err := c.Root.Open(at)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	return durable.WriteFile(root, to, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

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
