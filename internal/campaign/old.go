package campaign

import (
	"bufio"
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
	"strconv"
	"strings"

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

// oldFile is a version that an update replaces. Where it is kept is not noted: a campaign's own files must not name
// directories outside of it, for they may come from somebody else.
type oldFile struct {
	URI    string `json:"uri"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Keep   bool   `json:"keep,omitempty"` // it is to be kept, else removed
}

func oldOf(e manifest.Entry) oldFile {
	return oldFile{URI: e.URI, Path: e.Path, SHA256: hex.EncodeToString(e.SHA256[:])}
}

// noteOld adds files to the list of what is to be disposed of, and makes that durable. What one update was to keep is kept,
// also if a later one goes on without saying so.
func (c *Campaign) noteOld(todo []oldFile, keep bool) error {
	have, err := c.readOld()
	if err != nil {
		return err
	}
	at := map[oldFile]int{} // without Keep
	for i, o := range have {
		o.Keep = false
		at[o] = i
	}
	for _, o := range todo {
		i, known := at[o]
		if !known {
			i = len(have)
			at[o] = i
			have = append(have, o)
		}
		have[i].Keep = have[i].Keep || keep
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
		if err == nil && !fs.ValidPath(o.Path) {
			err = fmt.Errorf("%.300q is no path of a campaign", o.Path)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w; if you remove it, the old versions it lists stay in %s", oldName, err, replacedDir)
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

// Disposal is what FinishUpdate did with the old versions, in files.
type Disposal struct {
	Removed int64 `json:"removed"`
	Kept    int64 `json:"kept"`    // moved to the directory given
	Waiting int64 `json:"left"`    // the new version is still to come
	Unkept  int64 `json:"unkept"`  // to be kept, but no directory was given this time: they stay in .jwstbulk/replaced
	Changed int64 `json:"changed"` // something else stood in their place; it stays in .jwstbulk/replaced
}

// FinishUpdate disposes of the old version of each file whose new one is proven and in place: it goes to the directory
// keepOld if the update that replaced it was to keep it, or is removed. Files still to come keep theirs. Nothing but a file
// with the digest of the old version is ever touched. It can be repeated. keepOld is absolute, and outside of the campaign;
// "" leaves what is to be kept where it is.
func (c *Campaign) FinishUpdate(ctx context.Context, keepOld string) (d Disposal, err error) {
	all, err := c.readOld()
	if err != nil || len(all) == 0 {
		return d, err
	}
	var to *keeper
	if keepOld != "" {
		if to, err = openKeeper(keepOld); err != nil {
			return d, err
		}
		defer to.close()
	}
	replaced, err := c.replaced()
	if err != nil {
		return d, err
	}
	var rest []oldFile
	for _, o := range all {
		f, found, err := c.file(ctx, o.URI)
		if err != nil {
			return d, err
		}
		if !found || f.State != queue.Done {
			d.Waiting++
			rest = append(rest, o)
			continue
		}
		left, err := c.dispose(o, f, replaced[o.Path], to, &d)
		if err != nil {
			return d, fmt.Errorf("disposing of the old version of %q: %w", o.Path, err)
		}
		if left {
			rest = append(rest, o)
		}
	}
	return d, c.writeOld(rest)
}

// replaced lists what lies in the replaced directory by the path it was moved away from: the name itself, or with a number
// behind it.
func (c *Campaign) replaced() (map[string][]string, error) {
	out := map[string][]string{}
	err := fs.WalkDir(c.Root.FS(), replacedDir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		was := strings.TrimPrefix(name, replacedDir+"/")
		out[was] = append(out[was], name)
		if i := strings.LastIndexByte(was, '.'); i > 0 {
			if _, err := strconv.ParseUint(was[i+1:], 10, 32); err == nil {
				out[was[:i]] = append(out[was[:i]], name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for old versions: %w", err)
	}
	return out, nil
}

// dispose moves or removes the old version of a file, wherever among names it is. left says that it must wait.
func (c *Campaign) dispose(o oldFile, f queue.File, names []string, to *keeper, d *Disposal) (left bool, err error) {
	found := 0
	for _, name := range names {
		sum, err := sumOf(c.Root, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && sum != o.SHA256 {
			continue
		}
		if err != nil {
			return false, err
		}
		found++
		if o.Keep && to == nil {
			continue
		}
		if o.Keep {
			err = to.take(c, name, o)
		} else {
			err = c.Root.Remove(name)
		}
		if err != nil {
			return false, err
		}
		for dir := path.Dir(name); dir != StateDir && c.Root.Remove(dir) == nil; dir = path.Dir(dir) { // empty ones only
		}
	}
	switch {
	case found > 0 && o.Keep && to == nil:
		d.Unkept++
		return true, nil
	case found > 0 && o.Keep:
		d.Kept++
	case found > 0:
		d.Removed++
	case len(names) > 0 && hex.EncodeToString(f.SHA256) != o.SHA256:
		d.Changed++
	}
	return false, nil
}

// sumOf is the SHA-256 of a file below root, in hexadecimal.
func sumOf(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
