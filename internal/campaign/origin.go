package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"jwstbulk/internal/durable"
	"jwstbulk/internal/filelist"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// originName is the copy of the manifest that a campaign was begun from.
const originName = StateDir + "/origin.jsonl"

// OriginError says that a directory cannot be made what a frozen manifest records.
type OriginError struct {
	Dir string
	Has string // the root of the manifest it was begun from, "" if of none
}

// Error says what the directory is instead.
func (e *OriginError) Error() string {
	if e.Has != "" {
		return fmt.Sprintf("%q was begun from another manifest, root %s; --frozen wants an empty directory or one begun from the same manifest", e.Dir, e.Has)
	}
	return fmt.Sprintf("%q is not empty; --frozen wants an empty directory or one begun from the same manifest", e.Dir)
}

// CheckOrigin returns an *OriginError unless dir is absent, empty, or a campaign begun from a manifest with this root.
func CheckOrigin(dir, root string) error {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the campaign directory: %w", err)
	}
	h, err := FileHeader(filepath.Join(dir, originName))
	switch {
	case errors.Is(err, fs.ErrNotExist) && onlyBegun(dir, names):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &OriginError{Dir: dir}
	case err != nil:
		return err
	case h.Root != root:
		return &OriginError{Dir: dir, Has: h.Root}
	}
	return nil
}

// onlyBegun reports a campaign that was killed before it knew what it was to be: it has a state directory, and nothing was
// ever finished.
func onlyBegun(dir string, names []os.DirEntry) bool {
	if len(names) != 1 || names[0].Name() != StateDir {
		return false
	}
	fi, err := os.Stat(filepath.Join(dir, StateDir, "done.jsonl"))
	return errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0
}

// Origin yields the entries of the manifest that the campaign was begun from, none if it was begun from a query.
func (c *Campaign) Origin() iter.Seq2[manifest.Entry, error] {
	name := filepath.Join(c.Dir, originName)
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return func(func(manifest.Entry, error) bool) {}
	}
	return FileEntries(name)
}

// Recorded yields the entries of the campaign's manifest as it stands on disk.
func (c *Campaign) Recorded() iter.Seq2[manifest.Entry, error] {
	return FileEntries(filepath.Join(c.Dir, manifest.Name))
}

// CheckManifest reads a manifest to its end and returns what PlanManifest would refuse it for; it changes nothing.
func CheckManifest(name string) error {
	if _, err := listOf(filepath.Base(name), FileEntries(name)); err != nil {
		return err
	}
	_, err := foldersOf(name, FileEntries(name))
	return err
}

// PlanManifest adds the files of the manifest in a file to the campaign, under the paths it gives them. Frozen, each must
// have the digest it records to be accepted; finished files with other bytes are fetched again. The manifest is kept, and
// WriteManifest writes it back, byte for byte, once the campaign holds exactly what it records. cfg's Queue, Archive and
// Layout are filled in. Errors: those of the manifest, *filelist.Error for a file that is no JWST product or that is to
// have another name on disk, ErrFrozen if the campaign is frozen and is not to stay so, and the planner's.
func (c *Campaign) PlanManifest(ctx context.Context, name string, frozen bool, cfg planner.Config) (planner.Summary, error) {
	list, err := listOf(filepath.Base(name), FileEntries(name))
	if err != nil {
		return planner.Summary{}, err
	}
	folders, err := foldersOf(name, FileEntries(name))
	if err != nil {
		return planner.Summary{}, err
	}
	if err := c.keepOrigin(ctx, name, frozen); err != nil {
		return planner.Summary{}, err
	}
	cfg.Queue, cfg.Archive = c.Queue, c.Client
	cfg.Layout = func(f queue.File) string {
		i, found := slices.BinarySearchFunc(list.Items, f.URI, func(it filelist.Item, uri string) int { return strings.Compare(it.URI, uri) })
		if !found {
			return planner.Folder(f)
		}
		return folders[i]
	}
	p, err := planner.New(cfg)
	if err != nil {
		return planner.Summary{}, err
	}
	s := planner.Summary{}
	if len(list.Items) > 0 {
		if s, err = p.PlanList(ctx, list, query.Query{}); err != nil {
			return s, err
		}
	}
	if frozen {
		err = c.demand(ctx)
	}
	return s, err
}

// foldersOf lists the folders of entries in their order.
func foldersOf(name string, entries iter.Seq2[manifest.Entry, error]) ([]string, error) {
	var out []string
	known := map[string]string{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if path.Base(e.Path) != path.Base(e.URI) {
			return nil, &filelist.Error{Name: filepath.Base(name), Line: len(out) + 2,
				Why: fmt.Sprintf("%.300q is stored as %.300q: a file must keep its name", e.URI, e.Path)}
		}
		dir := path.Dir(e.Path)
		if dir == "." {
			dir = ""
		}
		if have, ok := known[dir]; ok {
			dir = have
		} else {
			dir = strings.Clone(dir)
			known[dir] = dir
		}
		out = append(out, dir)
	}
	return out, nil
}

// keepOrigin stores the manifest and what the campaign is to be, before anything is planned: a run after a kill must not take
// other bytes than a frozen manifest records.
func (c *Campaign) keepOrigin(ctx context.Context, name string, frozen bool) error {
	if err := c.mayFreeze(ctx, frozen); err != nil {
		return err
	}
	h, err := FileHeader(name)
	if err != nil {
		return err
	}
	in, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	defer in.Close() // only read from
	err = durable.WriteFile(c.Root, originName, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping a copy of the manifest: %w", err)
	}
	if frozen {
		return c.freeze(ctx, h.Root)
	}
	return nil
}

// sameAsOrigin reports whether the campaign holds exactly what the manifest records that it was begun from, the same bytes
// under the same paths, and nothing is still to come.
func (c *Campaign) sameAsOrigin(ctx context.Context) (manifest.Header, bool, error) {
	h, err := FileHeader(filepath.Join(c.Dir, originName))
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	own, err := c.manifestHeader(ctx)
	if err != nil || !own.Complete {
		return h, false, err
	}
	for _, err := range manifest.Compare(c.Origin(), c.entries(ctx)) {
		return h, false, err
	}
	return h, true, nil
}

// Held leaves out of changes those of files that the campaign in dir has already, with the recorded bytes. A directory
// without a campaign has none.
func Held(ctx context.Context, cfg Config, changes iter.Seq2[manifest.Change, error]) iter.Seq2[manifest.Change, error] {
	return func(yield func(manifest.Change, error) bool) {
		r, err := queue.OpenReader(ctx, queue.Config{Dir: cfg.Dir, Path: cfg.QueuePath})
		if errors.Is(err, queue.ErrNoCampaign) {
			changes(yield)
			return
		}
		if err != nil {
			yield(manifest.Change{}, err)
			return
		}
		defer r.Close() // only read from
		for ch, err := range changes {
			held := false
			if err == nil && ch.Old != nil {
				held, err = holds(ctx, r, ch)
			}
			if !held && !yield(ch, err) || err != nil {
				return
			}
		}
	}
}

func holds(ctx context.Context, r *queue.Reader, ch manifest.Change) (bool, error) {
	for f, err := range r.Files(ctx, queue.Filter{URI: ch.URI, States: []queue.State{queue.Done}}) {
		if err != nil {
			return false, err
		}
		if fmt.Sprintf("%x", f.SHA256) == ch.Old.SHA256 {
			return true, nil
		}
	}
	return false, nil
}

// Differences yields how the campaign's finished files differ from the manifest that it was begun from. A file that failed
// in a frozen campaign because it has other bytes now counts as reprocessed, one that is gone as withdrawn; files still to
// come are left out.
func (c *Campaign) Differences(ctx context.Context) iter.Seq2[manifest.Change, error] {
	return func(yield func(manifest.Change, error) bool) {
		for ch, err := range manifest.Compare(c.Origin(), c.entries(ctx)) {
			if err == nil && ch.Kind == manifest.KindAdded {
				continue
			}
			tell := true
			if err == nil && ch.Kind == manifest.KindWithdrawn {
				tell, err = c.whyAbsent(ctx, &ch)
			}
			if tell && !yield(ch, err) || err != nil {
				return
			}
		}
	}
}

// whyAbsent says what became of a file of the origin that is not done; false: nothing for certain.
func (c *Campaign) whyAbsent(ctx context.Context, ch *manifest.Change) (bool, error) {
	f, found, err := c.file(ctx, ch.URI)
	if err != nil || !found || f.State != queue.Failed {
		return false, err
	}
	switch f.Reason {
	case queue.ReasonMissing:
		return true, nil
	case queue.ReasonDigest, queue.ReasonSize, queue.ReasonStructure:
	default:
		return false, nil
	}
	cur := manifest.FileVersion{Size: f.Size, CalVer: f.CalVer, CRDSCtx: f.CRDSCtx, SDPVer: f.SDPVer, Ingest: f.IngestedAt, Release: f.ReleaseAt}
	if f.Checksum != nil {
		cur.Checksum = fmt.Sprintf("%x", f.Checksum)
	}
	ch.Kind, ch.New, ch.Cause = manifest.KindReprocessed, &cur, manifest.CauseOf(*ch.Old, cur)
	return true, nil
}

// RecordVersion notes in the history of a file, once, that it came in another version than the manifest records.
func (c *Campaign) RecordVersion(ctx context.Context, ch manifest.Change) error {
	f, found, err := c.file(ctx, ch.URI)
	if err != nil || !found {
		return err
	}
	text := fmt.Sprintf("the manifest records sha256 %s; fetched was %s: %s", ch.Old.SHA256, ch.New.SHA256, ch.Why())
	events, err := c.Queue.Events(ctx, f.ID)
	if err != nil || slices.ContainsFunc(events, func(e queue.Event) bool { return e.Detail == text }) {
		return err
	}
	return c.Queue.Event(ctx, f.ID, "version", text)
}
