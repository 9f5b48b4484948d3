// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Every rule that joins one event with what is known from others stands here. Joins are by socket cookie (confidence
// "socket") unless the rule says otherwise.

// waitFromEstablished gives accept the time since its connection entered the accept queue, where the kernel did not.
// The entry is the moment when the handshake was complete. It is unknown when that moment was not seen, and when it
// came after the accept, as with TCP Fast Open.
func waitFromEstablished(x *conn, e *event.Event) {
	if e.Known(event.FieldWaitNS) && e.WaitNS < 0 {
		e.Forget(event.FieldWaitNS)
	}
	if e.Known(event.FieldWaitNS) || !x.saw.established || x.saw.preExisting || e.TS < x.complete {
		return
	}
	e.WaitNS = e.TS - x.complete
	e.Set(event.FieldWaitNS)
	x.learnTimes(e)
}

// handshakeFromConnect gives a client's established the time since connect, where the kernel did not. It runs on
// either event, whichever comes last.
func handshakeFromConnect(x *conn, e *event.Event) {
	if x.knows(event.FieldHandshakeNS) || !x.saw.connect || !x.saw.established || x.saw.preExisting || x.complete < x.asked {
		return
	}
	x.handshake = x.complete - x.asked
	x.have.Add(event.FieldHandshakeNS)
	if e.Kind == event.Established {
		e.HandshakeNS = x.handshake
		e.Set(event.FieldHandshakeNS)
	}
}

// forgetOldPort takes the local address out of a connect on a socket that was connected before, if it is the one of
// then: the kernel leaves the number in the socket (inet_sport) until it has chosen the next.
func forgetOldPort(x *conn, e *event.Event) {
	if x.knows(event.FieldLocal) && e.Local == x.local {
		e.Forget(event.FieldLocal)
	}
}

// durationFromEstablished gives close the time since the handshake, where the kernel did not and it was seen.
func durationFromEstablished(x *conn, e *event.Event) {
	if e.Known(event.FieldDurationNS) || !x.saw.established || x.saw.preExisting || e.TS < x.complete {
		return
	}
	e.DurationNS = e.TS - x.complete
	e.Set(event.FieldDurationNS)
}

// openedFromDuration puts the beginning of a connection that is seen only by its close where its duration says.
func openedFromDuration(x *conn, e *event.Event) {
	if !x.saw.connect && !x.saw.established && !x.saw.accept && e.Known(event.FieldDurationNS) && e.DurationNS > 0 {
		x.opened = e.TS - e.DurationNS
	}
}

// reasonFromReset names the RST that was seen before as the reason of a close that gives none.
func reasonFromReset(x *conn, e *event.Event) {
	if e.Known(event.FieldReason) || x.resetSide == "" {
		return
	}
	e.Reason = event.ReasonReset
	e.Set(event.FieldReason)
	if !e.Known(event.FieldSide) {
		e.Side = x.resetSide
		e.Set(event.FieldSide)
	}
}

// connectFailed reports whether the close is the end of a connect that never succeeded.
func connectFailed(x *conn, e *event.Event) bool {
	if x.saw.established || x.role == event.RoleServer || e.Known(event.FieldDurationNS) || e.Reason == event.ReasonFIN {
		return false // the last two tell of an established that was lost
	}
	return x.saw.connect || e.Reason == event.ReasonRefused || e.Reason == event.ReasonUnreachable
}

// staysQueued reports whether a socket that was reset stays in the accept queue: the kernel leaves it there until the
// application takes it or the listener closes.
func staysQueued(x *conn, e *event.Event) bool {
	return x.links[inQueue].in != nil && e.Reason == event.ReasonReset && e.Known(event.FieldReason) &&
		x.listener != nil && x.listener.state != model.StateClosed
}

// roleOf returns the role of a connection's socket: what the event says, else what its life so far shows.
func (c *Collector) roleOf(x *conn, e *event.Event) string {
	switch {
	case x.role != "":
		return x.role
	case x.saw.connect:
		return event.RoleClient
	case x.saw.accept, e.Known(event.FieldListenerConn), e.Known(event.FieldListener):
		return event.RoleServer
	}
	return ""
}

// port is where a listener can be looked for; netns 0 stands for an unknown one.
type port struct {
	netns uint32
	port  uint16
}

// listenerFor returns the listener of a connection: by the cookie that the event or an earlier one gives; else by
// address (listenerAt), confidence "address". x may be nil.
func (c *Collector) listenerFor(x *conn, e *event.Event) *listener {
	if e.Known(event.FieldListenerConn) {
		return c.listenerByCookie(e.ListenerConn, e)
	}
	if x != nil && x.listener != nil && !x.listener.gone {
		return x.listener
	}
	netns, local := e.NetNS, e.Local
	if x != nil {
		netns, local = x.netns, x.local
	}
	if e.Known(event.FieldListener) {
		local = e.Listener
	}
	return c.listenerAt(netns, local, e.TS)
}

// listenerAt returns the listener that the kernel would choose for a connection to addr: bound to the very address
// before a wildcard, a wildcard of the same family before [::], which takes IPv4 too. Where several fit equally
// (SO_REUSEPORT) only the kernel knows, and the answer is nil.
func (c *Collector) listenerAt(netns uint32, addr netip.AddrPort, ts int64) *listener {
	var best *listener
	score, ties := 0, 0
	for _, l := range c.byPort[port{netns, addr.Port()}] {
		s := fits(l.local.Addr(), addr.Addr())
		switch {
		case s == 0 || s < score || !l.aliveAt(ts):
		case s > score:
			best, score, ties = l, s, 0
		default:
			ties++
		}
	}
	if ties > 0 {
		return nil
	}
	return best
}

// fits returns how well a listener bound to at fits connections to addr; 0: not at all.
func fits(at, addr netip.Addr) int {
	switch {
	case at == addr:
		return 3
	case !at.IsUnspecified():
		return 0
	case at.Is4() == addr.Is4():
		return 2
	case at.Is6() && addr.Is4():
		return 1
	}
	return 0
}

// watched reports whether a client's connection goes to a listener on this host that is known, whose side will be counted.
func (c *Collector) watched(x *conn) bool {
	if x.peer == 0 && !x.remote.Addr().IsLoopback() && x.remote.Addr() != x.local.Addr() {
		return false // the same port of another host
	}
	for _, l := range c.byPort[port{x.netns, x.remote.Port()}] {
		if fits(l.local.Addr(), x.remote.Addr()) > 0 && l.aliveAt(x.complete) {
			return true
		}
	}
	return false
}

// pairKey is a number for what both sockets of a connection on one host share, each the other way round. Two pairs may
// have the same one, so that who looks one up must compare.
func pairKey(netns uint32, local, remote netip.AddrPort) uint64 {
	key := mix(uint64(netns)<<32|uint64(local.Port())<<16|uint64(remote.Port()), 0)
	return mixAddr(mixAddr(key, local.Addr()), remote.Addr())
}

func mixAddr(key uint64, a netip.Addr) uint64 {
	b := a.As16()
	return mix(key^binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:]))
}

// mix is the step of wyhash.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

// unpair makes x unknown by its addresses.
func (c *Collector) unpair(x *conn) {
	if x.paired && c.pairs[x.key] == x {
		delete(c.pairs, x.key)
	}
	x.paired = false
}

// findPeer links the two sockets of a connection whose ends are both in this network namespace. Confidence
// "address": a pair of addresses is used again in time, so both must have been alive at once.
func (c *Collector) findPeer(x *conn) {
	if !x.knows(event.FieldLocal) || !x.knows(event.FieldRemote) {
		return
	}
	x.key, x.paired = pairKey(x.netns, x.local, x.remote), true
	c.pairs[x.key] = x
	y := c.pairs[pairKey(x.netns, x.remote, x.local)]
	if y != nil && (y.netns != x.netns || y.local != x.remote || y.remote != x.local) {
		return
	}
	if y == nil || y == x || y.state == model.StateClosed && y.ended < x.opened {
		return
	}
	x.peer, y.peer = y.id, x.id
	y.texts.done = false
	rolesOfPeers(x, y)
}

// rolesOfPeers gives a socket whose connect was not seen the role that its peer's leaves for it: who is connected to a
// socket that came out of a listener has called connect.
func rolesOfPeers(x, y *conn) {
	if x.role == "" && y.role == event.RoleServer {
		x, y = y, x
	}
	if x.role == event.RoleServer && y.role == "" {
		y.setRole(event.RoleClient)
	}
}

// mptcpTwin returns the listener that the event's socket is the other half of: an MPTCP listener (what Go's
// net.Listen makes) is an MPTCP socket in front of a TCP one with the same address and owner, and both say listen.
// Confidence "address".
func (c *Collector) mptcpTwin(e *event.Event) *listener {
	for _, l := range c.byPort[port{e.NetNS, e.Listener.Port()}] {
		if l.local == e.Listener && l.twin == 0 && l.state != model.StateClosed && l.owner.pid == e.PID &&
			(l.proto == mptcp) != (e.Proto == mptcp) {
			return l
		}
	}
	return nil
}

const mptcp = "mptcp"

// joinTwin makes the event's socket known as the other half of l. The TCP half gives the cookie: its connections name it.
func (c *Collector) joinTwin(l *listener, e *event.Event) {
	l.twin = e.Conn
	if l.proto == mptcp {
		l.id, l.twin, l.proto = e.Conn, l.id, e.Proto
	}
	c.listeners[e.Conn] = l
}
