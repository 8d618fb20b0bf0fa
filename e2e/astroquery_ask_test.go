//go:build e2e

package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asking is a question in astroquery's words and in ours. Ours take guide stars too: astroquery lists everything.
type asking struct {
	name   string
	where  []string // criteria of observations
	choose []string // filters of products
	flags  []string
}

// answers is what astroquery_check.py --ask prints.
type answers struct {
	Asked []struct {
		Products [][2]string
		Error    string
	}
}

func askAstroquery(t *testing.T, s *sim, questions []asking, more ...string) answers {
	t.Helper()
	args := more
	for _, q := range questions {
		text, err := json.Marshal(map[string][]string{"where": q.where, "select": q.choose})
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--ask", string(text))
	}
	var got answers
	drive(t, s, &got, args...)
	if len(got.Asked) != len(questions) {
		t.Fatalf("astroquery answered %d of %d questions", len(got.Asked), len(questions))
	}
	return got
}

func (q asking) plan(t *testing.T, s *sim) []listed {
	t.Helper()
	args := append([]string{"plan", "--dry-run", "--json", "--guide-stars"}, q.flags...)
	return planned(t, newCampaign(t, s).run(t, args...).want(t, 0).stdout)
}

// TestAstroqueryAsked asks twelve questions of the same archive with the unmodified astroquery and with jwstbulk: both must
// find the same (dataURI, obs_id).
func TestAstroqueryAsked(t *testing.T) {
	s := startSim(t, nil, "--catalog", "synthetic", "--observations", "100", "--per-program", "20", "--planned", "6", "--exclusive", "4",
		"--scale", "1000", "--metadata-only")
	questions := []asking{
		{"programme", []string{"proposal_id=10001"}, nil, []string{"--program", "10001"}},
		{"two programmes", []string{"proposal_id=10002,10004"}, nil, []string{"--program", "10002,10004"}},
		{"instrument and mode", []string{"instrument_name=MIRI/IMAGE"}, nil, []string{"--instrument", "MIRI/IMAGE"}},
		{"instrument", []string{"instrument_name=NIRCAM*"}, nil, []string{"--instrument", "NIRCAM"}},
		{"optical element", []string{"filters=F150W"}, nil, []string{"--filter", "F150W"}},
		{"target", []string{"target_name=SIM-1*"}, nil, []string{"--target", "SIM-1*"}},
		{"time", []string{"t_min=59945.0625..59945.09375"}, nil, []string{"--date", "2023-01-01T01:30:00..2023-01-01T02:15:00"}},
		{"level of the observation", []string{"proposal_id=10003", "calib_level=3"}, nil, []string{"--program", "10003", "--where", "calib_level=3"}},
		{"names", []string{"obs_id=jw10001-o00*"}, nil, []string{"--obs", "jw10001-o00*"}},
		{"exclusive", []string{"proposal_id=10001,10004", "dataRights=EXCLUSIVE_ACCESS"}, nil,
			[]string{"--program", "10001,10004", "--where", "dataRights=EXCLUSIVE_ACCESS"}},
		{"science", []string{"proposal_id=10001"}, []string{"productType=SCIENCE"}, []string{"--program", "10001", "--product-type", "SCIENCE"}},
		{"two suffixes and a level", []string{"proposal_id=10005"}, []string{"productSubGroupDescription=CAL,I2D", "calib_level=2"},
			[]string{"--program", "10005", "--suffix", "cal,i2d", "--level", "2"}},
	}
	theirs := askAstroquery(t, s, questions)
	for i, q := range questions {
		t.Run(strings.ReplaceAll(q.name, " ", "_"), func(t *testing.T) {
			if theirs.Asked[i].Error != "" {
				t.Fatalf("astroquery: %s", theirs.Asked[i].Error)
			}
			ours := q.plan(t, s)
			t.Logf("%d files", len(ours))
			if diff := cmp.Diff(set(pairs(theirs.Asked[i].Products)), set(ours)); diff != "" || len(ours) == 0 {
				t.Errorf("the sets of (dataURI, obs_id) differ, or are empty (-astroquery +jwstbulk):\n%s", tail(diff))
			}
		})
	}
}

// TestAstroqueryFails asks what astroquery does not get an answer to: it asks for 500 observations at a time, whatever the
// archive can join, and does not ask again. jwstbulk lists what a healthy archive lists.
func TestAstroqueryFails(t *testing.T) {
	catalog := []string{"--catalog", "synthetic", "--observations", "400", "--per-program", "400", "--scale", "1000", "--metadata-only"}
	question := asking{where: []string{"proposal_id=" + program}, flags: []string{"--program", program}}
	whole := set(question.plan(t, startSim(t, nil, catalog...)))
	for _, tc := range []struct {
		name, says string
		faults     []fault
		args       []string
	}{
		{"join times out", "504", nil, []string{"--join-rows", "3000"}},
		{"join runs for ever", "Timeout", nil, []string{"--join-rows", "20000", "--join-failure", "executing"}},
		{"session is killed", "kill state", nil, []string{"--join-rows", "3000", "--join-failure", "error"}},
		{"too many rows", "Connection", nil, []string{"--row-limit", "10000"}},
		{"one reset", "Connection", []fault{{"service": "Mast.Caom.Products", "do": "resetatstart", "count": 1}}, nil},
		{"one web page", "JSON", []fault{{"service": "Mast.Caom.Products", "do": "html", "count": 1}}, nil},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			theirs := askAstroquery(t, startSim(t, tc.faults, append(catalog, tc.args...)...), []asking{question}, "--timeout", "2").Asked[0]
			t.Logf("astroquery: %d files, %s", len(theirs.Products), theirs.Error)
			if !strings.Contains(theirs.Error, tc.says) || theirs.Error == "" {
				t.Errorf("astroquery says %q, want %q: is the case none any more?", theirs.Error, tc.says)
			}
			ours := set(question.plan(t, startSim(t, tc.faults, append(catalog, tc.args...)...)))
			if diff := cmp.Diff(whole, ours); diff != "" || len(ours) == 0 {
				t.Errorf("the sets of (dataURI, obs_id) differ, or are empty (-healthy +this archive):\n%s", tail(diff))
			}
		})
	}
}
