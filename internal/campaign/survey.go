package campaign

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"jwstbulk/internal/filelist"
	"jwstbulk/internal/mast"
	"jwstbulk/internal/product"
	"jwstbulk/internal/query"
	"jwstbulk/manifest"
	"jwstbulk/planner"
	"jwstbulk/queue"
)

// ErrIncomplete says that the archive's metadata did not answer for all files.
var ErrIncomplete = errors.New("the archive did not answer for all files")

// Survey holds what the archive's metadata say now of the files of a manifest. It changes no campaign.
type Survey struct {
	// Requests is how many requests it took.
	Requests int64
	// Asked is the number of files, Unlisted of them those the keyword services do not list because they are no FITS files:
	// nothing can be said of them without fetching them. Filled while Changes runs.
	Asked, Unlisted int64

	done   func() error // removes what it keeps on disk
	queue  *queue.Queue
	client *mast.Client
	sums   bool // the archive's checksums are MD5s as far as seen
	now    time.Time
}

// NewSurvey asks the archive's keyword services about all entries, in bulk: by programme where there are many files of one,
// else 200 names a request. Errors: those of entries, *filelist.Error for a URI that is no JWST product, *mast.Error,
// ErrIncomplete. The caller closes the Survey.
func NewSurvey(ctx context.Context, archive mast.Config, entries func() iter.Seq2[manifest.Entry, error]) (_ *Survey, err error) {
	s := &Survey{now: time.Now()}
	var dir string
	if dir, s.done, err = Scratch(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	archive.Spool = dir
	if s.client, err = mast.New(archive); err != nil {
		return nil, err
	}
	if s.queue, err = queue.Open(ctx, queue.Config{Dir: dir, Create: true, Command: "jwstbulk survey", Warn: func(string) {}}); err != nil {
		return nil, err
	}
	list, err := listOf("manifest", entries())
	if err != nil || len(list.Items) == 0 {
		return s, err
	}
	p, err := planner.New(planner.Config{Queue: s.queue, Archive: s.client})
	if err != nil {
		return nil, err
	}
	sum, err := p.PlanList(ctx, list, query.Query{})
	if err != nil {
		return nil, fmt.Errorf("asking the archive about the files of a manifest: %w", err)
	}
	if !sum.Complete() {
		return nil, ErrIncomplete
	}
	s.Requests = sum.Requests
	s.sums, err = s.trustworthy(ctx, entries())
	return s, err
}

// Close removes what the survey keeps on disk.
func (s *Survey) Close() error {
	var errs []error
	if s.queue != nil {
		errs = append(errs, s.queue.Close())
	}
	if s.client != nil {
		s.client.Close()
	}
	return errors.Join(append(errs, s.done())...)
}

// listOf makes a list of entries. The list reader checks the URIs: what is no JWST product is refused, by the
// line of the manifest.
func listOf(name string, entries iter.Seq2[manifest.Entry, error]) (*filelist.List, error) {
	var text bytes.Buffer
	text.WriteString("# line 1 is the header\n")
	n, odd := 0, 0
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		n++
		if odd == 0 && !strings.HasPrefix(e.URI, product.Prefix) {
			odd = n
		}
		text.WriteString(e.URI)
		text.WriteByte('\n')
	}
	if n == 0 {
		return &filelist.List{Name: name, Format: "manifest"}, nil
	}
	l, err := filelist.Parse(&text, name)
	if err != nil {
		return nil, err
	}
	if odd > 0 { // what a list may say in other words
		return nil, &filelist.Error{Name: name, Line: odd + 1, Why: "its uri is not of the form " + product.Prefix + "<file name>"}
	}
	l.Format = "manifest"
	return l, nil
}

// stated is an entry and what the archive says of it now.
type stated struct {
	entry manifest.Entry
	file  queue.File
}

// facts joins entries with the survey's rows; both are sorted by URI.
func (s *Survey) facts(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) iter.Seq2[stated, error] {
	return func(yield func(stated, error) bool) {
		next, stop := iter.Pull2(s.queue.Files(ctx, queue.Filter{}))
		defer stop()
		file, ferr, more := next()
		for e, err := range entries {
			for err == nil && ferr == nil && more && file.URI < e.URI {
				file, ferr, more = next()
			}
			if err = errors.Join(err, ferr); err != nil {
				yield(stated{}, err)
				return
			}
			f := stated{entry: e}
			if more && file.URI == e.URI {
				f.file = file
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// trustworthy reports whether the archive's checksums can be held against MD5s: some file was proven by one, or one of
// them matches now.
func (s *Survey) trustworthy(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) (bool, error) {
	for f, err := range s.facts(ctx, entries) {
		if err != nil {
			return false, err
		}
		if f.entry.Proof == string(queue.ProofArchive) || f.entry.MD5 != [16]byte{} && bytes.Equal(f.file.Checksum, f.entry.MD5[:]) {
			return true, nil
		}
	}
	return false, nil
}

// Changes yields what became of the entries in the archive: withdrawn, reprocessed, or no longer public. entries are those
// the Survey was made of.
func (s *Survey) Changes(ctx context.Context, entries iter.Seq2[manifest.Entry, error]) iter.Seq2[manifest.Change, error] {
	return func(yield func(manifest.Change, error) bool) {
		s.Asked, s.Unlisted = 0, 0
		for f, err := range s.facts(ctx, entries) {
			if err != nil {
				yield(manifest.Change{}, err)
				return
			}
			s.Asked++
			if c, changed := s.judge(f); changed && !yield(c, nil) {
				return
			}
		}
	}
}

// judge holds what the archive says of a file against its entry.
func (s *Survey) judge(f stated) (manifest.Change, bool) {
	old := manifest.VersionOf(f.entry)
	c := manifest.Change{URI: f.entry.URI, Old: &old}
	if !f.file.Exact {
		if !strings.HasSuffix(f.entry.URI, ".fits") {
			s.Unlisted++
			return c, false
		}
		c.Kind = manifest.KindWithdrawn
		return c, true
	}
	cur := manifest.FileVersion{Size: f.file.Size, CalVer: f.file.CalVer, CRDSCtx: f.file.CRDSCtx, SDPVer: f.file.SDPVer,
		Checksum: hex.EncodeToString(f.file.Checksum), Ingest: f.file.IngestedAt, Release: f.file.ReleaseAt}
	c.New = &cur
	switch {
	case s.differs(old, cur):
		c.Kind, c.Cause = manifest.KindReprocessed, manifest.CauseOf(old, cur)
	case cur.Release.After(s.now):
		c.Kind = manifest.KindAccess
	default:
		return c, false
	}
	return c, true
}

// differs decides by checksum where the archive's can be trusted; else by length and by the versions of pipeline and
// reference files, where both are known.
func (s *Survey) differs(old, cur manifest.FileVersion) bool {
	if s.sums && old.Checksum != "" && cur.Checksum != "" {
		return old.Checksum != cur.Checksum
	}
	known := func(a, b string) bool { return a != "" && b != "" && a != b }
	return old.Size != cur.Size || known(old.CalVer, cur.CalVer) || known(old.CRDSCtx, cur.CRDSCtx) || known(old.SDPVer, cur.SDPVer)
}
