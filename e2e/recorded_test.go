//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordedRows are 16,653 versions of 14,653 real files.
const recordedRows = "../internal/masttest/testdata/keyword-rows.csv.gz"

// TestRecordedRows asks ten queries of an archive made of the recorded keyword rows by both routes, observations and keywords.
// They must plan the same, at the recorded sizes and checksums, and what a plain script finds in the rows themselves.
func TestRecordedRows(t *testing.T) {
	s := startSim(t, nil, "--catalog", "recorded", "--metadata-only")
	queries := []struct {
		flags string
		rows  string // in Python, see testdata/rows.py
	}{
		{"--program 7814", `r["program"] == "7814"`},
		{"--program 06882,7404 --level 2b", `r["program"] in ("6882", "7404") and r["productLevel"] == "2b"`},
		{"--instrument NIRSPEC --suffix s3d,cal", `r["instrume"] == "NIRSPEC" and r["filename"].endswith(("_s3d.fits", "_cal.fits"))`},
		{"--instrument MIRI --level 3", `r["instrume"] == "MIRI" and r["productLevel"] == "3"`},
		{"--instrument NIRCAM --detector nrca1,nrcb*", `r["instrume"] == "NIRCAM" and ("_nrca1_" in r["filename"] or "_nrcb" in r["filename"])`},
		{"--instrument NIRISS,NIRSPEC --min-size 100000000", `r["instrume"] in ("NIRISS", "NIRSPEC") and int(r["fileSize"]) >= 100000000`},
		{"--program 7814 --include *_i2d.fits --include *_rate.fits --exclude *nrcb*",
			`r["program"] == "7814" and r["filename"].endswith(("_i2d.fits", "_rate.fits")) and "nrcb" not in r["filename"]`},
		{"--obs 5408:1,9438:2", `r["filename"].startswith(("jw05408001", "jw05408-o001", "jw09438002", "jw09438-o002"))`},
		{"--instrument MIRI --date 2025-01-01..2025-06-30", `r["instrume"] == "MIRI" and 60676 <= mjd(r["date_obs_mjd"]) < 60857`},
		// On that day no observation had files released and others not yet: one route goes by the observation's date, the other by
		// each file's.
		{"--instrument NIRCAM --released ..2025-11-20", `r["instrume"] == "NIRCAM" and mjd(r["publicReleaseDate_mjd"]) < 61000`},
	}
	args := []string{"testdata/rows.py", recordedRows}
	for _, q := range queries {
		args = append(args, q.rows)
	}
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	script := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(script) != len(queries) {
		t.Fatalf("rows.py answered %d of %d conditions", len(script), len(queries))
	}
	for i, q := range queries {
		t.Run(strings.ReplaceAll(q.flags, " ", "_"), func(t *testing.T) {
			var rows [][3]any
			if err := json.Unmarshal(script[i], &rows); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, r := range rows {
				want = append(want, fmt.Sprintf("%s %.0f %s", r[0], r[1], r[2]))
			}
			byObs, byKey := newCampaign(t, s), newCampaign(t, s)
			flags := append([]string{"plan"}, strings.Fields(q.flags)...)
			byObs.run(t, flags...).want(t, 0)
			byKey.run(t, append(flags, "--via", "keywords")...).want(t, 0)
			const all = `SELECT uri, path, state, size_bytes, exact, archive_checksum, program, instrument, level, rights, cal_ver, crds_ctx,
				release_at, ingested_at FROM v_files ORDER BY uri`
			if diff := cmp.Diff(byObs.lines(t, all), byKey.lines(t, all)); diff != "" {
				t.Errorf("the routes differ (-observations +keywords):\n%s", tail(diff))
			}
			var got []string
			for _, r := range byKey.query(t, `SELECT uri, size_bytes, archive_checksum FROM v_files`) {
				got = append(got, fmt.Sprintf("%s %d %s", r...))
			}
			slices.Sort(want)
			slices.Sort(got)
			t.Logf("%d files", len(got))
			if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
				t.Errorf("files differ, or there are none (-rows +plan):\n%s", tail(diff))
			}
		})
	}
}
