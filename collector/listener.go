// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/netip"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// listener is what is known about one listening socket.
type listener struct {
	id, twin uint64 // cookies; the twin is the MPTCP socket in front of it, 0: none
	proto    string
	local    netip.AddrPort
	named    netip.AddrPort // what name was made of
	name     string
	netns    uint32
	owner    owner
	state    string
	before   bool // it listened before the collection began
	gone     bool // evicted; connections may still point to it
	opened   int64
	ended    int64

	backlog              latest[uint32]
	asked                latest[int32]
	synQueue, acceptQ    latest[uint32]
	young                latest[uint32]
	overflows, drops     tally
	skDrops              latest[uint64]
	cookies, cookiesOK   tally
	synDrops             refusedCounts
	ackDrops             counts // of them final ACKs, by reason
	synAckAgain          uint64
	resetWaiting         uint64
	established, accepts uint64
	wait, handshake      distribution
	acceptors            acceptors
	waiting              list // connections in its accept queue, oldest first
	arrivalRate          rate
	acceptRate           rate
	history              history
	work                 *work // nil: no bytes of its connections were seen
}

// latest is the newest statement of a fact.
type latest[T any] struct {
	v     T
	ts    int64
	known bool
}

func (f *latest[T]) set(v T, ts int64) {
	if !f.known || ts >= f.ts {
		*f = latest[T]{v, ts, true}
	}
}

func (f *latest[T]) opt() model.Opt[T] { return model.Opt[T]{V: f.v, Known: f.known} }

// aliveAt reports whether it listened at that time, as far as is known.
func (l *listener) aliveAt(ts int64) bool { return l.state != model.StateClosed || l.ended >= ts }

func (c *Collector) listen(e *event.Event) {
	if !e.Known(event.FieldConn) {
		return
	}
	if !e.Known(event.FieldListener) && e.Known(event.FieldLocal) {
		e.Listener = e.Local
		e.Set(event.FieldListener)
	}
	l := c.listeners[e.Conn]
	if l == nil {
		if l = c.mptcpTwin(e); l != nil {
			c.joinTwin(l, e)
		} else {
			l = c.newListener(e.Conn, e)
			l.before = e.PreExisting
		}
	}
	if l.state == model.StateClosed { // shut down, then listen called again on the same socket
		l.state, l.ended = model.StateListening, 0
	}
	c.bind(l, e)
	if e.Known(event.FieldPID) {
		l.owner = ownerOf(e)
	}
	l.owner.giveTo(e)
	if e.Known(event.FieldBacklogAsked) {
		l.asked.set(e.BacklogAsked, e.TS)
	}
	l.depth(e)
}

// newListener adds a listener; the event says where it is, as far as it knows.
func (c *Collector) newListener(id uint64, e *event.Event) *listener {
	l := &listener{
		id: id, state: model.StateListening, opened: e.TS, proto: e.Proto,
		waiting:     list{which: inQueue},
		arrivalRate: rate{slot: rateSlot}, acceptRate: rate{slot: rateSlot},
	}
	c.listeners[id] = l
	c.order = append(c.order, l)
	c.bind(l, e)
	if len(c.order) > c.budget.Listeners {
		c.evictListener(l)
	}
	return l
}

// bind takes the listener's address and namespace from the event and files it under its port.
func (c *Collector) bind(l *listener, e *event.Event) {
	local, netns := l.local, l.netns
	if e.Known(event.FieldListener) {
		local = e.Listener
	}
	if e.Known(event.FieldNetNS) {
		netns = e.NetNS
	}
	if local == l.local && netns == l.netns {
		return
	}
	c.unfile(l)
	l.local, l.netns = local, netns
	if local.IsValid() {
		k := port{netns, local.Port()}
		c.byPort[k] = append(c.byPort[k], l)
	}
}

func (c *Collector) unfile(l *listener) {
	k := port{l.netns, l.local.Port()}
	all := c.byPort[k]
	for i, m := range all {
		if m == l {
			all = append(all[:i], all[i+1:]...)
			break
		}
	}
	if len(all) == 0 {
		delete(c.byPort, k)
		return
	}
	c.byPort[k] = all
}

// listenerByCookie returns the listener of that cookie. One that nothing was said about is added: its listen was lost.
func (c *Collector) listenerByCookie(id uint64, e *event.Event) *listener {
	if l := c.listeners[id]; l != nil {
		if !l.local.IsValid() && e.Known(event.FieldListener) {
			c.bind(l, e)
		}
		return l
	}
	return c.newListener(id, e)
}

// joinListener finds the connection's listener, remembers it, and lets the connection inherit its owner until
// somebody accepts it.
func (c *Collector) joinListener(x *conn, e *event.Event) *listener {
	l := c.listenerFor(x, e)
	if l == nil {
		return nil
	}
	x.listener = l
	if !x.owner.known() && l.owner.known() {
		x.owner = l.owner
		x.inherited = true
	}
	return l
}

// arrive counts a connection whose handshake is complete.
func (l *listener) arrive(x *conn, e *event.Event, b Budget) {
	l.established++
	l.arrivalRate.add(e.TS, 1)
	if e.Known(event.FieldHandshakeNS) {
		l.handshake.add(e.HandshakeNS, b.Reservoir)
	}
	l.depth(e)
	if !e.Known(event.FieldAcceptQueue) && !x.saw.accept {
		l.step(1, e.TS)
	}
	if x.state == model.StateAcceptQueue && l.state != model.StateClosed {
		l.waiting.push(x)
	}
}

// accept counts a connection that was taken; x is nil where the event names none, w where it does not name the thread.
func (l *listener) accept(x *conn, e *event.Event, w *worker, b Budget) {
	l.accepts++
	l.acceptRate.add(e.TS, 1)
	if e.Known(event.FieldWaitNS) {
		l.wait.add(e.WaitNS, b.Reservoir)
	}
	if x != nil {
		x.leaveQueue()
	}
	l.depth(e)
	if !e.Known(event.FieldAcceptQueue) {
		l.step(-1, e.TS)
	}
	if !l.owner.known() { // whoever accepts holds the socket
		l.owner = ownerOf(e)
	}
	if e.Known(event.FieldTID) {
		a := l.acceptors.of(e, b.Acceptors)
		a.accepts++
		if w != nil {
			w.acceptsFrom(l)
		}
	}
}

func (c *Collector) unlisten(e *event.Event) {
	l := c.listeners[e.Conn]
	if l == nil || !e.Known(event.FieldConn) {
		return
	}
	c.endListener(l, e)
}

// endListener closes a listener. It is kept with its last numbers.
func (c *Collector) endListener(l *listener, e *event.Event) {
	l.owner.giveTo(e)
	if l.local.IsValid() && !e.Known(event.FieldListener) {
		e.Listener = l.local
		e.Set(event.FieldListener)
	}
	if !e.Known(event.FieldNetNS) && l.netns != 0 {
		e.NetNS = l.netns
		e.Set(event.FieldNetNS)
	}
	if l.state == model.StateClosed {
		return
	}
	l.depth(e)
	l.state, l.ended = model.StateClosed, e.TS
	for x := range l.waiting.all() { // the kernel resets those that still wait; each has a close of its own
		if x.state == model.StateClosed {
			l.waiting.remove(x)
		}
	}
}
