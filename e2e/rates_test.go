//go:build e2e

package e2e_test

import (
	"testing"
	"time"
)

// TestT16Rates holds --limit-rate and --rate against what the archive saw: over ten seconds the bytes are at most five hundredths
// more than allowed, and no second has more than one request too many (and one for the clock's sake).
func TestT16Rates(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		const limit = 4 << 20
		catalog := synthetic(49, 50)
		s := startSim(t, nil, catalog...)
		c := newCampaign(t, s)
		c.run(t, "plan", "--program", program).want(t, 0)
		p := c.start(t, "run", "-j", "8", "--rate", "0", "--limit-rate", itoa(limit))
		type sample struct {
			at    time.Time
			bytes int64
		}
		var samples []sample
		for end := time.Now().Add(11 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			var n int64
			for _, path := range []string{"JWST", ".jwstbulk/part"} {
				n += c.size(t, path)
			}
			if n > 0 {
				samples = append(samples, sample{time.Now(), n})
			}
		}
		p.kill()
		if len(samples) < 10 {
			t.Fatalf("%d samples", len(samples))
		}
		first, last := samples[0], samples[len(samples)-1]
		share := float64(last.bytes-first.bytes) / (limit * last.at.Sub(first.at).Seconds())
		t.Logf("%.3f of the limit over %v", share, last.at.Sub(first.at).Round(time.Millisecond))
		if share > 1.05 || share < 0.8 {
			t.Errorf("%.3f of the limit, want 0.95 to 1.05, and on a busy machine no less than 0.8", share)
		}
	})
	t.Run("requests", func(t *testing.T) {
		const limit = 16
		s := startSim(t, nil, synthetic(49, 1000)...)
		c := newCampaign(t, s)
		c.run(t, "plan", "--program", program).want(t, 0)
		c.run(t, "run", "-j", "8", "--rate", itoa(limit)).want(t, 0)
		bodies := s.bodies(t, time.Time{})
		most := 0
		for i, from := range bodies {
			n := 0
			for _, r := range bodies[i:] {
				if r.Time.Sub(from.Time) < time.Second {
					n++
				}
			}
			most = max(most, n)
		}
		took := bodies[len(bodies)-1].Time.Sub(bodies[0].Time)
		t.Logf("%d requests in %v, at most %d in a second", len(bodies), took.Round(time.Millisecond), most)
		if most > limit+2 {
			t.Errorf("%d requests in one second, want at most %d", most, limit+2)
		}
		if mean := float64(len(bodies)-1) / took.Seconds(); mean > 1.05*limit {
			t.Errorf("%.2f requests a second, want %d", mean, limit)
		}
	})
}
