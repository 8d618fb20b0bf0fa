package queue

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// pageSize is how many rows a list reads at a time; between pages no read transaction is open, so that a slow consumer
// does not keep the write-ahead log from being folded in.
const pageSize = 512

const fileColumns = `
SELECT f.id, s.path || f.name, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.state, f.reason, f.detail,
  f.size_bytes, f.exact, f.checksum, f.sha256, f.md5, f.proof, f.flagged, h.cards, f.header_date,
  k.program, k.instrument, k.level, k.product_type, k.rights, f.release_at, f.ingested_at, k.cal_ver, k.crds_ctx, k.sdp_ver,
  k.stale, f.source, f.etag, f.last_modified, NULL, f.attempt, f.due_at, f.finished_at, o.path, f.query_id,
  coalesce(f.run_id, f.done_run_id), f.name, f.want_sha256
FROM file f JOIN dir s ON s.id = f.stem_id JOIN kind k ON k.id = f.kind_id LEFT JOIN dir d ON d.id = f.dir_id AND f.path_hash > 0
LEFT JOIN dir o ON o.id = f.obs_dir_id LEFT JOIN header h ON h.id = f.header_id
`

// scanner turns rows of fileColumns into Files; it remembers decoded headers, of which many files share one.
type scanner struct{ headers map[string]map[string]string }

func (s *scanner) file(r row) (File, error) {
	f := File{
		ID: r.int(0), URI: r.str(1), Path: r.str(2), State: State(r.str(3)), Reason: Reason(r.str(4)), Detail: r.str(5),
		Size: r.intOr(6, -1), Exact: r.int(7) == 1, Checksum: r.blob(8), SHA256: r.blob(9), MD5: r.blob(10),
		Proof: Proof(r.str(11)), Flagged: r.str(12),
		Facts: Facts{
			Program: r.str(15), Instrument: r.str(16), Level: int(r.int(17)), ProductType: r.str(18), Rights: r.str(19),
			ReleaseAt: r.time(20), IngestedAt: r.time(21), CalVer: r.str(22), CRDSCtx: r.str(23), SDPVer: r.str(24), Stale: r.int(25) == 1,
		},
		Source: r.str(26), Validator: Validator{ETag: r.etag(27), LastModified: r.httpDate(28)},
		Attempt: r.int(30), DueAt: r.time(31), FinishedAt: r.time(32), ObsID: r.str(33), QueryID: r.int(34), RunID: r.int(35),
		Want: r.blob(37),
	}
	var err error
	f.Header, err = s.header(r.str(13), r.stamp(14))
	return f, err
}

func (s *scanner) header(cards, date string) (map[string]string, error) {
	if cards == "" && date == "" {
		return nil, nil
	}
	h, ok := s.headers[cards]
	if !ok && cards != "" {
		if err := json.Unmarshal([]byte(cards), &h); err != nil {
			return nil, fmt.Errorf("reading FITS keywords: %w", err)
		}
		if s.headers == nil || len(s.headers) > 256 {
			s.headers = map[string]map[string]string{}
		}
		s.headers[cards] = h
	}
	out := make(map[string]string, len(h)+1)
	maps.Copy(out, h)
	if date != "" {
		out["DATE"] = date
	}
	return out, nil
}

// Sorted in Go: for ORDER BY and DISTINCT SQLite would build two temporary tables for a handful of rows.
const selectObs = `
SELECT o.obs_id FROM file_observation p JOIN observation o ON o.obsid = p.obsid WHERE p.file_id = CAST(? AS INTEGER)`

// obsOf returns the names of the observations that list a file, sorted bytewise.
func obsOf(ctx context.Context, c *conn, id int64) (out []string, err error) {
	err = c.query(ctx, selectObs, []any{id}, func(r row) error {
		out = append(out, r.str(0))
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out), err
}

const selectFile = fileColumns + `WHERE f.id = CAST(? AS INTEGER)`

// oneFile reads a file with its observations.
func oneFile(ctx context.Context, c *conn, id int64) (File, error) {
	var f File
	var s scanner
	err := c.query(ctx, selectFile, []any{id}, func(r row) (err error) {
		f, err = s.file(r)
		return err
	})
	if err == nil && f.ID == 0 {
		err = fmt.Errorf("no such row")
	}
	if err == nil {
		f.Observations, err = obsOf(ctx, c, f.ID)
	}
	if err != nil {
		return File{}, fmt.Errorf("reading file %d: %w", id, err)
	}
	return f, nil
}

// Failures yields what is missing and why: failed, waiting and parked files, sorted bytewise by URI.
func (r *Reader) Failures(ctx context.Context) iter.Seq2[File, error] {
	return r.Files(ctx, Filter{States: []State{Failed, Waiting, Parked}})
}

// Done yields the finished files sorted bytewise by URI, with their Observations: the order of the manifest.
func (r *Reader) Done(ctx context.Context) iter.Seq2[File, error] {
	return r.Files(ctx, Filter{States: []State{Done}, ObsIDs: true})
}

// Files yields the files that filter selects, sorted bytewise by URI. An error ends the sequence.
func (r *Reader) Files(ctx context.Context, filter Filter) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		l := lister{r: r, where: filter.where(), filter: filter}
		if err := l.open(ctx); err != nil {
			yield(File{}, fmt.Errorf("listing files: %w", err))
			return
		}
		for l.streams.Len() > 0 {
			f, ok, err := l.next(ctx)
			if err != nil {
				yield(File{}, fmt.Errorf("listing files: %w", err))
				return
			}
			if ok && !yield(f, nil) {
				return
			}
		}
	}
}

// lister merges one stream for each stem of URIs. A stream is sorted by name, which within one stem is sorted by URI; it
// is opened when the merge reaches its stem, so that only stems nested in each other are open together.
type lister struct {
	r       *Reader
	filter  Filter
	where   string
	streams streams
	scan    scanner
}

type stream struct {
	stemID int64
	key    string // URI of the head, or the stem while nothing is read
	last   string // name of the last row read
	page   []File
	end    bool // no further page
}

type streams []*stream

func (s streams) Len() int           { return len(s) }
func (s streams) Less(i, j int) bool { return s[i].key < s[j].key }
func (s streams) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *streams) Push(x any)        { *s = append(*s, x.(*stream)) }
func (s *streams) Pop() any {
	old := *s
	x := old[len(old)-1]
	*s = old[:len(old)-1]
	return x
}

// open makes a stream for each stem, or, for an exact URI, for its stem alone.
func (l *lister) open(ctx context.Context) error {
	sql, args := `SELECT id, path FROM dir WHERE path = '' OR substr(path,-1) = '/'`, []any{}
	if uri := l.filter.URI; uri != "" && !isGlob(uri) {
		stem, _ := splitURI(uri)
		sql, args = `SELECT id, path FROM dir WHERE path = ?`, []any{stem}
	}
	err := l.r.run(ctx, func(c *conn) error {
		return c.query(ctx, sql, args, func(r row) error {
			l.streams = append(l.streams, &stream{stemID: r.int(0), key: r.str(1)})
			return nil
		})
	})
	heap.Init(&l.streams)
	return err
}

// next takes the least element of the merge; ok is false when the step only opened or closed a stream.
func (l *lister) next(ctx context.Context) (f File, ok bool, err error) {
	s := l.streams[0]
	if len(s.page) > 0 {
		f, ok = s.page[0], true
		s.page = s.page[1:]
	}
	if len(s.page) == 0 && !s.end {
		if err := l.read(ctx, s); err != nil {
			return File{}, false, err
		}
	}
	if len(s.page) == 0 {
		heap.Pop(&l.streams)
		return f, ok, nil
	}
	s.key = s.page[0].URI
	heap.Fix(&l.streams, 0)
	return f, ok, nil
}

// read fetches the next page of a stream, by the unique index file_uri or, for files with a reason, the partial index file_stopped.
func (l *lister) read(ctx context.Context, s *stream) error {
	s.page = make([]File, 0, pageSize)
	args := append([]any{s.stemID, s.last}, l.filter.args()...)
	return l.r.run(ctx, func(c *conn) error {
		n := 0
		err := c.query(ctx, l.where, args, func(r row) error {
			f, err := l.scan.file(r)
			s.page = append(s.page, f)
			s.last = r.str(36)
			n++
			return err
		})
		s.end = n < pageSize
		for i := range s.page {
			if err == nil && l.filter.ObsIDs {
				s.page[i].Observations, err = obsOf(ctx, c, s.page[i].ID)
			}
		}
		return err
	})
}

func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// where makes the statement of a filter; it depends on which conditions there are, not on their values.
func (f Filter) where() string {
	var b strings.Builder
	b.WriteString(fileColumns + `WHERE f.stem_id = ? AND f.name > ?`)
	if f.stoppedOnly() {
		b.WriteString(` AND f.reason > ''`)
	}
	in := func(col string, n int) {
		if n > 0 {
			b.WriteString(" AND " + col + " IN (?" + strings.Repeat(",?", n-1) + ")")
		}
	}
	in("f.state", len(f.States))
	in("f.reason", len(f.Reasons))
	switch {
	case f.URI == "":
	case isGlob(f.URI):
		b.WriteString(" AND s.path || f.name GLOB ?")
	default:
		b.WriteString(" AND f.name = ?")
	}
	if f.Path != "" {
		b.WriteString(" AND f.path_hash > 0 AND f.path_hash = ? AND CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END = ?")
	}
	if f.QueryID != 0 {
		b.WriteString(" AND f.query_id = ?")
	}
	fmt.Fprintf(&b, " ORDER BY f.name LIMIT %d", pageSize)
	return b.String()
}

// stoppedOnly tells that the partial index file_stopped holds all that the filter can select.
func (f Filter) stoppedOnly() bool {
	for _, s := range f.States {
		if s != Failed && s != Waiting && s != Parked {
			return false
		}
	}
	return len(f.States) > 0 || len(f.Reasons) > 0
}

func (f Filter) args() []any {
	var out []any
	for _, s := range f.States {
		out = append(out, string(s))
	}
	for _, r := range f.Reasons {
		out = append(out, string(r))
	}
	switch {
	case f.URI == "":
	case isGlob(f.URI):
		out = append(out, f.URI)
	default:
		_, name := splitURI(f.URI)
		out = append(out, name)
	}
	if f.Path != "" {
		out = append(out, pathHash(splitPath(f.Path)), f.Path)
	}
	if f.QueryID != 0 {
		out = append(out, f.QueryID)
	}
	return out
}
