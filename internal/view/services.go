// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// service is what listens on one address under one name: one listener, or several that share the port.
type service struct {
	listeners []*model.Listener // the one whose accept queue is fullest first
	open      int               // connections in the hands of the application
	in, out   model.Opt[uint64] // bytes of its connections, closed ones too while they are remembered
}

// top returns the listener that stands for the service.
func (s *service) top() *model.Listener { return s.listeners[0] }

func serviceKey(s *service) Key {
	l := s.top()
	return Key{Kind: ServiceRecord, Name: fmt.Sprint(l.NetNS, " ", l.Local, " ", l.Comm)}
}

// services groups the listeners that are open, in a stable order: by name and port.
func services(s *model.Snapshot) []*service {
	byKey := make(map[Key]*service)
	owner := make(map[uint64]*service) // by the listener's cookie
	var out []*service
	for i := range s.Listeners {
		l := &s.Listeners[i]
		if l.State == model.StateClosed {
			continue
		}
		one := &service{listeners: []*model.Listener{l}}
		key := serviceKey(one)
		if known := byKey[key]; known != nil {
			known.listeners = append(known.listeners, l)
			one = known
		} else {
			byKey[key] = one
			out = append(out, one)
		}
		owner[l.Conn] = one
	}
	for i := range s.Connections {
		if c := &s.Connections[i]; c.Listener.Known && owner[c.Listener.V] != nil {
			owner[c.Listener.V].add(c)
		}
	}
	for _, v := range out {
		slices.SortStableFunc(v.listeners, bySize(fullness))
	}
	slices.SortStableFunc(out, func(a, b *service) int { return byListenerName(a.top(), b.top()) })
	return out
}

func (s *service) add(c *model.Connection) {
	if c.State == model.StateEstablished && c.Role != event.RoleClient {
		s.open++
	}
	sum(&s.in, c.BytesIn)
	sum(&s.out, c.BytesOut)
}

func sum(total *model.Opt[uint64], v model.Opt[uint64]) {
	if v.Known {
		*total = model.Some(total.V + v.V)
	}
}

func (s *service) arrivals() (rate float64) {
	for _, l := range s.listeners {
		rate += l.ArrivalsPerSec
	}
	return rate
}

// acceptors says who takes connections out of the service's queues: threads, or event loops or rings if all of them are.
func (s *service) acceptors(snap *model.Snapshot) string {
	type thread struct{ pid, tid uint32 }
	seen, processes := make(map[thread]bool), make(map[uint32]bool)
	apart := 0
	for _, l := range s.listeners {
		for _, a := range l.Acceptors {
			seen[thread{a.PID, a.TID}] = true
			processes[a.PID] = true
		}
		apart += int(l.OtherAcceptors.Threads)
	}
	if len(seen) == 0 {
		return "no accept seen"
	}
	looping := make(map[thread]bool) // those among them that have not accepted yet, too
	for i := range snap.Loops {
		if l := &snap.Loops[i]; processes[l.PID] && !l.Ended.Known && !ownLoop(l) {
			looping[thread{l.PID, l.TID}] = true
		}
	}
	rings := 0
	for i := range snap.Rings {
		if r := &snap.Rings[i]; r.State != model.StateClosed && r.Ops["accept"].Submitted > 0 && seen[thread{r.PID, r.TID.V}] {
			rings++
		}
	}
	if rings == len(seen) {
		return Plural(rings, "ring", "rings")
	}
	for t := range seen {
		if !looping[t] {
			return Plural(len(seen)+apart, "acceptor", "acceptors")
		}
	}
	return Plural(len(looping), "loop", "loops")
}

var serviceSheet = sheet[*service]{
	tall: true,
	key:  serviceKey,
	target: func(s *service) Key {
		if len(s.listeners) == 1 {
			return listenerKey(s.top())
		}
		return serviceKey(s)
	},
	subjects: func(_ Input, s *service) (out []Subject) {
		for _, l := range s.listeners {
			out = append(out, listenerSubject(l))
		}
		return out
	},
	columns: []column[*service]{
		{Head: Head{Title: "SERVICE", Min: 17, Max: 34, Up: true, Cut: CutMiddle, Explain: explainListener}, cell: serviceName, sub: serviceWho,
			cmp: func(a, b *service) int { return byListenerName(a.top(), b.top()) }},
		{Head: Head{Title: "SYN QUEUE", Min: 9, Max: 14, Explain: explainSYNQueue}, cell: serviceSYNQueue, sub: serviceHandshake,
			cmp: bySize(func(s *service) float64 { return optFloat(s.top().SYNQueue) })},
		{Head: Head{Title: "ACCEPT QUEUE", Min: 17, Max: 22, Explain: explainAcceptQueue}, cell: serviceAcceptQueue, sub: serviceWait,
			cmp: bySize(func(s *service) float64 { return fullness(s.top()) })},
		{Head: Head{Title: "READ", Min: 6, Max: 9, Explain: explainRead}, cell: serviceRead,
			cmp: bySize(func(s *service) float64 { return optFloat(s.belt()[beltRead]) })},
		{Head: Head{Title: "APPLICATION", Min: 13, Max: 18, Explain: explainApplication}, cell: serviceApp, sub: serviceSpent,
			cmp: bySize(func(s *service) float64 { return optFloat(s.belt()[beltApp]) })},
		{Head: Head{Title: "WRITE", Min: 6, Max: 9, Explain: explainWrite}, cell: serviceWrite,
			cmp: bySize(func(s *service) float64 { return optFloat(s.belt()[beltWrite]) })},
		{Head: Head{Title: "CONNS", Min: 9, Max: 10, Priority: 1, Explain: explainConnections}, cell: serviceOpen, sub: serviceRate,
			cmp: bySize(func(s *service) float64 { return float64(s.open) })},
		{Head: Head{Title: "BYTES", Min: 10, Max: 11, Priority: 2, Explain: explainBytes}, cell: func(_ Input, s *service) Cell { return Line{{optBytes(s.in), Normal}, {" in", Dim}} },
			sub: func(_ Input, s *service) Cell { return Line{{optBytes(s.out), Normal}, {" out", Dim}} },
			cmp: bySize(func(s *service) float64 { return optFloat(s.out) })},
		{Head: Head{Title: "REFUSED", Min: 9, Max: 17, Priority: 2, Explain: explainRefused}, cell: serviceRefused, sub: serviceReasons,
			cmp: bySize(func(s *service) float64 { return s.refused() })},
		{Head: Head{Title: "LAST MINUTE", Min: 16, Max: 60, Cut: CutStart, Priority: 4, Explain: explainMinute},
			cell: func(_ Input, s *service) Cell { return Styled(minute(s.top(), 60), Normal) }, sub: servicePeak},
		{Head: Head{Title: "PID, UNIT", Min: 9, Max: 24, Priority: 3, Explain: explainOwner}, cell: servicePID, sub: func(_ Input, s *service) Cell { return Styled(home(s.top().Process), Dim) }},
	},
}

func serviceName(_ Input, s *service) Cell {
	return Line{{comm(s.top().Process), Strong}, {" " + portName(s.top().Local), Normal}}
}

func serviceWho(in Input, s *service) Cell {
	if which := whichNetNS(in, s.top()); which != nil {
		return which
	}
	if n := len(s.listeners); n > 1 {
		return Styled("  "+Plural(n, "listener", "listeners"), Dim)
	}
	return Styled("  "+s.acceptors(in.Snap), Dim)
}

func servicePID(_ Input, s *service) Cell {
	if len(s.listeners) > 1 {
		return Plain(pid(s.top().Process) + ", …")
	}
	return Plain(pid(s.top().Process))
}

// serviceSYNQueue marks a SYN queue in trouble with !.
func serviceSYNQueue(in Input, s *service) Cell {
	l := s.top()
	if trouble(in.Snap, l, atSYNQueue) {
		return append(depth(l.SYNQueue, l.Backlog, Bad), Span{" !", Bad})
	}
	return depth(l.SYNQueue, l.Backlog, Normal)
}

// serviceHandshake and serviceWait are in bold where most of the belt's time goes.
func serviceHandshake(_ Input, s *service) Cell {
	return Line{s.station(beltHandshake)}
}

func serviceWait(_ Input, s *service) Cell {
	l := s.top()
	if !l.WaitNS.P50.Known {
		return Styled(None, Dim)
	}
	p50 := s.station(beltAccept)
	return Line{p50, {" p99 ", Dim}, {optDur(l.WaitNS.P99), p50.Style}}
}

// serviceAcceptQueue marks a queue in trouble with ! and shows how full it is where it is not empty.
func serviceAcceptQueue(in Input, s *service) Cell {
	l := s.top()
	style, mark := Normal, " "
	if Full(l) || trouble(in.Snap, l, atAcceptQueue) {
		style, mark = Bad, " ! "
	}
	out := depth(l.AcceptQueue, l.Backlog, style)
	switch {
	case l.AcceptQueue.V > 0 && l.Backlog.Known:
		out = append(out, Span{mark + Bar(fullness(l), 5), style})
	case style == Bad:
		out = append(out, Span{" !", Bad})
	}
	return out
}

func serviceOpen(_ Input, s *service) Cell {
	return Line{{Count(uint64(s.open)), Strong}, {" open", Dim}}
}

func serviceRate(_ Input, s *service) Cell {
	return Line{{"+" + Rate(s.arrivals()), Normal}, {"/s", Dim}}
}

func (s *service) refused() (n float64) {
	for _, l := range s.listeners {
		n += float64(Refused(l))
	}
	return n
}

func serviceRefused(in Input, s *service) Cell {
	if n := s.refused(); n > 0 {
		return Styled(Count(uint64(n)), Warning)
	}
	return listenerRefused(in, s.top())
}

// serviceReasons names the most frequent reason of the refusals.
func serviceReasons(_ Input, s *service) Cell {
	total := make(map[string]uint64)
	for _, l := range s.listeners {
		for reason, n := range refusals(l.SYNDrops, l.DropReasons) {
			total[reason] += n
		}
	}
	return Styled(mainReason(total), Dim)
}

// servicePeak says how deep the queue was at most in the last minute.
func servicePeak(_ Input, s *service) Cell {
	var peak model.Opt[uint32]
	for _, h := range s.top().History {
		if h.AcceptQueue.Known && h.AcceptQueue.V >= peak.V {
			peak = h.AcceptQueue
		}
	}
	if !peak.Known {
		return nil
	}
	return Styled("at most "+Count(uint64(peak.V)), Dim)
}
