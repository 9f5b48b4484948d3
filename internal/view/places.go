// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"

	"beltrace/collector/model"
)

// place is where a process has a socket. What is not known is empty.
type place struct {
	netns           uint32
	container, unit string
}

// placed returns the input with the places of the processes, if its filter asks for them.
func (in Input) placed() Input {
	asks := func(key string) bool { return key == "netns" || key == "container" }
	if in.places == nil && slices.ContainsFunc(in.Filter.keys(), asks) {
		in.places = placesOf(in.Snap)
	}
	return in
}

// placesOf finds where the processes have their sockets: listeners, those that they accept from, connections, requests.
func placesOf(s *model.Snapshot) map[uint32][]place {
	out := map[uint32][]place{}
	add := func(pid uint32, p place) {
		if pid != 0 && p != (place{}) && !slices.Contains(out[pid], p) {
			out[pid] = append(out[pid], p)
		}
	}
	for i := range s.Listeners {
		l := &s.Listeners[i]
		add(l.PID.Or(0), place{l.NetNS, l.Container, l.Unit})
		for _, a := range l.Acceptors {
			if a.PID != l.PID.Or(0) { // which container or unit another process is in the listener does not tell
				add(a.PID, place{netns: l.NetNS})
			}
		}
	}
	for i := range s.Connections {
		c := &s.Connections[i]
		add(c.PID.Or(0), place{c.NetNS, c.Container, c.Unit})
	}
	for i := range s.Exchanges {
		x := &s.Exchanges[i]
		add(x.PID.Or(0), place{x.NetNS, x.Container, x.Unit})
	}
	return out
}

// at returns the subject once for each place of its process.
func (in Input) at(s Subject) []Subject {
	places := in.places[s.PID]
	if len(places) == 0 {
		return []Subject{s}
	}
	out := make([]Subject, len(places))
	for i, p := range places {
		out[i] = s
		out[i].NetNS, out[i].Container, out[i].Unit = p.netns, p.container, p.unit
	}
	return out
}
