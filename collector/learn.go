// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// learn takes into x every fact that the event states.
func (c *Collector) learn(x *conn, e *event.Event) {
	x.texts.done = false
	if e.Known(event.FieldRole) {
		x.setRole(e.Role)
	}
	if !x.owner.known() || x.inherited {
		x.takeOwner(e)
	}
	x.learnTimes(e)
	x.learnTotals(e)
	if x.listener == nil && e.Kind == event.Close && e.Known(event.FieldListenerConn) {
		x.listener = c.listeners[e.ListenerConn]
	}
	if c.learnAddresses(x, e) {
		c.findPeer(x)
	}
}

// takeOwner makes the process that the event names the owner.
func (x *conn) takeOwner(e *event.Event) {
	if e.Known(event.FieldPID) {
		x.owner = ownerOf(e)
		x.inherited = false
	}
}

// learnAddresses returns whether an address is news.
func (c *Collector) learnAddresses(x *conn, e *event.Event) bool {
	news := false
	if e.Known(event.FieldNetNS) {
		news = x.netns != e.NetNS
		x.netns = e.NetNS
		x.have.Add(event.FieldNetNS)
	}
	if e.Known(event.FieldLocal) && e.Local.Port() != 0 { // bound, but the port is chosen inside connect
		news = news || x.local != e.Local
		x.local = e.Local
		x.have.Add(event.FieldLocal)
	}
	if e.Known(event.FieldRemote) {
		news = news || x.remote != e.Remote
		x.remote = e.Remote
		x.have.Add(event.FieldRemote)
	}
	if news {
		c.unpair(x)
		x.texts.local, x.texts.remote = "", ""
	}
	return news
}

// learnTimes takes the times; a negative one is no time.
func (x *conn) learnTimes(e *event.Event) {
	take := func(f event.Field, to *int64, v int64) {
		if e.Known(f) && v >= 0 {
			*to = v
			x.have.Add(f)
		}
	}
	take(event.FieldHandshakeNS, &x.handshake, e.HandshakeNS)
	take(event.FieldWaitNS, &x.wait, e.WaitNS)
	take(event.FieldRTTNS, &x.rtt, e.RTTNS)
	take(event.FieldDurationNS, &x.duration, e.DurationNS)
}

// totalFields are what learnTotals takes.
var totalFields = event.MaskOf(event.FieldBytesIn, event.FieldBytesOut, event.FieldRetransmits, event.FieldFD, event.FieldErrno)

func (x *conn) learnTotals(e *event.Event) {
	x.have = x.have.Or(e.Has.And(totalFields))
	if e.Known(event.FieldBytesIn) {
		x.bytesIn = e.BytesIn
	}
	if e.Known(event.FieldBytesOut) {
		x.bytesOut = e.BytesOut
	}
	if e.Known(event.FieldRetransmits) {
		x.retransmits = e.Retransmits
	}
	if e.Known(event.FieldFD) {
		x.fd = e.FD
	}
	if e.Known(event.FieldErrno) {
		x.errno = e.Errno
	}
	if e.Known(event.FieldReason) && e.Kind == event.Close {
		x.reason = e.Reason
	}
}

// fill completes an event with what is known about its connection: owner, role, addresses, listener.
func fill(e *event.Event, x *conn) {
	x.owner.giveTo(e)
	if x.role != "" && !e.Known(event.FieldRole) {
		e.Role = x.role
		e.Set(event.FieldRole)
	}
	if x.knows(event.FieldNetNS) && !e.Known(event.FieldNetNS) {
		e.NetNS = x.netns
		e.Set(event.FieldNetNS)
	}
	if x.knows(event.FieldLocal) && !e.Known(event.FieldLocal) {
		e.Local = x.local
		e.Set(event.FieldLocal)
	}
	if x.knows(event.FieldRemote) && !e.Known(event.FieldRemote) {
		e.Remote = x.remote
		e.Set(event.FieldRemote)
	}
	if e.Kind == event.Established || e.Kind == event.Accept {
		fillListener(e, x.listener)
	}
}

// fillListener names the listener in an event that does not.
func fillListener(e *event.Event, l *listener) {
	if l == nil {
		return
	}
	if l.local.IsValid() && !e.Known(event.FieldListener) {
		e.Listener = l.local
		e.Set(event.FieldListener)
	}
	if !e.Known(event.FieldListenerConn) || e.ListenerConn == l.twin {
		e.ListenerConn = l.id
		e.Set(event.FieldListenerConn)
	}
}

// traffic counts the bytes of a connection that is still open.
func (x *conn) traffic(e *event.Event) {
	if x.state == model.StateClosed {
		return
	}
	to, field := &x.bytesIn, event.FieldBytesIn
	if e.Turn.Direction == event.DirOut {
		to, field = &x.bytesOut, event.FieldBytesOut
	}
	*to = max(*to, e.Turn.Pos+e.Bytes)
	x.have.Add(field)
	if e.Known(event.FieldUnread) {
		x.unread = e.Turn.Unread
		x.have.Add(event.FieldUnread)
	}
}

// trafficOfPeer counts them for the other end, if that one is a client here, whose own turns are not told: what was read it
// has sent, and what was acknowledged it has.
func (c *Collector) trafficOfPeer(x *conn, e *event.Event) {
	y := c.conns[x.peer]
	if x.peer == 0 || y == nil || y.role != event.RoleClient || y.state == model.StateClosed {
		return
	}
	to, field := &y.bytesOut, event.FieldBytesOut
	if e.Turn.Direction == event.DirOut {
		to, field = &y.bytesIn, event.FieldBytesIn
		if !e.Known(event.FieldAckedTS) {
			return
		}
	}
	*to = max(*to, e.Turn.Pos+e.Bytes)
	y.have.Add(field)
}
