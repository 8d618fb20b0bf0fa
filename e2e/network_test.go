//go:build e2e

package e2e_test

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// netns is a network namespace with nothing but a loopback interface, which is a network that can be taken down.
type netns struct{ enter []string }

func newNetns(t *testing.T) *netns {
	t.Helper()
	needRoot(t)
	holder := exec.Command("sleep", "1000") // the namespace lives as long as somebody is in it
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill() // it only sleeps
		_ = holder.Wait()         // killed
	})
	n := &netns{[]string{"nsenter", "-t", itoa(holder.Process.Pid), "-n"}}
	n.ip(t, "link", "set", "lo", "up") // brings 127.0.0.1 as well, the first time
	return n
}

// up brings the interface and its address.
func (n *netns) up(t *testing.T) {
	t.Helper()
	n.ip(t, "link", "set", "lo", "up")
	n.ip(t, "address", "replace", "127.0.0.1/8", "dev", "lo")
}

// down takes both away, as leaving a Wi-Fi does; without the address there is no route either.
func (n *netns) down(t *testing.T) {
	t.Helper()
	n.ip(t, "address", "flush", "dev", "lo")
	n.ip(t, "link", "set", "lo", "down")
}

func (n *netns) ip(t *testing.T, args ...string) {
	t.Helper()
	command(t, n.enter[0], slices.Concat(n.enter[1:], []string{"ip"}, args)...)
}

// TestF28InterfaceDown takes the network away under a run: bodies break off, new connections find no route, and the run
// waits for the network without spending the attempts of any file. A soak waits with it until the network is back.
func TestF28InterfaceDown(t *testing.T) {
	t.Parallel()
	catalog := synthetic(49, 300)
	_, want := scout(t, catalog)
	n := newNetns(t)
	s := startSimIn(t, n.enter, nil, append(catalog, rateFlag(4<<20)...)...)
	c := newCampaign(t, s)
	c.wrap = n.enter
	c.run(t, "plan", "--program", program).want(t, 0)
	outage := "4s"
	if soak() {
		outage = "5m"
	}
	p := c.start(t, append([]string{"run", "--stall", "1s", "--max-outage", outage}, fast...)...)
	for len(s.bodies(t, time.Time{})) < 5 {
		time.Sleep(10 * time.Millisecond)
	}
	n.down(t)
	if soak() {
		time.Sleep(20 * time.Second)
		n.up(t)
		r := p.wait(t, 4*time.Minute).want(t, 0)
		t.Logf("back after 20 s; the run took %v\n%s", r.took.Round(time.Second), tail(r.stderr))
	} else {
		r := p.wait(t, time.Minute).want(t, 5)
		if !strings.Contains(r.stderr, "network is unreachable") {
			t.Errorf("standard error does not say what is wrong with the network:\n%s", tail(r.stderr))
		}
		for _, row := range c.query(t, `SELECT uri, state FROM v_files WHERE state NOT IN ('done','pending','waiting')`) {
			t.Errorf("%s is %s after an outage", row[0], row[1])
		}
		n.up(t)
		c.run(t, append([]string{"run"}, fast...)...).want(t, 0)
	}
	c.checkComplete(t, want)
}
