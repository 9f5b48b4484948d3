// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"beltrace/collector/event"
)

// selection picks events of a recording, as the kernel does with live ones: whole sockets.
type selection struct {
	ports     []uint64
	pids      []uint64
	comm      string
	container string
	netns     uint32 // 0: any

	picked map[uint64]bool // sockets of which an event was picked
	served map[uint32]bool // processes that own one of them, but for clients
}

// selection returns what the flags select, nil for everything.
func (f *watchFlags) selection() (*selection, error) {
	netns, err := f.space()
	if err != nil || len(f.ports.list) == 0 && len(f.pids.list) == 0 && f.comm == "" && f.container == "" && netns == 0 {
		return nil, err
	}
	return &selection{f.ports.list, f.pids.list, kernelName(f.comm), f.container, netns, map[uint64]bool{}, map[uint32]bool{}}, nil
}

// partial reports whether it picks some of the sockets of a network namespace.
func (s *selection) partial() bool {
	return len(s.ports) > 0 || len(s.pids) > 0 || s.comm != "" || s.container != ""
}

// all reports whether the flags leave nothing of a recording out.
func (f *watchFlags) all() bool {
	s, err := f.selection()
	return s == nil && err == nil && f.limit == 0 && f.count == 0
}

// Pick reports whether the event belongs to the selection: it is of a socket that does, or that came out of a listener
// that does. Losses concern every selection, and so do the counters of network namespaces.
func (s *selection) Pick(e *event.Event) bool {
	switch {
	case e.Kind == event.Lost:
		return true
	case e.Kind == event.NetNS:
		return s.inSpace(e)
	case !ofSocket(e):
		return s.thread(e)
	case !s.socket(e):
		return false
	}
	if e.Known(event.FieldPID) && e.Role != event.RoleClient {
		s.served[e.PID] = true
	}
	return true
}

// ofSocket reports whether the event names a socket. Those of threads, loops and rings name none.
func ofSocket(e *event.Event) bool {
	return e.Known(event.FieldConn) || e.Known(event.FieldLocal) || e.Known(event.FieldRemote) || e.Known(event.FieldListener)
}

// thread picks the threads, loops and rings of processes that are selected, or that serve sockets which are.
func (s *selection) thread(e *event.Event) bool {
	return s.served[e.PID] || len(s.ports) == 0 && s.netns == 0 && s.byOwner(e)
}

func (s *selection) inSpace(e *event.Event) bool {
	return s.netns == 0 || e.Known(event.FieldNetNS) && e.NetNS == s.netns
}

func (s *selection) socket(e *event.Event) bool {
	if e.Known(event.FieldConn) && s.picked[e.Conn] {
		return true
	}
	if !s.byPort(e) || !s.inSpace(e) {
		return false
	}
	if !s.byOwner(e) && !(e.Known(event.FieldListenerConn) && s.picked[e.ListenerConn]) {
		return false
	}
	if e.Known(event.FieldConn) {
		s.picked[e.Conn] = true
	}
	return true
}

func (s *selection) byPort(e *event.Event) bool {
	has := func(f event.Field, a netip.AddrPort) bool {
		return e.Known(f) && slices.Contains(s.ports, uint64(a.Port()))
	}
	return len(s.ports) == 0 || has(event.FieldLocal, e.Local) || has(event.FieldRemote, e.Remote) || has(event.FieldListener, e.Listener)
}

// byOwner compares the socket's owner. A recording does not tell whose child a process is.
func (s *selection) byOwner(e *event.Event) bool {
	return (len(s.pids) == 0 || e.Known(event.FieldPID) && slices.Contains(s.pids, uint64(e.PID))) &&
		(s.comm == "" || e.Known(event.FieldComm) && e.Comm == s.comm) &&
		(s.container == "" || e.Known(event.FieldContainer) && sameContainer(e.Container, s.container) ||
			e.Known(event.FieldUnit) && sameUnit(e.Unit, s.container))
}

// words returns the selection as the command line has it.
func (s *selection) words() []string {
	var out []string
	for _, n := range s.ports {
		out = append(out, fmt.Sprintf("--port %d", n))
	}
	for _, n := range s.pids {
		out = append(out, fmt.Sprintf("--pid %d", n))
	}
	if s.comm != "" {
		out = append(out, "--comm "+s.comm)
	}
	if s.container != "" {
		out = append(out, "--container "+strings.TrimSpace(s.container))
	}
	if s.netns != 0 {
		out = append(out, fmt.Sprintf("--netns %d", s.netns))
	}
	return out
}
