package campaign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"jwstbulk/fetcher"
	"jwstbulk/internal/product"
	"jwstbulk/manifest"
	"jwstbulk/queue"
)

// Adopt says where bytes of a campaign's files may be on disk already, and how they are taken over.
type Adopt struct {
	Here bool     // under the final names
	Dirs []string // below these directories, under any path but their own name; symbolic links to directories are not followed
	By   fetcher.AdoptBy
}

// adoptable are the states in which a file may be taken over: it has a path and is not done.
var adoptable = []queue.State{queue.Pending, queue.Waiting, queue.Parked, queue.Failed}

// search finds candidates. Close gives the directories back.
type search struct {
	queue *queue.Reader
	here  *os.Root // nil: not searched
	roots []*os.Root
	warn  func(string)
}

// newSearch opens the directories. Errors are those of os.OpenRoot.
func newSearch(q *queue.Reader, here *os.Root, a Adopt, warn func(string)) (*search, error) {
	s := &search{queue: q, warn: warn}
	if a.Here {
		s.here = here
	}
	for _, dir := range a.Dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening a directory to adopt from: %w", err), s.Close())
		}
		s.roots = append(s.roots, root)
	}
	return s, nil
}

// Close closes the directories.
func (s *search) Close() error {
	var errs []error
	for _, r := range s.roots {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// candidates yields what stands at final names, then what the directories hold. Memory does not grow with what is found.
func (s *search) candidates(ctx context.Context) iter.Seq2[fetcher.Candidate, error] {
	return func(yield func(fetcher.Candidate, error) bool) {
		if s.here != nil && !s.standing(ctx, yield) {
			return
		}
		for _, root := range s.roots {
			if !s.below(ctx, root, yield) {
				return
			}
		}
	}
}

// standing looks at the final name of each file that is not done. A directory that is not there is looked for once for all
// files in a row that go to it.
func (s *search) standing(ctx context.Context, yield func(fetcher.Candidate, error) bool) bool {
	dir, there := "", false
	for f, err := range s.queue.Files(ctx, queue.Filter{States: adoptable}) {
		if err != nil {
			yield(fetcher.Candidate{}, err)
			return false
		}
		if f.Path == "" {
			continue
		}
		if d := path.Dir(f.Path); d != dir {
			dir = d
			_, err := s.here.Lstat(d)
			there = err == nil
		}
		if !there {
			continue
		}
		if fi, err := s.here.Lstat(f.Path); err != nil || !fi.Mode().IsRegular() {
			continue // what is in the way is told when the file is fetched
		}
		if !yield(fetcher.Candidate{File: f, Root: s.here, Name: f.Path}, nil) {
			return false
		}
	}
	return true
}

// below yields the files of a directory that are wanted.
func (s *search) below(ctx context.Context, root *os.Root, yield func(fetcher.Candidate, error) bool) bool {
	stopped := false
	err := walk(ctx, root, s.warn, func(name string) error {
		f, found, err := s.wanted(ctx, path.Base(name))
		if err != nil || !found {
			return err
		}
		if !yield(fetcher.Candidate{File: f, Root: root, Name: name}, nil) {
			stopped = true
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		yield(fetcher.Candidate{}, err)
	}
	return err == nil && !stopped
}

// wanted returns the file of the queue that has this name.
func (s *search) wanted(ctx context.Context, base string) (queue.File, bool, error) {
	for f, err := range s.queue.Files(ctx, queue.Filter{URI: product.Prefix + base}) {
		if err != nil {
			return f, false, err
		}
		return f, f.Path != "" && slices.Contains(adoptable, f.State), nil
	}
	return queue.File{}, false, nil
}

// walk calls visit with the path of every file below a directory that has the name of a product. What cannot be read is told
// and passed over; states of campaigns are not looked into. A link is followed only to a file that stays below the directory.
func walk(ctx context.Context, root *os.Root, warn func(string), visit func(name string) error) error {
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			warn(fmt.Sprintf("not searched: %v", err))
			return fs.SkipDir
		case d.IsDir() && d.Name() == StateDir:
			return fs.SkipDir
		case d.IsDir(), !strings.HasPrefix(d.Name(), "jw"), strings.ContainsAny(d.Name(), "*?["):
			return nil
		}
		if !d.Type().IsRegular() {
			if fi, err := root.Stat(name); err != nil || !fi.Mode().IsRegular() {
				return nil
			}
		}
		return visit(name)
	})
	if err != nil {
		return fmt.Errorf("searching %q: %w", root.Name(), err)
	}
	return nil
}

// OnHand leaves out of changes those files of which something with the recorded name and length lies below the directories
// of a: it may be the recorded version, which the archive has no longer.
func OnHand(ctx context.Context, a Adopt, changes []manifest.Change, warn func(string)) (rest []manifest.Change, err error) {
	s, err := newSearch(nil, nil, Adopt{Dirs: a.Dirs}, warn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	sizes := map[string]int64{}
	for _, ch := range changes {
		sizes[path.Base(ch.URI)] = ch.Old.Size
	}
	for _, root := range s.roots {
		err := walk(ctx, root, warn, func(name string) error {
			if want, ok := sizes[path.Base(name)]; ok {
				if fi, err := root.Stat(name); err == nil && fi.Size() == want {
					delete(sizes, path.Base(name))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, ch := range changes {
		if _, missing := sizes[path.Base(ch.URI)]; missing {
			rest = append(rest, ch)
		}
	}
	return rest, nil
}

// OnDisk counts the files to be fetched of which something of their name and length is on disk already, and for which
// something is listed that can prove it. Nothing is read or changed: whether the bytes are right is found out when they are
// taken over. here may be nil. Memory: some 20 bytes a file that is found.
func OnDisk(ctx context.Context, q *queue.Reader, here *os.Root, a Adopt, warn func(string)) (n queue.Count, err error) {
	s, err := newSearch(q, here, a, warn)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	seen := map[int64]bool{}
	for c, err := range s.candidates(ctx) {
		if err != nil {
			return n, err
		}
		provable := c.File.Checksum != nil || c.File.Want != nil
		if fi, err := c.Root.Stat(c.Name); err == nil && provable && fi.Size() == c.File.Size && !seen[c.File.ID] {
			seen[c.File.ID] = true
			n.Files++
			n.Bytes += c.File.Size
		}
	}
	return n, nil
}
