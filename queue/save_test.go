package queue_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"strings"
	"testing"

	"jwstbulk/queue"
)

var save = flag.Bool("queue.save", false, "save a database of the present schema in testdata, unless there is one")

// TestSaveSchema saves a database of the present schema for TestMigrateSaved of later versions.
func TestSaveSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := campaign(t, dir, 12, 4)
	run := startRun(t, q)
	jobs := claim(t, q, run, 2)
	if err := q.Fail(t.Context(), jobs[0], queue.Outcome{Reason: queue.ReasonMissing, Detail: "404"}); err != nil {
		t.Fatal(err)
	}
	if err := q.Wait(t.Context(), jobs[1], queue.Outcome{Reason: queue.ReasonTransient, DueAt: newClock().now()}); err != nil {
		t.Fatal(err)
	}
	version, err := q.Text(t.Context(), "PRAGMA user_version")
	if err != nil {
		t.Fatal(err)
	}
	name := "testdata/schema-" + strings.Trim(version, "|\n")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, dir, nil).Close(); err != nil { // nothing running is left
		t.Fatal(err)
	}
	if _, err := os.Stat(name + ".dump"); err == nil || !*save {
		return
	}
	db, err := os.ReadFile(statePath(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(db); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".db.gz", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".dump", []byte(dumpDir(t, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
}
