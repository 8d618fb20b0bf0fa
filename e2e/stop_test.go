//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signalled starts a subcommand and sends it a signal after the delay.
func (c *campaign) signalled(t *testing.T, sig syscall.Signal, delay time.Duration, args ...string) (p *proc, sent time.Time) {
	t.Helper()
	p = c.start(t, args...)
	select {
	case <-p.done:
	case <-time.After(delay):
	}
	sent = time.Now()
	_ = p.cmd.Process.Signal(sig) // fails if it has ended already
	return p, sent
}

// TestF49T15StopInTime stops runs at random moments: each ends within ten seconds, two in the median, keeps every byte that it had
// in a part, and says so in its exit code.
func TestF49T15StopInTime(t *testing.T) {
	catalog := synthetic(500, 300)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(20<<20)...)...)
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", program).want(t, 0)
	rng := random(t)
	var took []time.Duration
	for n := 0; n < count(8, 500); n++ {
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[n%2]
		// The first 30 ms belong to the start of the program, which has no handler yet.
		p, sent := c.signalled(t, sig, time.Duration(100+rng.IntN(900))*time.Millisecond, append([]string{"run"}, fast...)...)
		r := p.wait(t, time.Minute)
		if r.code == 0 { // it had finished first; go on with a new campaign
			c.checkComplete(t, want)
			c = newCampaign(t, s)
			c.run(t, "plan", "--program", program).want(t, 0)
			continue
		}
		if want := 128 + int(sig); r.code != want {
			t.Errorf("exit %d after %v, want %d:\n%s", r.code, sig, want, tail(r.stderr))
		}
		took = append(took, time.Since(sent))
		for _, row := range c.query(t, `SELECT uri, state FROM v_files WHERE state IN ('running','placing')`) {
			t.Errorf("%s is %s after a stop", row[0], row[1])
		}
	}
	c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
	c.checkComplete(t, want)
	slices.Sort(took)
	longest, median := took[len(took)-1], took[len(took)/2]
	t.Logf("%d stops: median %v, longest %v", len(took), median.Round(time.Millisecond), longest.Round(time.Millisecond))
	if longest > 10*time.Second || median > 2*time.Second {
		t.Error("want 2 s in the median and 10 s at most")
	}
}

// TestF49SecondSignal stops a run whose disk takes a minute to flush a part, and loses patience: the second signal ends it
// at once, and the next run goes on.
func TestF49SecondSignal(t *testing.T) {
	t.Parallel()
	catalog := synthetic(49, 500)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(3<<20)...)...)
	f := mountFaults(t, "")
	c := f.campaign(s)
	c.run(t, "plan", "--program", program).want(t, 0)
	f.tell(t, "delay fsync 1m *.part")
	p, _ := c.signalled(t, syscall.SIGTERM, time.Second, append([]string{"run"}, fast...)...)
	select {
	case <-p.done:
		t.Fatalf("it ended although parts could not be flushed:\n%s", p.stderr.String())
	case <-time.After(time.Second):
	}
	again := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait(t, time.Minute).want(t, 143)
	if took := time.Since(again); took > 2*time.Second {
		t.Errorf("it ended %v after the second signal, want at once", took)
	}
	f.below(s).checkFinals(t, want)
	f.tell(t, "heal")
	c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
	c.checkComplete(t, want)
}

// TestF62Preempted treats a batch job as Slurm does when somebody more important comes: SIGCONT and SIGTERM, then SIGKILL, and
// the same script again under the same job id. The first one drains with exit 10, also the one that has 100 ms of grace leaves
// what the next can use.
func TestF62Preempted(t *testing.T) {
	t.Parallel()
	catalog := synthetic(500, 300)
	_, want := scout(t, catalog)
	s := startSim(t, nil, append(catalog, rateFlag(20<<20)...)...)
	c := newCampaign(t, s)
	c.run(t, "plan", "--program", program).want(t, 0)
	c.env = []string{"SLURM_JOB_ID=4711", "SLURM_JOB_END_TIME=" + itoa(int(time.Now().Add(time.Hour).Unix()))}
	run := append([]string{"run"}, fast...)
	for restart, grace := range []time.Duration{30 * time.Second, 100 * time.Millisecond, 0} {
		c.env = append(c.env[:2:2], "SLURM_RESTART_COUNT="+itoa(restart))
		p, _ := c.signalled(t, syscall.SIGCONT, 700*time.Millisecond, run...)
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.done:
			p.wait(t, time.Second).want(t, 10)
		case <-time.After(grace):
			if grace > time.Second {
				t.Errorf("it was not gone %v after SIGTERM", grace)
			}
			p.kill()
		}
		c.checkFinals(t, want)
	}
	// The node was lost for good with the last one: its time is over before it begins, so nothing is started.
	c.env[1] = "SLURM_JOB_END_TIME=" + itoa(int(time.Now().Add(-time.Second).Unix()))
	before := len(s.bodies(t, time.Time{}))
	c.run(t, run...).want(t, 10)
	if n := len(s.bodies(t, time.Time{})) - before; n > 0 {
		t.Errorf("%d files were begun that the end of the job would have cut", n)
	}
	c.env[1] = "SLURM_JOB_END_TIME=" + itoa(int(time.Now().Add(time.Hour).Unix()))
	r := c.run(t, run...).want(t, 0)
	if strings.Contains(r.stderr, "damaged") {
		t.Errorf("the queue was damaged:\n%s", r.stderr)
	}
	c.checkComplete(t, want)
}
