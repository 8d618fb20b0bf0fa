package queue

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenWithFault opens a queue that asks fault at each point where it may break: commit, committed, journal-write,
// journal-sync, settled, temporary-file. An error breaks it there.
func OpenWithFault(ctx context.Context, cfg Config, fault func(point string) error) (*Queue, error) {
	return open(ctx, cfg, hooks{fault: fault})
}

// OpenExclusive opens a queue as on a network file system.
func OpenExclusive(ctx context.Context, cfg Config) (*Queue, error) {
	return open(ctx, cfg, hooks{exclusive: true})
}

// DupLocks copies the descriptors of the campaign's locks, as a fork does for a program that is being started.
func (q *Queue) DupLocks() (fds []int, err error) {
	for _, l := range q.locks {
		fd, err := unix.Dup(int(l.f.Fd()))
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// Exec runs SQL on the writer's connection, outside the API: to break rules and see them hold.
func (q *Queue) Exec(ctx context.Context, sql string) error {
	return q.writeAlone(ctx, func(t *tx) error { return t.script(ctx, sql) })
}

// Raw runs SQL on the writer's connection without a transaction, for pragmas.
func (q *Queue) Raw(ctx context.Context, sql string) error {
	return q.do(ctx, op{bare: true, apply: func(t *tx) error { return t.script(ctx, sql) }})
}

// Text returns the rows of a query as text.
func (r *Reader) Text(ctx context.Context, sql string) (s string, err error) {
	err = r.run(ctx, func(c *conn) error {
		return c.query(ctx, sql, nil, func(r row) error {
			for _, v := range r {
				s += fmt.Sprint(v) + "|"
			}
			s += "\n"
			return nil
		})
	})
	return s, err
}

// PathHash and NearHash are the hashes of the indexes.
func PathHash(path string) int64 { return pathHash(splitPath(path)) }

func NearHash(s string) int64 { return nearHash(s) }

// TempStore reads where the writer's connection keeps temporary data: 1 in files, 2 in memory. For a fault only, which runs on
// the writer's goroutine.
func (q *Queue) TempStore(ctx context.Context) (n int64, err error) {
	n, _, err = q.conn.one(ctx, "PRAGMA temp_store")
	return n, err
}

// ListUsed is the statement by which an offer looks for beginnings of hashes that are there.
func ListUsed() string { return listUsed() }

// ListPending is the statement by which Lend lists pending files.
const ListPending = listPending
