// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// The tests of this file are mistakes that other tools made.

// TestManyAcceptors: far more threads are blocked in accept than a kretprobe keeps track of by default.
func TestManyAcceptors(t *testing.T) {
	const threads = 100
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 128})
	serve, dial := short(l, 1)
	var accepting []pending[[]socket]
	for range threads {
		accepting = append(accepting, begin[[]socket](p.server, "serve", serve))
	}
	untilInAccept(t, p.server.PID, threads)
	dial.N = threads
	dialed := do[[]socket](p.client, "dial", dial)
	var served []socket
	for _, a := range accepting {
		served = append(served, a.result()...)
	}
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// TestResetInTheQueue: the client has reset the connection before anybody accepts it. accept returns it all the same.
func TestResetInTheQueue(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 5, Talk: talk{End: endReset}})
	served := do[[]socket](p.server, "serve", serveArgs{Listener: l, N: 5})
	w.settle(p.client)
	w.verify(reset(wholes(t, served, dialed)))
}

// reset says of ends that the client reset the connection.
func reset(ends []end) []end {
	for i := range ends {
		x := &ends[i]
		x.kinds = append(x.kinds, event.Reset)
		x.side, x.reason, x.errnoOfEnd = event.SideRemote, event.ReasonReset, int32(unix.ECONNRESET)
		if x.role == event.RoleClient {
			x.side, x.reason, x.errnoOfEnd = event.SideLocal, event.ReasonAborted, 0
		}
	}
	return ends
}

// TestSYNCookies: the kernel keeps nothing of the SYN, and makes the connection out of the ACK.
func TestSYNCookies(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	p.ns.Sysctl(t, "ipv4/tcp_syncookies", "2") // always
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 10)
	served, dialed := p.exchange(serve, dial)
	for i := range dialed {
		dialed[i].Cookied = true
	}
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// TestPIDNamespace: the pid of a process in a pid namespace of its own is the one that the host knows.
func TestPIDNamespace(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	inside := startAgent(t, testkit.ChildOptions{Comm: "inside", NetNS: p.ns, PIDNamespace: true})
	w.comms[inside.PID] = "inside"
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 3)
	serving := begin[[]socket](p.server, "serve", serve)
	dialed := do[[]socket](inside, "dial", dial)
	for i := range dialed {
		if dialed[i].PID != 1 {
			t.Fatalf("the client is process %d of its namespace, want 1", dialed[i].PID)
		}
		dialed[i].PID, dialed[i].TID = inside.PID, 0
	}
	served := serving.result()
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}
