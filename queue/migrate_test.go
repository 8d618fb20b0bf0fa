package queue_test

import (
	"database/sql"
	"strings"
	"testing"

	"jwstbulk/queue"
)

// TestMigrationIsWholeOrNothing breaks migration 3 while it computes the hashes of paths: the database stays at schema 2, as a
// kill there would leave it, and the next Open brings it up to date.
func TestMigrationIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := statePath(dir, "queue.db")
	unpack(t, "testdata/schema-2.db.gz", path)
	// The seventh update fails.
	alter(t, path, `CREATE TABLE count7(n); INSERT INTO count7 VALUES (0);
CREATE TRIGGER broken AFTER UPDATE OF path_hash ON file BEGIN
  UPDATE count7 SET n = n + 1;
  SELECT RAISE(ABORT, 'the disk is gone') FROM count7 WHERE n = 7;
END`)
	before := schema(t, path)
	if _, err := queue.Open(t.Context(), queue.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "0003") {
		t.Fatalf("Open = %v, want the migration that failed", err)
	}
	if after := schema(t, path); after != before || !strings.HasPrefix(after, "2|") {
		t.Errorf("after a failed migration:\n%s\nwant:\n%s", after, before)
	}
	alter(t, path, `DROP TRIGGER broken; DROP TABLE count7`)
	q := openAt(t, dir, nil)
	talliesAgree(t, q)
	if n, err := q.Counts(t.Context()); err != nil || n.Total().Files != 12 {
		t.Errorf("Counts = %+v, %v, want 12 files", n, err)
	}
}

// alter changes a database behind the queue's back.
func alter(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), script)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// schema gives the version, the objects and the hashes of paths.
func schema(t *testing.T, path string) (s string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const list = `SELECT (SELECT user_version FROM pragma_user_version) || '|' || (SELECT group_concat(name || sql) FROM sqlite_schema) ||
  '|' || (SELECT group_concat(id || ':' || ifnull(path_hash,'')) FROM file)`
	if err := db.QueryRowContext(t.Context(), list).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}
