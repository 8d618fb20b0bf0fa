package queue

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Dump writes what the queue knows as canonical text, a line an item: files by URI, then observations, left-out files by
// rule, and queries. Ids, times, attempts, parts, sources and validators are left out, and so is how the plan was cut into
// chunks: two campaigns that reached the same end by different ways give the same text. It is meant for comparing.
func (r *Reader) Dump(ctx context.Context, w io.Writer) error {
	bw := bufio.NewWriter(w)
	for f, err := range r.Files(ctx, Filter{ObsIDs: true}) {
		if err == nil {
			err = dumpFile(bw, f)
		}
		if err != nil {
			return fmt.Errorf("dumping files: %w", err)
		}
	}
	lists := []struct{ word, sql string }{
		{"observation", `SELECT DISTINCT o.obsid || ' ' || o.obs_id || ' ' || o.program || ' ' || o.instrument || ' ' || o.level || ' ' || o.rights
			FROM observation o ORDER BY 1`},
		{"omitted", `SELECT name || ' rows ' || sum(row_count) || ' files ' || sum(files) || ' bytes ' || sum(bytes) FROM rule
			GROUP BY name ORDER BY name`},
		{"query", `SELECT spec || ' finished ' || (finished_at IS NOT NULL) FROM query ORDER BY 1`},
	}
	for _, l := range lists {
		err := r.run(ctx, func(c *conn) error {
			return c.query(ctx, l.sql, nil, func(r row) error {
				_, err := fmt.Fprintln(bw, l.word, r.str(0))
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("dumping %ss: %w", l.word, err)
		}
	}
	return bw.Flush()
}

func dumpFile(w io.Writer, f File) error {
	header, err := json.Marshal(f.Header) // keys sorted
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "file %s state=%s reason=%s path=%s size=%d exact=%t checksum=%x sha256=%x md5=%x proof=%s flagged=%q "+
		"program=%s instrument=%s level=%d type=%s rights=%s cal_ver=%s crds_ctx=%s sdp_ver=%s stale=%t obs_id=%s header=%s obs=%s\n",
		f.URI, f.State, f.Reason, f.Path, f.Size, f.Exact, f.Checksum, f.SHA256, f.MD5, f.Proof, f.Flagged,
		f.Program, f.Instrument, f.Level, f.ProductType, f.Rights, f.CalVer, f.CRDSCtx, f.SDPVer, f.Stale, f.ObsID, header,
		strings.Join(f.Observations, ","))
	return err
}
