package queue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// conn is one SQLite connection with its prepared statements. It is used by one goroutine at a time.
//
// The driver is called directly, not through database/sql: the writer needs exactly one connection, whose statements
// stay prepared, and a pool's bookkeeping costs as much as the statements themselves at a million rows.
type conn struct {
	c       driver.Conn
	stmts   map[string]driver.Stmt
	named   []driver.NamedValue // reused for arguments
	dest    []driver.Value      // reused for rows
	changes int64               // rows changed by exec so far
	depth   int                 // queries being read; > 0 means named and dest are in use
}

// mode says how the database file is shared.
type mode int

const (
	modeWAL       mode = iota // local file system: write-ahead log, readers in other connections
	modeExclusive             // network file system: rollback journal, one connection holds the file
	modeReader                // read-only, nothing is changed
	modeImmutable             // read-only on a medium that cannot change
)

// Sizes of SQLite's page cache, in its own notation: KiB, negative. Planning looks up files all over the indexes. Working the
// queue writes a few places at a time, and whenever a page was split SQLite walks all that it has cached at the commit, to
// drop what lies behind the database's end: a quarter of a millisecond at 32 MiB, as much as the commit itself.
const (
	planCache = "-32768"
	workCache = "-8192"
)

// resize sets the size of the page cache.
func (c *conn) resize(ctx context.Context, size string) error {
	_, _, err := c.exec(ctx, "PRAGMA cache_size="+size)
	return err
}

// pragmas are given in the DSN, since the driver applies them before the connection is used for anything else.
func (m mode) dsn(path string) string {
	p := url.Values{"_busy_timeout": {"10000"}, "_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_mutex": {"no"}}
	switch m {
	case modeWAL:
		p.Set("_journal_mode", "WAL")
		p.Set("_synchronous", "FULL")
		p.Set("_cache_size", planCache)
	case modeExclusive:
		p.Set("_locking_mode", "EXCLUSIVE")
		p.Set("_journal_mode", "DELETE")
		p.Set("_synchronous", "EXTRA")
		p.Set("_cache_size", planCache)
	case modeReader:
		p.Set("mode", "ro")
		p.Set("_query_only", "on")
		p.Set("_txlock", "deferred")
		p.Set("_busy_timeout", "2000")
	case modeImmutable:
		p.Set("mode", "ro")
		p.Set("immutable", "1")
		p.Set("_query_only", "on")
	}
	// In a file: URI the three characters below would end the path or start an escape (sqlite.org/uri.html).
	esc := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + esc + "?" + p.Encode()
}

func openConn(path string, m mode) (*conn, error) {
	c, err := (&sqlite3.SQLiteDriver{}).Open(m.dsn(path))
	if err != nil {
		return nil, sqlError(err)
	}
	return &conn{c: c, stmts: make(map[string]driver.Stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	c.stmts = nil
	errs = append(errs, c.c.Close())
	return errors.Join(errs...)
}

// Statements that run for each file compare with CAST(? AS …), never with a bare ?, where SQLite looks for a plan (joins and
// sub-selects; a look-up by primary key alone is exempt). SQLite notes that the value of a bare one might change the plan,
// the driver clears all values before each execution, and the two together compile the statement anew each time, at ten
// times its cost.

// stmt prepares sql once. Texts are constants of this package, so the map does not grow.
func (c *conn) stmt(sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", firstWords(sql), sqlError(err))
	}
	c.stmts[sql] = s
	return s, nil
}

// eachID is a table of file ids, in their order, made of the one argument that idList gives. Reading a hundred rows by one
// statement takes half the time of a hundred statements. A join with it is a CROSS JOIN, so that SQLite keeps it outermost.
const eachID = `json_each(CAST(? AS TEXT)) each`

// idList writes ids as eachID takes them.
func idList(ids []int64) string {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(append(b, ']'))
}

func (c *conn) args(args []any) []driver.NamedValue {
	nv := c.named
	if c.depth > 0 || cap(nv) < len(args) {
		nv = make([]driver.NamedValue, len(args))
		if c.depth == 0 {
			c.named = nv
		}
	}
	nv = nv[:len(args)]
	for i, a := range args {
		if n, ok := a.(int); ok {
			a = int64(n)
		}
		nv[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return nv
}

// exec runs a statement that returns no rows. Values are int, int64, string, []byte and nil.
func (c *conn) exec(ctx context.Context, sql string, args ...any) (changed, lastID int64, err error) {
	s, err := c.stmt(sql)
	if err != nil {
		return 0, 0, err
	}
	// Without a Done channel the driver needs no watching goroutine; statements are short.
	res, err := s.(driver.StmtExecContext).ExecContext(context.WithoutCancel(ctx), c.args(args))
	if err != nil {
		return 0, 0, sqlError(err)
	}
	changed, _ = res.RowsAffected() // the driver returns no error here
	lastID, _ = res.LastInsertId()
	c.changes += changed
	return changed, lastID, nil
}

// query calls scan for each row and drains the statement, so that an UPDATE … RETURNING has wholly happened when it
// returns. The row and its []byte values are valid during the call only.
func (c *conn) query(ctx context.Context, sql string, args []any, scan func(row) error) (err error) {
	s, err := c.stmt(sql)
	if err != nil {
		return err
	}
	c.changes++ // it may be an UPDATE … RETURNING
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.WithoutCancel(ctx), c.args(args))
	if err != nil {
		return sqlError(err)
	}
	dest := c.dest
	n := len(rows.Columns())
	if c.depth > 0 || cap(dest) < n {
		dest = make([]driver.Value, n)
		if c.depth == 0 {
			c.dest = dest
		}
	}
	c.depth++
	defer func() {
		c.depth--
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = sqlError(cerr)
		}
	}()
	dest = dest[:n]
	for {
		switch err := rows.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return sqlError(err)
		}
		if err := scan(row(dest)); err != nil {
			return err
		}
	}
}

// many runs a statement with many arguments that returns no rows. The driver hands them to SQLite all at once when asked
// for rows, and one by one otherwise.
func (c *conn) many(ctx context.Context, sql string, args []any) error {
	return c.query(ctx, sql, args, func(row) error { return nil })
}

// one returns the first row's first column as an integer; ok is false without a row or with NULL.
func (c *conn) one(ctx context.Context, sql string, args ...any) (n int64, ok bool, err error) {
	err = c.query(ctx, sql, args, func(r row) error {
		if !ok {
			n, ok = r[0].(int64)
		}
		return nil
	})
	return n, ok, err
}

// text returns the first row's first column as text, "" without a row.
func (c *conn) text(ctx context.Context, sql string, args ...any) (s string, err error) {
	err = c.query(ctx, sql, args, func(r row) error {
		s = r.str(0)
		return nil
	})
	return s, err
}

// script runs statements that are not kept, such as those of a migration.
func (c *conn) script(ctx context.Context, sql string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.WithoutCancel(ctx), sql, nil)
	return sqlError(err)
}

func firstWords(sql string) string {
	f := strings.Fields(sql)
	return strings.Join(f[:min(len(f), 6)], " ")
}
