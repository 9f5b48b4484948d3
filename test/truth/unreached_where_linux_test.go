// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/test/spoof"
)

// at is an address of a listener of the server's, at the port of another or at any.
func (w *watch) at(p *pair, addr string, port uint16, a listenArgs) socket {
	a.Addr, a.Backlog = netip.AddrPortFrom(netip.MustParseAddr(addr), port), 16
	return w.listen(p, a)
}

// knock has n clients send SYNs that nobody answers to the port of a listener, and returns how many.
func knock(p *pair, addr string, l socket, n int, hold time.Duration) uint64 {
	crowd := do[crowdResult](p.client, "crowd", crowdArgs{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), l.Local.Port()), N: n, Hold: hold})
	return uint64(crowd.SYNs)
}

// TestUnreachedElsewhere: SYNs that are dropped on their way to another host, or to where nobody listens, are no listener's,
// whoever listens at their port. Those that are for it are told.
func TestUnreachedElsewhere(t *testing.T) {
	if !reasonExists(t, "NETFILTER_DROP") {
		t.Skip("this kernel names no reason")
	}
	for _, c := range []struct {
		name, listens, loopback string
		only                    bool // IPv6
		elsewhere               func(*testing.T, *spoofing, socket)
	}{
		{"leaves", "0.0.0.0", "127.0.0.1", false, func(t *testing.T, p *spoofing, l socket) {
			change(t, p.pair, "iptables -A OUTPUT -p tcp -d 10.9.1.1 -j DROP")
			knock(p.pair, "10.9.1.1", l, 5, 100*time.Millisecond)
		}},
		{"leaves by IPv6", "::", "::1", false, func(t *testing.T, p *spoofing, l socket) {
			change(t, p.pair, "ip -6 addr add fd00:41::1/64 dev tun0 nodad", "ip6tables -A OUTPUT -p tcp -d fd00:41::2 -j DROP")
			knock(p.pair, "fd00:41::2", l, 5, 100*time.Millisecond)
		}},
		{"dead neighbour", "0.0.0.0", "127.0.0.1", false, func(t *testing.T, p *spoofing, l socket) {
			change(t, p.pair, "ip link add va type veth peer name vb", "ip addr add 10.41.0.1/24 dev va", "ip link set va up", "ip link set vb up")
			knock(p.pair, "10.41.0.99", l, 4, 4*time.Second)
		}},
		{"forwarded", "0.0.0.0", "127.0.0.1", false, func(t *testing.T, p *spoofing, l socket) {
			p.pair.ns.Sysctl(t, "ipv4/ip_forward", "1")
			change(t, p.pair, "iptables -A FORWARD -p tcp -j DROP")
			do[[]spoofed](p.client, "spoof", spoofArgs{Tun: p.tun, Port: l.Local.Port(), N: 6, To: netip.MustParseAddr("10.9.0.77")})
		}},
		{"IPv4 where only IPv6 is listened", "::", "::1", true, func(t *testing.T, p *spoofing, l socket) {
			knock(p.pair, "127.0.0.1", l, 3, 100*time.Millisecond)
		}},
		{"IPv4 where IPv6 is listened", "::", "127.0.0.1", false, func(*testing.T, *spoofing, socket) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSpoofing(t, 16, live.Config{}, nil)
			l := s.at(s.pair, c.listens, 0, listenArgs{IPv6Only: c.only})
			change(t, s.pair, "iptables -A INPUT -p tcp -j DROP", "ip6tables -A INPUT -p tcp -j DROP")
			c.elsewhere(t, s, l)
			mine := knock(s.pair, c.loopback, l, 3, 100*time.Millisecond)
			s.untilSampled(l)
			if got := s.refused(l); got.syn.sum() != mine || got.unplaced != 0 {
				t.Errorf("%d SYNs are told of the listener, %d of none; want %d and 0", got.syn.sum(), got.unplaced, mine)
			}
		})
	}
}

// TestUnreachedUnrouted: before a SYN has a route nobody knows whether it is for this host. It is told of the network namespace,
// unless a listener has that very address.
func TestUnreachedUnrouted(t *testing.T) {
	if !reasonExists(t, "NETFILTER_DROP") {
		t.Skip("this kernel names no reason")
	}
	const syns = 7
	for _, c := range []struct {
		listens        string
		told, unplaced uint64
	}{{"0.0.0.0", 0, syns}, {spoof.Server().String(), syns, 0}} {
		t.Run(c.listens, func(t *testing.T) {
			s := newSpoofing(t, 16, live.Config{}, nil)
			l := s.at(s.pair, c.listens, 0, listenArgs{})
			change(t, s.pair, "iptables -t raw -A PREROUTING -p tcp -j DROP")
			do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: l.Local.Port(), N: syns})
			s.untilSampled(l)
			if got := s.refused(l); got.syn.sum() != c.told || got.unplaced != c.unplaced {
				t.Errorf("%d SYNs are told of the listener, %d of none; want %d and %d", got.syn.sum(), got.unplaced, c.told, c.unplaced)
			}
			for _, e := range s.seen() {
				if e.Kind == event.SYNDrop && e.NetNS == s.ns() && e.Known(event.FieldLocal) == (c.unplaced > 0) {
					t.Errorf("the local address is told, or not: %s", e.AppendJSON(nil))
				}
			}
		})
	}
}

// TestUnreachedOneOf: of several listeners at a port each is told of its own SYNs, and the one that stays of all that come
// when the others have closed.
func TestUnreachedOneOf(t *testing.T) {
	const first, second, many, few = "127.0.0.1", "127.0.0.2", 400, 7
	if !reasonExists(t, "SOCKET_FILTER") {
		t.Skip("this kernel names no reason")
	}
	t.Run("each", func(t *testing.T) {
		p, w := newWatched(t, live.Config{})
		a := w.at(p, first, 0, listenArgs{})
		b := w.at(p, second, a.Local.Port(), listenArgs{})
		sent := map[netip.AddrPort]uint64{}
		for _, l := range []socket{a, b} {
			do[int](p.server, "deafen", l)
			sent[l.Local] = knock(p, l.Local.Addr().String(), l, many, 100*time.Millisecond)
		}
		w.untilSampled(b)
		for _, l := range []socket{a, b} {
			if got := w.refused(l); got.syn.sum() != sent[l.Local] {
				t.Errorf("%d SYNs are told of %v, want %d", got.syn.sum(), l.Local, sent[l.Local])
			}
		}
	})
	for _, closes := range []string{first, second} {
		t.Run("when that at "+closes+" has closed", func(t *testing.T) {
			p, w := newWatched(t, live.Config{})
			a := w.at(p, first, 0, listenArgs{ReusePort: true})
			b := w.at(p, closes, a.Local.Port(), listenArgs{ReusePort: true})
			do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{b}})
			do[int](p.server, "deafen", a)
			sent := knock(p, first, a, few, 100*time.Millisecond)
			w.untilSampled(a)
			if got := w.refused(a); got.syn.sum() != sent || got.unplaced != 0 {
				t.Errorf("%d SYNs are told of %v, %d of none, want %d", got.syn.sum(), a.Local, got.unplaced, sent)
			}
		})
	}
}
