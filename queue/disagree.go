package queue

import (
	"context"
	"fmt"
	"time"
)

// eventDisagree is the kind of the events that say how the archive contradicts itself about a file. The detail begins with one
// of the words below and a colon.
const (
	eventDisagree = "disagree"
	disagreeSize  = "size"
	disagreeDate  = "rights"
)

// sizesDiffer says that a product list and a keyword service state different lengths, in bytes.
func sizesDiffer(listed, exact int64) string {
	return fmt.Sprintf("%s: the product list says %d bytes, the keyword service %d", disagreeSize, listed, exact)
}

// compare holds a keyword row against what the product list said of the file, before it takes over.
func (t *tx) compare(ctx context.Context, old knownFile, f KeywordFact) error {
	if old.state == Done || old.state == Placing {
		return nil
	}
	if old.exact == 0 && old.size >= 0 && f.Size >= 0 && old.size != f.Size {
		if err := t.disagree(ctx, old.id, sizesDiffer(old.size, f.Size)); err != nil {
			return err
		}
	}
	k, err := t.kindByID(ctx, old.kindID)
	if err != nil || k.rights == "" || f.ReleaseAt.IsZero() || f.Rights != "" {
		return err
	}
	if public := k.rights == "PUBLIC"; public == (f.ReleaseAt.UnixMilli() > t.now) {
		return t.disagree(ctx, old.id, fmt.Sprintf("%s: the product list says %s, the keyword service that it is public from %s on",
			disagreeDate, k.rights, f.ReleaseAt.UTC().Format(time.RFC3339)))
	}
	return nil
}

// disagree records a contradiction; one that is known already becomes as young as this statement of it.
func (t *tx) disagree(ctx context.Context, fileID int64, detail string) error {
	const again = `UPDATE event SET at=? WHERE file_id=? AND kind=? AND detail=?` // index event_file
	n, _, err := t.exec(ctx, again, t.now, fileID, eventDisagree, sanitise(detail))
	if err != nil || n > 0 {
		return err
	}
	return t.event(ctx, fileID, eventDisagree, detail)
}

// disagreements counts the files of which a contradiction was met since the query began; there is one plan at a time.
func (s *summary) disagreements(ctx context.Context, c *conn) error {
	const count = `
SELECT substr(detail, 1, instr(detail, ':') - 1), count(DISTINCT file_id) FROM event
WHERE kind = ? AND (?2 = 0 OR at >= (SELECT started_at FROM query WHERE id = ?2)) GROUP BY 1 ORDER BY 1`
	return c.query(ctx, count, []any{eventDisagree, s.queryID}, func(r row) error {
		s.Disagree = append(s.Disagree, Tally{Key: r.str(0), Files: r.int(1)})
		return nil
	})
}
