package queue

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks our databases in SQLite's header, so that file(1) and Open know them from others ("JWSQ").
const applicationID = 0x4a575351

// minSQLite is 3.51.3: earlier versions may corrupt a database when a write-ahead log is reset (sqlite.org/changes.html).
const minSQLite = 3_051_003

type migration struct {
	version int64
	name    string
	sql     string
}

// computed are the steps of migrations that SQL cannot make, by version; they run after its statements.
var computed = map[int64]func(context.Context, *conn) error{3: rehashPaths}

// steps returns the embedded migrations in order. They are numbered from 1 without gaps.
func steps() ([]migration, error) {
	entries, err := fs.ReadDir(migrations, "migrations") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	out := make([]migration, 0, len(entries))
	for i, e := range entries {
		b, err := fs.ReadFile(migrations, path.Join("migrations", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a migration: %w", err)
		}
		number, _, _ := strings.Cut(e.Name(), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil || v != int64(i+1) {
			return nil, fmt.Errorf("migration %q is out of sequence, want number %d", e.Name(), i+1)
		}
		out = append(out, migration{v, e.Name(), string(b)})
	}
	return out, nil
}

// migrate brings the schema up to date, each step in a transaction of its own, so that a kill leaves a whole version.
func migrate(ctx context.Context, c *conn) error {
	all, err := steps()
	if err != nil {
		return err
	}
	have, err := schemaVersion(ctx, c, int64(len(all)))
	if err != nil {
		return err
	}
	for _, m := range all[have:] {
		err := c.script(ctx, "BEGIN IMMEDIATE; "+m.sql)
		if step := computed[m.version]; err == nil && step != nil {
			err = step(ctx, c)
		}
		if err == nil {
			err = c.script(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", applicationID, m.version))
		}
		if err != nil {
			_ = c.script(ctx, "ROLLBACK") // fails if the transaction is gone already
			return fmt.Errorf("migrating the queue with %s: %w", m.name, err)
		}
	}
	return nil
}

// rehashPaths computes path_hash anew, as pathHash does since schema 3.
func rehashPaths(ctx context.Context, c *conn) error {
	const list = `
SELECT f.id, d.path, f.name FROM file f JOIN dir d ON d.id = f.dir_id
WHERE f.id > CAST(? AS INTEGER) ORDER BY f.id LIMIT CAST(? AS INTEGER)`
	type place struct {
		id   int64
		hash int64
	}
	last := int64(0)
	for {
		page := make([]place, 0, pageSize)
		err := c.query(ctx, list, []any{last, pageSize}, func(r row) error {
			page = append(page, place{r.int(0), pathHash(r.str(1), r.str(2))})
			return nil
		})
		for _, p := range page {
			if err == nil {
				_, _, err = c.exec(ctx, `UPDATE file SET path_hash=? WHERE id=?`, p.hash, p.id)
			}
			last = p.id
		}
		if err != nil {
			return fmt.Errorf("hashing paths anew: %w", err)
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// schemaVersion reads the version and refuses databases that are newer than newest or not ours.
func schemaVersion(ctx context.Context, c *conn, newest int64) (int64, error) {
	have, _, err := c.one(ctx, "PRAGMA user_version")
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", err)
	}
	app, _, err := c.one(ctx, "PRAGMA application_id")
	if err != nil {
		return 0, fmt.Errorf("reading the application id: %w", err)
	}
	tables, _, err := c.one(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, fmt.Errorf("reading the schema: %w", err)
	}
	switch {
	case app != applicationID && (have != 0 || tables != 0):
		return 0, fmt.Errorf("the SQLite database is not a queue of jwstbulk (application id %#x)", app)
	case have > newest || have < 0:
		return 0, fmt.Errorf("%w: schema %d, known up to %d", ErrSchemaTooNew, have, newest)
	}
	return have, nil
}

// assertDurable reads back what the DSN asked for: the driver silently falls back where a mode is refused.
func assertDurable(ctx context.Context, c *conn, m mode) error {
	var version string
	version, err := c.text(ctx, "SELECT sqlite_version()")
	if err != nil {
		return fmt.Errorf("reading SQLite's version: %w", err)
	}
	if n := versionNumber(version); n < minSQLite {
		return fmt.Errorf("SQLite %s is too old: 3.51.3 or newer is needed, earlier ones may damage the queue", version)
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "locking_mode": "normal", "foreign_keys": "1"}
	if m == modeExclusive {
		want = map[string]string{"journal_mode": "delete", "synchronous": "3", "locking_mode": "exclusive", "foreign_keys": "1"}
	}
	for pragma, w := range want {
		var got string
		err := c.query(ctx, "PRAGMA "+pragma, nil, func(r row) error {
			if got = r.str(0); got == "" {
				got = strconv.FormatInt(r.int(0), 10)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading back %s: %w", pragma, err)
		}
		if got != w {
			return fmt.Errorf("SQLite would not set %s to %s (it is %s): the queue would not be durable here", pragma, w, got)
		}
	}
	return nil
}

// versionNumber turns "3.51.3" into 3051003; 0 if it is no version.
func versionNumber(s string) int64 {
	var n int64
	parts := strings.SplitN(s, ".", 3)
	for i := range 3 {
		n *= 1000
		if i < len(parts) {
			v, err := strconv.ParseInt(parts[i], 10, 64)
			if err != nil {
				return 0
			}
			n += v
		}
	}
	return n
}
