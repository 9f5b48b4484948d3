// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import (
	"cmp"
	"math"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// visit is a connection's way through the accept queue, in ns of CLOCK_MONOTONIC.
type visit struct {
	in, out int64 // out is 0 while it waits
	wait    model.Opt[int64]
}

// visits returns the run's connections at the server, in the order in which they entered the queue.
func visits(s demo.Seen) []visit {
	var out []visit
	for step := range stepMend + 1 {
		for _, c := range s.Served(step) {
			out = append(out, visit{demo.Moment(&c, event.Established), demo.Moment(&c, event.Accept), c.WaitNS})
		}
	}
	return out
}

// accepts returns when the connections were accepted, in order.
func accepts(all []visit) []int64 {
	var out []int64
	for _, v := range all {
		if v.out != 0 {
			out = append(out, v.out)
		}
	}
	slices.Sort(out)
	return out
}

// change is an entry into the queue or an accept.
type change struct {
	at int64
	by int
}

// changes returns the queue's, in order.
func changes(all []visit) []change {
	var out []change
	for _, v := range all {
		out = append(out, change{v.in, 1})
		if v.out != 0 {
			out = append(out, change{v.out, -1})
		}
	}
	slices.SortFunc(out, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), a.by-b.by) })
	return out
}

// deepest returns how many waited at once at most.
func deepest(all []visit) int {
	waiting, most := 0, 0
	for _, c := range changes(all) {
		waiting += c.by
		most = max(most, waiting)
	}
	return most
}

// places returns how many connections the queue holds, as the kernel's backlog has it.
func places(s demo.Seen) int {
	if l := s.Listener(); l != nil && l.Backlog.Known {
		return int(l.Backlog.V) + 1
	}
	return Room
}

// full returns from when, for the first time, the queue held so many until when the next one was accepted. A time that
// has not come is 0.
func full(all []visit, room int) (from, to int64) {
	waiting := 0
	for _, c := range changes(all) {
		waiting += c.by
		switch {
		case from == 0 && waiting >= room:
			from = c.at
		case from != 0 && c.by < 0:
			return from, c.at
		}
	}
	return from, 0
}

// knocker is a client that came when the queue was full.
type knocker struct {
	connect     int64
	again       []int64 // when its SYN was sent again
	established int64   // 0: not
	closed      int64   // 0: not
	took        model.Opt[int64]
}

// knockers returns the clients that called connect in the second step, in that order.
func knockers(s demo.Seen) []knocker {
	from, to, _ := s.Step(stepKnock)
	return clients(s, from, to)
}

// clients returns those that called connect in a time, in that order.
func clients(s demo.Seen, from, to int64) []knocker {
	var out []knocker
	for i := range s.Connections {
		c := &s.Connections[i]
		at := demo.Moment(c, event.Connect)
		if c.Role != event.RoleClient || !s.Server.Serves(c.Remote) || at < from || at >= to {
			continue
		}
		k := knocker{connect: at, established: demo.Moment(c, event.Established), closed: c.Closed.V, took: c.HandshakeNS}
		for _, line := range c.Story {
			if line.Kind == event.Retransmit.String() && (k.established == 0 || line.TS < k.established) {
				k.again = append(k.again, line.TS)
			}
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b knocker) int { return cmp.Compare(a.connect, b.connect) })
	return out
}

// inVain returns how many SYNs of all runs were not answered: a client sends one with connect and then again and again,
// and the one that is answered is the last.
func inVain(s demo.Seen) int {
	n := 0
	for _, k := range clients(s, 0, math.MaxInt64) {
		n += 1 + len(k.again)
		if k.established != 0 {
			n--
		}
	}
	return n
}

// settled returns the knockers when each of them has been let in or has given up, else false.
func settled(s demo.Seen) ([]knocker, bool) {
	all := knockers(s)
	for _, k := range all {
		if k.established == 0 && k.closed == 0 {
			return all, false
		}
	}
	return all, len(all) == Knocking
}
