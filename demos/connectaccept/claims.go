// SPDX-License-Identifier: Apache-2.0

package connectaccept

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// taken is a connection's way through the accept queue, in ns of CLOCK_MONOTONIC.
type taken struct {
	model.Connection
	established, accepted int64
}

// queue returns the connections in the order in which they were established, and false until all of them have been
// accepted. At the end of the run it is what it is: the verdict then refutes.
func queue(s demo.Seen) (conns []taken, early demo.Verdict, ready bool) {
	accepted := 0
	for _, c := range s.Served(stepConnect) {
		t := taken{c, demo.Moment(&c, event.Established), demo.Moment(&c, event.Accept)}
		if t.accepted != 0 {
			accepted++
		}
		conns = append(conns, t)
	}
	e := demo.Evidence{}.With("established", int64(len(conns))).With("accepted", int64(accepted))
	switch {
	case len(conns) == Connections && accepted == Connections:
		return conns, demo.Verdict{}, true
	case s.Done:
		return conns, demo.Refute(e, fmt.Sprintf("%d connections were made", Connections)), false
	}
	return conns, demo.Wait(e), false
}

// firstAccept returns when the server took the first connection.
func firstAccept(conns []taken) int64 {
	first := int64(math.MaxInt64)
	for _, c := range conns {
		first = min(first, c.accepted)
	}
	return first
}

func checkBefore(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	first, last := firstAccept(conns), conns[len(conns)-1].established
	e := demo.Evidence{}.With("last_one_after_ns", last-conns[0].established).
		With("first_accept_after_ns", first-conns[0].established).With("established", int64(len(conns)))
	if last >= first {
		return demo.Refute(e, "the server accepted before the last one was established")
	}
	return demo.Prove(e)
}

// checkConnect compares the time that connect took, in the kernel, with the time until the server's first accept.
func checkConnect(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	connects := demo.Known(s.Dialled(stepConnect), func(c *model.Connection) model.Opt[int64] { return c.HandshakeNS })
	slept := firstAccept(conns) - conns[0].established
	e := demo.Evidence{}.With("connects", int64(len(connects))).With("first_accept_after_ns", slept)
	if len(connects) < Connections {
		if s.Done {
			return demo.Refute(e, fmt.Sprintf("%d connects were made", Connections))
		}
		return demo.Wait(e)
	}
	longest := slices.Max(connects)
	e = demo.Evidence{}.With("longest_connect_ns", longest).With("first_accept_after_ns", slept).With("connect_p50_ns", demo.Median(connects))
	if longest >= slept {
		return demo.Refute(e, "a connect took as long as the server slept")
	}
	return demo.Prove(e)
}

// checkHeld counts who was in the queue at the first accept: established, and not accepted before.
func checkHeld(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	first, held := firstAccept(conns), 0
	for _, c := range conns {
		if c.established < first && c.accepted >= first {
			held++
		}
	}
	e := demo.Evidence{}.With("waiting_at_first_accept", int64(held))
	if l := s.Listener(); l != nil && l.Backlog.Known {
		e = e.With("backlog", int64(l.Backlog.V))
	}
	return demo.Equal(e, "waiting at the first accept", held, Connections)
}

// checkLength looks for those who wait in the queue's length as the kernel states it: in samples, and on most kernels
// also when a connection comes or goes.
func checkLength(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	first, last := firstAccept(conns), int64(0)
	for _, c := range conns {
		last = max(last, c.accepted)
	}
	l := s.Listener()
	if l == nil {
		return demo.Unable("the listener was not seen")
	}
	longest, end := int64(-1), int64(-1)
	for _, q := range l.History {
		if q.AcceptQueue.Known && q.TS >= conns[0].established && q.TS < first {
			longest = max(longest, int64(q.AcceptQueue.V))
		}
	}
	if l.AcceptQueue.Known && s.TS > last {
		end = int64(l.AcceptQueue.V)
	}
	e := demo.Evidence{}.With("while_it_slept", longest).With("at_the_end", end)
	switch {
	case longest < 0 && s.Done:
		return demo.Unable("no sample fell into the time")
	case longest < 0 || end != 0 && !s.Done:
		return demo.Wait(nil)
	case longest != Connections:
		return demo.Refute(e, fmt.Sprintf("%d wait", Connections))
	}
	return demo.Equal(e, "waiting at the end", int(end), 0)
}

// checkDelay compares the first connection's wait with the sleep that began when it had arrived.
func checkDelay(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	wait, slept := conns[0].WaitNS, int64(s.Notes["slept_ns"])
	e := demo.Evidence{}.With("wait_ns", wait.V).With("server_slept_ns", slept)
	switch {
	case !wait.Known:
		return demo.Unable("the wait of the first connection was not seen")
	case wait.V < int64(Delay) || wait.V < slept:
		return demo.Refute(e, "it waited less")
	}
	return demo.Prove(e)
}

func checkOrder(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	e := demo.Evidence{}.With("first_taken_after_ns", conns[0].accepted-conns[0].established).
		With("last_taken_after_ns", conns[len(conns)-1].accepted-conns[0].established).With("accepted", int64(len(conns)))
	if !slices.IsSortedFunc(conns, func(a, b taken) int { return cmp.Compare(a.accepted, b.accepted) }) {
		return demo.Refute(e, "a later one was accepted before an earlier one")
	}
	return demo.Prove(e)
}

// checkClocks compares each wait with the programs' own clocks: it cannot be shorter than from the end of connect to
// the begin of accept, nor longer than from the begin of connect to the end of accept.
func checkClocks(s demo.Seen) demo.Verdict {
	conns, early, ready := queue(s)
	if !ready {
		return early
	}
	var worst comparison
	for i, c := range conns {
		own, known := compare(s, c)
		switch {
		case known:
		case !s.Done:
			return demo.Wait(nil)
		default:
			return demo.Unable("the wait of " + c.Remote + " is not known to both clocks")
		}
		if i == 0 || own.off > worst.off {
			worst = own
		}
	}
	e := demo.Evidence{}.With("wait_ns", worst.wait).With("own_clocks_at_least_ns", worst.least).With("at_most_ns", worst.most).
		With("compared", int64(len(conns)))
	if worst.off > int64(time.Millisecond)+worst.wait/20 {
		return demo.Refute(e, "the clocks differ by more than 1 ms + 5 %")
	}
	return demo.Prove(e)
}

// comparison is a wait as the kernel measured it, and its bounds by the programs' own clocks. Times in ns.
type comparison struct {
	wait, least, most int64
	off               int64 // how far outside the bounds it is
}

// compare returns false if one of the times is not known.
func compare(s demo.Seen, c taken) (comparison, bool) {
	var at [4]int64
	for i, name := range []func(string) string{connectNote, connectedNote, acceptNote, acceptedNote} {
		v, ok := s.Notes[name(c.Remote)]
		if !ok {
			return comparison{}, false
		}
		at[i] = int64(v)
	}
	x := comparison{wait: c.WaitNS.V, least: at[2] - at[1], most: at[3] - at[0]}
	x.off = max(0, x.least-x.wait, x.wait-x.most)
	return x, c.WaitNS.Known
}
