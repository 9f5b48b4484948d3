// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// existing returns what there is in a snapshot as events: namespaces with their settings, open listeners with their queues,
// open connections. It is the beginning of a recording that starts in the middle of a run, just as live collection
// begins with what it finds.
func existing(s *model.Snapshot) []event.Event {
	var out []event.Event
	for i := range s.Namespaces {
		out = append(out, existingSpace(&s.Namespaces[i], s.TS))
	}
	for i := range s.Listeners {
		if l := &s.Listeners[i]; l.State != model.StateClosed {
			out = append(out, existingListener(l))
		}
	}
	for i := range s.Connections {
		if c := &s.Connections[i]; c.State != model.StateClosed {
			out = append(out, existingConnection(c))
		}
	}
	for i := range s.Listeners { // after those who wait, so that the queue's length is that of the sample
		if l := &s.Listeners[i]; l.State != model.StateClosed {
			out = append(out, existingQueue(l, s.TS))
		}
	}
	return out
}

func existingSpace(n *model.Namespace, now int64) event.Event {
	e := event.Event{TS: now, Kind: event.NetNS, PreExisting: true, Space: &event.Space{}}
	e.Set(event.FieldPreExisting)
	setNetNS(&e, n.NetNS)
	v := e.Space
	set(&e, event.FieldListenOverflows, &v.ListenOverflows, n.ListenOverflows)
	set(&e, event.FieldListenDrops, &v.ListenDrops, n.ListenDrops)
	set(&e, event.FieldReqQFullDrop, &v.ReqQFullDrop, n.ReqQFullDrop)
	set(&e, event.FieldReqQFullDoCookies, &v.ReqQFullDoCookies, n.ReqQFullDoCookies)
	set(&e, event.FieldSyncookiesSent, &v.SyncookiesSent, n.SyncookiesSent)
	set(&e, event.FieldSyncookiesRecv, &v.SyncookiesRecv, n.SyncookiesRecv)
	set(&e, event.FieldSyncookiesFailed, &v.SyncookiesFailed, n.SyncookiesFailed)
	set(&e, event.FieldEmbryonicRsts, &v.EmbryonicRsts, n.EmbryonicRsts)
	set(&e, event.FieldSomaxConn, &v.SomaxConn, n.SomaxConn)
	set(&e, event.FieldMaxSYNBacklog, &v.MaxSYNBacklog, n.MaxSYNBacklog)
	set(&e, event.FieldSYNCookies, &v.SYNCookies, n.SYNCookies)
	set(&e, event.FieldAbortOnOverflow, &v.AbortOnOverflow, n.AbortOnOverflow)
	return e
}

// existingQueue is a listener's last sample, with the counters that go on from there.
func existingQueue(l *model.Listener, now int64) event.Event {
	e := event.Event{TS: now, Kind: event.Queue, Conn: l.Conn, ListenerConn: l.Conn, PreExisting: true, Proto: "tcp"}
	e.Set(event.FieldConn, event.FieldListenerConn, event.FieldPreExisting, event.FieldProto)
	setNetNS(&e, l.NetNS)
	if setAddr(&e.Local, l.Local) {
		e.Listener = e.Local
		e.Set(event.FieldLocal, event.FieldListener)
	}
	set(&e, event.FieldSYNQueue, &e.SYNQueue, l.SYNQueue)
	set(&e, event.FieldSYNYoung, &e.SYNYoung, l.SYNYoung)
	set(&e, event.FieldAcceptQueue, &e.AcceptQueue, l.AcceptQueue)
	set(&e, event.FieldBacklog, &e.Backlog, l.Backlog)
	set(&e, event.FieldOverflows, &e.Overflows, l.Overflows)
	set(&e, event.FieldDrops, &e.Drops, l.Drops)
	set(&e, event.FieldSkDrops, &e.SkDrops, l.SkDrops)
	set(&e, event.FieldCookiesSent, &e.CookiesSent, l.CookiesSent)
	set(&e, event.FieldCookiesOK, &e.CookiesOK, l.CookiesOK)
	return e
}

func existingListener(l *model.Listener) event.Event {
	e := event.Event{TS: l.Opened, Kind: event.Listen, Conn: l.Conn, PreExisting: true, Proto: "tcp"}
	e.Set(event.FieldConn, event.FieldPreExisting, event.FieldProto)
	setOwner(&e, &l.Process)
	setNetNS(&e, l.NetNS)
	if setAddr(&e.Local, l.Local) {
		e.Listener = e.Local
		e.Set(event.FieldLocal, event.FieldListener)
	}
	set(&e, event.FieldBacklog, &e.Backlog, l.Backlog)
	set(&e, event.FieldBacklogAsked, &e.BacklogAsked, l.BacklogAsked)
	return e
}

func existingConnection(c *model.Connection) event.Event {
	e := event.Event{TS: c.Opened, Kind: event.Established, Conn: c.Conn, PreExisting: true, Proto: "tcp"}
	if c.State == model.StateConnecting {
		e.Kind = event.Connect
	}
	e.Set(event.FieldConn, event.FieldProto, event.FieldPreExisting)
	if c.State == model.StateAcceptQueue {
		e.Queued = true
		e.Set(event.FieldQueued)
	}
	setOwner(&e, &c.Process)
	set(&e, event.FieldTID, &e.TID, c.TID)
	setNetNS(&e, c.NetNS)
	if c.Role != "" {
		e.Role = c.Role
		e.Set(event.FieldRole)
	}
	if setAddr(&e.Local, c.Local) {
		e.Set(event.FieldLocal)
	}
	if setAddr(&e.Remote, c.Remote) {
		e.Set(event.FieldRemote)
	}
	set(&e, event.FieldHandshakeNS, &e.HandshakeNS, c.HandshakeNS)
	set(&e, event.FieldRTTNS, &e.RTTNS, c.RTTNS)
	set(&e, event.FieldListenerConn, &e.ListenerConn, c.Listener)
	return e
}

// set copies a value if it is known.
func set[T any](e *event.Event, f event.Field, to *T, from model.Opt[T]) {
	if from.Known {
		*to = from.V
		e.Set(f)
	}
}

func setAddr(to *netip.AddrPort, text string) bool {
	addr, err := netip.ParseAddrPort(text)
	*to = addr
	return err == nil
}

func setNetNS(e *event.Event, n uint32) {
	if n != 0 {
		e.NetNS = n
		e.Set(event.FieldNetNS)
	}
}

func setOwner(e *event.Event, p *model.Process) {
	set(e, event.FieldPID, &e.PID, p.PID)
	set(e, event.FieldNSPID, &e.NSPID, p.NSPID)
	if p.Comm != "" {
		e.Comm = p.Comm
		e.Set(event.FieldComm)
	}
	if p.Container != "" {
		e.Container = p.Container
		e.Set(event.FieldContainer)
	}
	if p.Unit != "" {
		e.Unit = p.Unit
		e.Set(event.FieldUnit)
	}
}
