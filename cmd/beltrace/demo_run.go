// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/internal/view"
)

// settleTime is how long after the client's end the server may still be closing its sockets.
const settleTime = int64(time.Second)

// demoRunner runs one demo: a server, and clients one after the other.
type demoRunner struct {
	demo   *demo.Demo
	listen string   // where the server shall listen
	args   []string // for the demo
	toEnd  bool     // go on when every claim is decided, until nothing more can come
	log    func(role, line string)
	space  *space // where the demo's processes run; nil: with everybody else

	state  *demoState
	server *demoProcess
	client *demoProcess
}

// Start starts server and client, which wait: their pids are known before they do anything.
func (r *demoRunner) Start() error {
	if r.demo.OwnSpace {
		var err error
		if r.space, err = newSpace(); err != nil {
			return err
		}
	}
	if err := r.StartServer(); err != nil {
		return err
	}
	return r.prepare()
}

// StartServer starts the server, which waits.
func (r *demoRunner) StartServer() error {
	r.state = newDemoState()
	var err error
	if r.server, err = r.startChild(demoServer); err != nil {
		return err
	}
	r.state.Serve(r.server.PID)
	return nil
}

// prepare starts a client that waits.
func (r *demoRunner) prepare() error {
	var err error
	r.client, err = r.startChild(demoClient)
	return err
}

func (r *demoRunner) startChild(role string) (*demoProcess, error) {
	report := func(p *demoProcess, rep demoReport) {
		if rep.Sysctl != nil {
			p.Reply(r.sysctl(rep.Sysctl))
			return
		}
		r.state.Report(role, rep)
	}
	return startDemo(role, r.demo.Name, r.space, report, func(line string) { r.log(role, line) })
}

// sysctl does what a child has not the privilege for, in the demo's own network namespace only.
func (r *demoRunner) sysctl(s *demoSysctl) error {
	if r.space == nil {
		return errors.New("this demo has no network namespace of its own")
	}
	return r.space.Sysctl(s.Name, s.Value)
}

// Serve lets the server begin and waits until it listens.
func (r *demoRunner) Serve(ctx context.Context) error {
	if err := r.server.Order(demoOrder{Listen: r.listen, Args: r.args}); err != nil {
		return err
	}
	select {
	case <-r.state.listen:
		return nil
	case <-r.server.Ended:
		return r.died(r.server)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drive lets the client begin.
func (r *demoRunner) Drive() error {
	r.state.Begin(r.client.PID)
	return r.client.Order(demoOrder{Addr: dialable(r.state.Addr()), Args: r.args})
}

// dialable returns where to reach a server: on loopback if it listens everywhere.
func dialable(addr string) string {
	at, err := netip.ParseAddrPort(addr)
	switch {
	case err != nil || !at.Addr().IsUnspecified():
		return addr
	case at.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String()
}

// Stop ends all children and waits for them.
func (r *demoRunner) Stop() {
	for _, p := range []*demoProcess{r.client, r.server} {
		if p != nil {
			p.Stop()
		}
	}
	if r.space != nil {
		r.space.Close()
	}
}

// died says in one line why a child that should go on is gone.
func (r *demoRunner) died(p *demoProcess) error {
	why := "without a word"
	if p.err != nil {
		why = p.err.Error()
	}
	if last := r.state.Failure(p.Role); last != nil {
		if last.InUse != "" {
			return inUse(last.InUse)
		}
		why = last.Text + r.loopbackDown()
	}
	return fmt.Errorf("demo %s: its %s ended early: %s", r.demo.Name, p.Role, why)
}

// loopbackDown tells of a loopback device that is down, as in a new network namespace: no address of the host can be reached
// then. It is empty where there is none.
func (r *demoRunner) loopbackDown() string {
	devices, err := net.Interfaces()
	if err != nil || r.space != nil { // in its own we have set it up
		return ""
	}
	for _, d := range devices {
		if d.Flags&net.FlagLoopback != 0 && d.Flags&net.FlagUp == 0 {
			return fmt.Sprintf(": %s is down (ip link set %[1]s up)", d.Name)
		}
	}
	return ""
}

func inUse(addr string) error {
	by := ""
	if at, err := netip.ParseAddrPort(addr); err == nil {
		if owner := portOwner("/proc", at); owner != "" {
			by = " by " + view.Clean(owner) // a process chooses its name
		}
	}
	return fmt.Errorf("%s is in use%s: choose another address with --listen, or leave it out", addr, by)
}

// Judge asks all claims.
func (r *demoRunner) Judge(snap *model.Snapshot) (demo.Seen, []judged) {
	seen := r.state.Seen(snap)
	claims := judge(&r.demo.Lesson, seen)
	r.state.Keep(claims)
	return seen, claims
}

// Play runs the client and returns when every claim is decided or nothing more can come; early when ctx ends.
func (r *demoRunner) Play(ctx context.Context, latest func() *model.Snapshot) error {
	if err := r.Serve(ctx); err != nil {
		return err
	}
	if err := r.Drive(); err != nil {
		return err
	}
	timeout := time.NewTimer(demo.Timeout)
	defer timeout.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-r.server.Ended:
		return r.died(r.server)
	case <-timeout.C:
		return fmt.Errorf("demo %s: its client did not end within %v", r.demo.Name, demo.Timeout)
	case <-r.client.Ended:
	}
	if r.client.err != nil {
		return r.died(r.client)
	}
	r.state.End(demo.Now())
	return r.settle(ctx, latest)
}

// settle waits for the last events of a run whose client has ended.
func (r *demoRunner) settle(ctx context.Context, latest func() *model.Snapshot) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if snap := latest(); snap != nil {
			if seen, claims := r.Judge(snap); seen.Done || !r.toEnd && decided(claims) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.server.Ended:
			return r.died(r.server)
		case <-tick.C:
		}
	}
}
