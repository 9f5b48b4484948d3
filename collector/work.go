// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// maxClients bounds the client addresses of one server that are told apart.
const maxClients = 64

// work sums up what a server's connections do.
type work struct {
	model.Work
	read, app, write distribution
	clients          map[netip.Addr]*client
	shown            *model.Work // nil: it has changed
}

type client struct {
	model.Client
	last int64
}

// moved is what one socket moved in one direction.
type moved struct {
	model.Traffic
	nagle, window int64
	speaks        bool // it moved bytes last
	known         bool
	pos           uint64 // of the turn that goes on, with what is counted already
	turn          model.Traffic
	nagled, waits int64
}

// workOf returns the record of the server to which a connection belongs, and whether the socket is the server's; nil if
// the server is not known.
func (c *Collector) workOf(x *conn) (w *work, server bool) {
	l := x.listener
	if l == nil {
		y := c.conns[x.peer]
		if x.peer == 0 || y == nil || y.listener == nil {
			return nil, false
		}
		l = y.listener
	}
	if l.work == nil {
		l.work = &work{clients: map[netip.Addr]*client{}}
		l.work.Phases, l.work.Slept = map[string]int64{}, map[string]model.Slept{}
	}
	l.work.shown = nil
	return l.work, x.listener != nil
}

// count takes what a turn, or a call, moved.
func (c *Collector) count(x *conn, e *event.Event) {
	m, other := &x.moved[0], &x.moved[1]
	if e.Turn.Direction == event.DirOut {
		m, other = other, m
	}
	more := m.take(e, !m.speaks)
	m.speaks, other.speaks = true, false
	w, server := c.workOf(x)
	if w == nil {
		return
	}
	if server {
		to := &w.In
		if e.Turn.Direction == event.DirOut {
			to = &w.Out
		}
		to.Turns, to.Calls, to.Bytes = to.Turns+more.Turns, to.Calls+more.Calls, to.Bytes+more.Bytes
	}
	held := &w.Client
	if server {
		held = &w.Server
	}
	held.NagleNS += more.nagle
	held.WindowNS += more.window
	held.Nagled += more.nagledTurns
	held.Window += more.waitTurns
	if more.nagle > 0 || more.window > 0 {
		c.nameHeld(held, x)
	}
}

// addition is what an event adds to what is counted already.
type addition struct {
	model.Traffic
	nagle, window          int64
	nagledTurns, waitTurns uint64
}

// take counts the event's bytes, and returns what they add: a turn that was told before is told again with all it has.
// turned: the other side spoke before.
func (m *moved) take(e *event.Event, turned bool) (a addition) {
	t := e.Turn
	calls := t.Calls
	if e.Kind != event.Turn {
		calls = 1
	}
	if !m.known || t.Pos != m.pos || e.Kind != event.Turn {
		m.known, m.pos, m.turn, m.nagled, m.waits = true, t.Pos, model.Traffic{}, 0, 0
	}
	if turned {
		a.Turns = 1
	}
	a.Calls, a.Bytes = calls-min(calls, m.turn.Calls), e.Bytes-min(e.Bytes, m.turn.Bytes)
	a.nagle, a.window = max(0, t.NagleNS-m.nagled), max(0, t.WindowNS-m.waits)
	if m.nagled == 0 && a.nagle > 0 {
		a.nagledTurns = 1
	}
	if m.waits == 0 && a.window > 0 {
		a.waitTurns = 1
	}
	m.turn.Calls, m.turn.Bytes = max(m.turn.Calls, calls), max(m.turn.Bytes, e.Bytes)
	m.nagled, m.waits = max(m.nagled, t.NagleNS), max(m.waits, t.WindowNS)
	m.Turns, m.Calls, m.Bytes = m.Turns+a.Turns, m.Calls+a.Calls, m.Bytes+a.Bytes
	m.nagle, m.window = m.nagle+a.nagle, m.window+a.window
	return a
}

// nameHeld remembers on which connection bytes could not go.
func (c *Collector) nameHeld(h *model.Held, x *conn) {
	if h.Last == x.id {
		return
	}
	h.Last, h.LastFrom, h.LastTo = x.id, addr(x.local), addr(x.remote)
	h.LastFromPID, h.LastPID, h.LastComm = x.owner.process().PID, model.Opt[uint32]{}, ""
	if y := c.conns[x.peer]; x.peer != 0 && y != nil {
		p := y.owner.process()
		h.LastPID, h.LastComm = p.PID, p.Comm
	}
}

// worked counts an exchange that was answered: of the others nobody knows how long they would have taken.
func (c *Collector) worked(x *conn, m *model.Exchange) {
	w, server := c.workOf(x)
	if w == nil || !server || !m.TotalNS.Known {
		return
	}
	w.Exchanges++
	w.TotalNS += m.TotalNS.V
	var app int64
	for phase, ns := range m.Phases {
		if _, ok := w.Phases[phase]; !ok && len(w.Phases) >= maxPhases {
			phase = phaseAppBlocked + "other"
		}
		w.Phases[phase] += ns
		if strings.HasPrefix(phase, "app.") {
			app += ns
		}
	}
	for phase, stack := range m.Stacks {
		if strings.HasPrefix(phase, phaseAppBlocked) && w.Phases[phase] > 0 { // their number is bounded
			w.Slept[phase] = model.Slept{TS: c.now, Stack: stack}
		}
	}
	size := c.budget.Reservoir / 4
	w.read.add(m.Phases[phaseRead], size)
	w.write.add(m.Phases[phaseWrite]+m.Phases[phaseSend], size)
	if app > 0 || m.Phases[phaseUnobserved] == 0 { // else it is not known
		w.app.add(app, size)
	}
}

// leaves counts a connection that ended for the client that made it.
func (c *Collector) leaves(x *conn, e *event.Event) {
	if x.listener == nil || x.exchanges == 0 || x.flow == nil || !x.flow.http || !x.remote.IsValid() {
		return
	}
	w, _ := c.workOf(x)
	if w == nil {
		return
	}
	k := w.client(x.remote.Addr(), e.TS)
	k.Closed++
	if x.exchanges == 1 && !x.saw.preExisting {
		k.Single++
		if e.Known(event.FieldSide) && e.Side == event.SideLocal {
			k.ByUs++
		}
	}
}

// client returns the record of an address. When there are too many, the one goes of which nothing was heard for longest.
func (w *work) client(at netip.Addr, now int64) *client {
	k := w.clients[at]
	if k == nil {
		if len(w.clients) >= maxClients {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(w.clients)), func(a, b netip.Addr) int {
				return cmp.Or(cmp.Compare(w.clients[a].last, w.clients[b].last), a.Compare(b))
			})
			delete(w.clients, oldest)
		}
		k = &client{Client: model.Client{Addr: at.String()}}
		w.clients[at] = k
	}
	k.last = max(k.last, now)
	return k
}

// show returns what is known; only the whole has percentiles.
func (w *work) show(how detail) *model.Work {
	if w == nil {
		return nil
	}
	if w.shown == nil {
		m := w.Work
		m.Phases, m.Slept = maps.Clone(w.Phases), maps.Clone(w.Slept)
		for _, k := range w.clients {
			m.Clients = append(m.Clients, k.Client)
		}
		slices.SortFunc(m.Clients, func(a, b model.Client) int {
			return cmp.Or(cmp.Compare(b.Closed, a.Closed), cmp.Compare(a.Addr, b.Addr))
		})
		w.shown = &m
	}
	if how == light {
		return w.shown
	}
	m := *w.shown
	m.Read, m.App, m.Write = w.read.snapshot(), w.app.snapshot(), w.write.snapshot()
	return &m
}

// demands sums up by process what its threads wanted of the CPUs.
func (c *Collector) demands() map[uint32]model.Demand {
	out, allowed := map[uint32]model.Demand{}, map[uint32]*cpuSet{}
	for _, w := range c.workers {
		if w.allowed != nil && !w.ended {
			allowed[w.pid] = w.allowed.with(allowed[w.pid])
		}
		if w.times != nil {
			d := out[w.pid]
			d.RunnableNS += w.times.RunningNS + w.times.RunqueueNS
			d.ThrottledNS += w.times.BlockedNS["throttled"]
			d.WatchedNS = max(d.WatchedNS, w.times.WatchedNS)
			d.Quota = max(d.Quota, w.quota.V)
			out[w.pid] = d
		}
	}
	for pid, set := range allowed {
		if d, ok := out[pid]; ok {
			d.CPUs = set.count()
			out[pid] = d
		}
	}
	return out
}
