//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSameContentsSameBytes fetches one data set again and again, in every order, with other numbers of workers, in other
// environments, from the archive, its bucket or both, from another address and with kills in between: the manifest must not
// tell.
func TestSameContentsSameBytes(t *testing.T) {
	rng := random(t)
	sims := []*sim{startSim(t, nil, synthetic(20, 5000)...), startSim(t, nil, append(synthetic(20, 5000), "--latency", "2ms")...)}
	first := newCampaign(t, sims[0])
	first.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	kills := 0
	for i := range count(20, 200) {
		s := sims[rng.IntN(len(sims))]
		c := newCampaign(t, s)
		c.env = shuffledEnv(rng)
		get := []string{"get", "--program", program, "--rate", "0", "-j", itoa(1 + rng.IntN(16)),
			"--order-by", []string{"plan", "size", "size,desc", "mixed"}[rng.IntN(4)],
			"--s3", s.url + "/stpubdata", "--source", []string{"auto", "s3", "mast"}[rng.IntN(3)]}
		for range rng.IntN(3) {
			p := c.start(t, get...)
			select {
			case <-p.done:
			case <-time.After(time.Duration(50+rng.IntN(400)) * time.Millisecond):
				kills++
			}
			p.kill()
		}
		c.run(t, get...).want(t, 0)
		sameTree(t, first, c)
		if t.Failed() {
			t.Fatalf("run %d: %s, %v", i, strings.Join(get, " "), c.env)
		}
	}
	t.Logf("%d runs, %d kills", count(20, 200), kills)
}

// shuffledEnv is an environment that must not matter.
func shuffledEnv(rng *rand.Rand) []string {
	return []string{
		"TZ=" + []string{"UTC", "America/New_York", "Asia/Kathmandu"}[rng.IntN(3)],
		"LC_ALL=" + []string{"C", "de_DE.UTF-8", "tr_TR.UTF-8"}[rng.IntN(3)],
		"GOMAXPROCS=" + itoa(1+rng.IntN(4)),
	}
}

// TestStrangerWritesTheManifest lets a script that was made from docs/manifest.md alone write the manifest of a campaign.
func TestStrangerWritesTheManifest(t *testing.T) {
	s := startSim(t, nil, synthetic(20, 1000)...)
	c := newCampaign(t, s)
	c.run(t, append([]string{"get", "--program", program}, fast...)...).want(t, 0)
	text, err := os.ReadFile(filepath.Join(c.dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var line struct{ Query json.RawMessage }
	if err := json.Unmarshal(text[:bytes.IndexByte(text, '\n')], &line); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	facts := filepath.Join(out, "facts.csv")
	launch(t, out, nil, nil, binary("jwstbulk"), "manifest", "export", "-o", facts, "csv", c.dir).wait(t, time.Minute).want(t, 0)
	tool(t, ".", "/usr/bin/python3", "testdata/write.py", c.dir, facts, string(line.Query), out)
	for _, name := range []string{"manifest.jsonl", "SHA256SUMS"} {
		want, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s of the script differs (%v):\n%s", name, err, tail(string(got)))
		}
	}
	headers := 0
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(`"cal_ver":"`)) {
			headers++
		}
	}
	if headers == 0 {
		t.Error("no file of the campaign has a version: the script was not put to the test")
	}
}
