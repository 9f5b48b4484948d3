// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/netip"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// conn is what is known about one socket of a connection.
type conn struct {
	id   uint64
	have event.Mask // which of the facts below are known, by their event fields

	role          string
	local, remote netip.AddrPort
	netns         uint32
	owner         owner
	inherited     bool // the owner is its listener's: nobody has accepted it yet

	state    string // of package model; "" before anything was decided
	opened   int64  // first sight of it
	asked    int64  // connect was called
	complete int64  // handshake complete; for a server's socket also the entry into the accept queue
	ended    int64
	saw      seen

	handshake, wait, rtt, duration int64
	bytesIn, bytesOut              uint64
	retransmits                    uint32
	fd, errno                      int32
	reason                         string
	resetSide                      string // who sent the RST, "" if none was seen

	taken     int64 // accept returned
	unread    uint64
	exchanges uint64
	flow      *flow    // what was said; nil: nothing was seen
	moved     [2]moved // to and from the application

	listener *listener
	peer     uint64
	key      uint64 // of its addresses, see pairKey
	paired   bool   // it is known by them
	links    [2]link
	story    story
	texts    texts
}

// seen says which moments of a connection's life were seen. One seen twice counts once.
type seen struct {
	connect, established, accept, preExisting bool
}

// texts are the parts of a snapshot that cost an allocation; they are made once and shared by many snapshots.
type texts struct {
	local, remote string
	story         []model.EventLine
	done          bool // false after a change
}

func (c *Collector) connect(e *event.Event) {
	x := c.connOf(e)
	if x != nil && x.state == model.StateClosed && x.saw.connect {
		forgetOldPort(x, e)
		c.again(x, e.TS)
	}
	first := x == nil || !x.saw.connect
	if first && !e.PreExisting {
		c.total.Connects++
	}
	if x == nil {
		return
	}
	c.learn(x, e)
	if !first {
		fill(e, x)
		return
	}
	x.saw.connect = true
	x.saw.preExisting = e.PreExisting
	x.asked = e.TS
	x.opened = min(x.opened, e.TS)
	x.setRole(event.RoleClient)
	x.takeOwner(e)
	if x.state == "" {
		x.state = model.StateConnecting
	}
	handshakeFromConnect(x, e)
	fill(e, x)
	x.tell(e, c.budget.Story)
}

func (c *Collector) established(e *event.Event) {
	x := c.connOf(e)
	first := x == nil || !x.saw.established
	if first && !e.PreExisting {
		c.total.Established++
	}
	if x == nil {
		return
	}
	c.learn(x, e)
	if !first {
		fill(e, x)
		return
	}
	x.saw.established = true
	x.saw.preExisting = x.saw.preExisting || e.PreExisting
	x.complete = e.TS
	x.setRole(c.roleOf(x, e))
	if y := c.conns[x.peer]; y != nil {
		rolesOfPeers(x, y)
	}
	if x.role == event.RoleServer {
		c.serverBegins(x, e)
	} else {
		c.clientBegins(x, e)
	}
	fill(e, x)
	x.tell(e, c.budget.Story)
}

// serverBegins puts a server's new socket into its listener's accept queue, unless accept has been seen already: with
// TCP Fast Open the application may have it before the handshake is complete.
func (c *Collector) serverBegins(x *conn, e *event.Event) {
	l := c.joinListener(x, e)
	if e.PreExisting {
		c.queuedBefore(x, l, e)
		return
	}
	c.opened.add(e.TS, 1)
	if !x.saw.accept {
		x.settle(model.StateAcceptQueue)
	}
	if l != nil {
		l.arrive(x, e, c.budget)
	}
}

// queuedBefore takes a server's socket that was there before the watch. One in the accept queue waits on, since nobody
// knows when.
func (c *Collector) queuedBefore(x *conn, l *listener, e *event.Event) {
	if !e.Queued || !e.Known(event.FieldQueued) || x.saw.accept || x.state == model.StateClosed {
		x.settle(model.StateEstablished)
		return
	}
	x.settle(model.StateAcceptQueue)
	if l != nil && l.state != model.StateClosed {
		l.waiting.push(x)
	}
}

func (c *Collector) clientBegins(x *conn, e *event.Event) {
	x.settle(model.StateEstablished)
	if e.PreExisting {
		return
	}
	handshakeFromConnect(x, e)
	if !c.watched(x) {
		c.opened.add(e.TS, 1)
	}
}

func (c *Collector) accept(e *event.Event) {
	x := c.connOf(e)
	if x == nil {
		c.total.Accepts++
		w := c.acceptedBy(e)
		if l := c.listenerFor(nil, e); l != nil {
			l.accept(nil, e, w, c.budget)
		}
		return
	}
	c.learn(x, e)
	if x.saw.accept {
		fill(e, x)
		return
	}
	c.total.Accepts++
	w := c.acceptedBy(e)
	x.saw.accept = true
	x.taken = e.TS
	x.setRole(event.RoleServer)
	x.takeOwner(e)
	waitFromEstablished(x, e)
	if l := c.joinListener(x, e); l != nil {
		l.accept(x, e, w, c.budget)
	}
	x.settle(model.StateEstablished)
	fill(e, x)
	if e.Known(event.FieldReason) && e.Reason == event.ReasonElsewhere {
		c.evict(x) // it is not one of those that are watched
		return
	}
	x.tell(e, c.budget.Story)
}

func (c *Collector) close(e *event.Event) {
	if l := c.listeners[e.Conn]; l != nil && e.Known(event.FieldConn) {
		c.endListener(l, e)
		return
	}
	x := c.connOf(e)
	if x == nil {
		c.total.Closes++
		return
	}
	again := x.state == model.StateClosed
	if !again {
		durationFromEstablished(x, e)
		reasonFromReset(x, e)
	}
	c.learn(x, e)
	if again {
		fill(e, x)
		return
	}
	c.total.Closes++
	if connectFailed(x, e) {
		c.total.Failed++
	}
	openedFromDuration(x, e)
	c.endFlow(x)
	c.leaves(x, e)
	if e.Reason == event.ReasonListenerEnd && x.listener != nil {
		x.listener.resetWaiting++
	}
	c.finish(x, e)
	fill(e, x)
	x.tell(e, c.budget.Story)
	c.makeRoom(x)
}

// finish moves x to the closed ones.
func (c *Collector) finish(x *conn, e *event.Event) {
	if !staysQueued(x, e) {
		x.leaveQueue()
	}
	x.state = model.StateClosed
	x.ended = e.TS
	c.open.remove(x)
	c.closed.push(x)
}

func (c *Collector) reset(e *event.Event) {
	c.total.Resets++
	x := c.conns[e.Conn] // a RST makes no connection: it may come after the end of one that is forgotten
	if x == nil || !e.Known(event.FieldConn) {
		return
	}
	c.learn(x, e)
	if e.Known(event.FieldSide) {
		x.resetSide = e.Side
	}
	fill(e, x)
	x.tell(e, c.budget.Story)
}

func (c *Collector) retransmit(e *event.Event) {
	n := times(e)
	c.total.Retransmits += n
	x := c.conns[e.Conn]
	if x == nil || !e.Known(event.FieldConn) {
		if l := c.listenerOf(e); l != nil { // a SYN-ACK is sent by the listener
			if e.Reason == event.ReasonSYNACK {
				l.synAckAgain += n
			}
			l.owner.giveTo(e)
		}
		return
	}
	if x.state != model.StateClosed { // the kernel's total at the close has it already
		x.retransmits += uint32(n)
		x.have.Add(event.FieldRetransmits)
	}
	if w, server := c.workOf(x); server {
		w.Retransmits += n
	}
	c.learn(x, e)
	fill(e, x)
	c.resend(x, e, n)
	x.tell(e, c.budget.Story)
}

// settle sets the state of a connection that has not ended.
func (x *conn) settle(state string) {
	if state != model.StateAcceptQueue {
		x.leaveQueue()
	}
	if x.state != model.StateClosed {
		x.state = state
	}
}

// leaveQueue takes x out of the list of those that wait for accept.
func (x *conn) leaveQueue() {
	if l := x.links[inQueue].in; l != nil {
		l.remove(x)
	}
}

func (x *conn) setRole(role string) {
	if role == "" {
		return
	}
	x.role = role
	x.have.Add(event.FieldRole)
}

func (x *conn) knows(f event.Field) bool { return x.have.Has(f) }
