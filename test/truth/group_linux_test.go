// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

var thirdPort = netip.MustParseAddrPort("127.0.0.1:4713")

// newGroup makes a control group with a process in it.
func newGroup(t *testing.T, first *agent) *testkit.Group {
	g := testkit.NewGroup(t, fmt.Sprintf("beltrace-test-%d", first.PID))
	g.Join(t, first.PID)
	return g
}

// members lists processes as members of a group, whoever joins it later.
func members(g *testkit.Group, all ...*agent) func() []live.Member {
	return func() (out []live.Member) {
		for _, a := range all {
			out = append(out, live.Member{PID: a.PID, Cgroups: []string{g.Path}})
		}
		return out
	}
}

// TestFilterGroupJoined: a process that joins a watched group is watched from then on, not from the next second on, when
// members are listed: it may listen at once, or be gone by then.
func TestFilterGroupJoined(t *testing.T) {
	for name, join := range map[string]func(*testing.T, *testkit.Group, *pair){
		"moved": func(t *testing.T, g *testkit.Group, p *pair) { g.Join(t, p.server.PID) },
		"born": func(t *testing.T, g *testkit.Group, p *pair) {
			p.server = startAgent(t, testkit.ChildOptions{Comm: serverName(), NetNS: p.ns, Group: g})
		},
		"moved to the next": func(t *testing.T, g *testkit.Group, p *pair) {
			g.Renew(t)
			g.Join(t, p.server.PID)
		},
		"born in the next": func(t *testing.T, g *testkit.Group, p *pair) {
			g.Renew(t)
			p.server = startAgent(t, testkit.ChildOptions{Comm: serverName(), NetNS: p.ns, Group: g})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			first, other := p.sibling(t), p.sibling(t)
			g := newGroup(t, first.server)
			w := p.openWatch(t, live.Config{Members: members(g, first.server)})
			w.strict = true
			join(t, g, p)
			w.comms[p.server.PID] = serverName()
			served, dialed := p.talkOn(w, onePort)
			other.talkOn(w, otherPort)
			w.settle(p.server)
			w.verify(of(wholes(t, served, dialed), event.RoleServer))
			w.counts(onePort, event.Listen, 1)
			w.counts(otherPort, event.Listen, 0)
			l := w.ofListener(event.Listen, socket{Local: onePort})
			if l.Known(event.FieldPreExisting) {
				t.Errorf("its listener is told as older: %s", l.AppendJSON(nil))
			}
		})
	}
}

// TestFilterGroupFound: of a process that is found among the members, the listener that it has is told, and what comes to
// it from then on.
func TestFilterGroupFound(t *testing.T) {
	p := newPair(t)
	other := p.sibling(t)
	var late atomic.Bool
	w := p.openWatch(t, live.Config{Members: func() []live.Member {
		if late.Load() {
			return []live.Member{{PID: p.server.PID}}
		}
		return nil
	}})
	w.strict = true
	l := w.listen(p, listenArgs{Addr: onePort, Backlog: 16})
	w.knowListener(l, 16)
	do[socket](other.server, "listen", listenArgs{Addr: otherPort, Backlog: 16})
	late.Store(true)
	if told := w.ofListener(event.Listen, l); !told.PreExisting || told.PID != p.server.PID || told.Backlog != 16 {
		t.Errorf("its listener is told so: %s", told.AppendJSON(nil))
	}
	serve, dial := short(l, 5)
	served, dialed := p.exchange(serve, dial)
	w.settle(p.server)
	w.verify(of(wholes(t, served, dialed), event.RoleServer))
	w.counts(onePort, event.Listen, 1)
	w.counts(otherPort, event.Listen, 0)
}

// TestFilterGroupAndPID: with both filters a process must be of both.
func TestFilterGroupAndPID(t *testing.T) {
	p := newPair(t)
	onlyMember, onlyChosen := p.sibling(t), p.sibling(t)
	g := newGroup(t, p.server)
	w := p.openWatch(t, live.Config{
		PIDs: []uint32{p.server.PID, onlyChosen.server.PID}, Members: members(g, p.server, onlyMember.server),
	})
	w.strict = true
	served, dialed := p.talkOn(w, onePort)
	onlyMember.talkOn(w, otherPort)
	onlyChosen.talkOn(w, thirdPort)
	g.Join(t, onlyChosen.server.PID)
	l := do[socket](onlyChosen.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	w.ofListener(event.Listen, l) // now it is of both
	w.settle(p.server)
	w.verify(of(wholes(t, served, dialed), event.RoleServer))
	w.counts(onePort, event.Listen, 1)
	w.counts(otherPort, event.Listen, 0)
	w.counts(thirdPort, event.Listen, 0)
}
