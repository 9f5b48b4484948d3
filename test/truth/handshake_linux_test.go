// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/test/spoof"
)

// spoofing is a listener on a TUN device, and the device.
type spoofing struct {
	*pair
	*watch
	l   socket
	tun spoof.Tun
}

// newSpoofing makes a listener that nobody accepts from. sysctls are of net/ipv4/.
func newSpoofing(t *testing.T, backlog int, c live.Config, sysctls map[string]string) *spoofing {
	t.Helper()
	p, w := newWatched(t, c)
	p.ns.Sysctl(t, "ipv4/tcp_max_syn_backlog", "4096") // that of a small machine is small
	for name, value := range sysctls {
		p.ns.Sysctl(t, "ipv4/"+name, value)
	}
	tun := do[spoof.Tun](p.client, "tun", struct{}{})
	l := w.listen(p, listenArgs{Addr: netip.AddrPortFrom(spoof.Server(), 0), Backlog: backlog})
	return &spoofing{p, w, l, tun}
}

// syn sends n SYNs from clients first, first+1 … and returns those that were answered.
func (s *spoofing) syn(first, n int) []spoofed {
	s.watch.t.Helper()
	var answered []spoofed
	for _, c := range do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: n, First: first, Answer: true}) {
		if c.Answered {
			answered = append(answered, c)
		}
	}
	return answered
}

func (s *spoofing) ack(clients []spoofed) {
	s.watch.t.Helper()
	do[int](s.client, "ack", spoofACKArgs{Tun: s.tun, Port: s.l.Local.Port(), Clients: clients})
}

// TestSYNQueueOverflow: 40 SYNs of nobody fill a SYN queue for 8, which holds 9. The others are refused, or answered
// with a cookie.
func TestSYNQueueOverflow(t *testing.T) {
	const backlog, queued, syns = 8, 9, 40
	for _, c := range []struct{ cookies, refused, sent, length int }{
		{0, syns - queued, 0, queued},
		{1, 0, syns - queued, queued},
		{2, 0, syns, 0},
	} {
		t.Run(fmt.Sprintf("tcp_syncookies %d", c.cookies), func(t *testing.T) {
			s := newSpoofing(t, backlog, live.Config{SYN: true}, map[string]string{"tcp_syncookies": fmt.Sprint(c.cookies)})
			if answered := s.syn(0, syns); len(answered) != syns-c.refused {
				t.Errorf("%d SYNs were answered, want %d", len(answered), syns-c.refused)
			}
			s.untilSampled(s.l)
			got, counted := s.refused(s.l), netstat(t, s.pair)
			s.refusedAs(&got, counted, counts{event.ReasonSYNQueueFull: uint64(c.refused)}, nil)
			s.cookies(&got, counted, uint64(c.sent), 0)
			check := &checker{e: &got.sample}
			is(check, event.FieldSYNQueue, got.sample.SYNQueue, uint32(c.length))
			s.report(check)
			s.synEvents(queued*btoi(c.cookies < 2), c.sent)
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cookies compares what is said of SYN cookies.
func (s *spoofing) cookies(got *refusals, counted map[string]uint64, sent, accepted uint64) {
	s.watch.t.Helper()
	if counted["SyncookiesSent"] != sent || got.space.SyncookiesSent != sent || got.space.SyncookiesRecv != counted["SyncookiesRecv"] {
		s.wrong("netstat has %d cookies sent, netns %+v, want %d", counted["SyncookiesSent"], got.space, sent)
	}
	c := &checker{e: &got.sample}
	if s.knows(knowsReasons) {
		is(c, event.FieldCookiesSent, got.sample.CookiesSent, sent)
		is(c, event.FieldCookiesOK, got.sample.CookiesOK, accepted)
	} else {
		c.absent(event.FieldCookiesSent)
		c.absent(event.FieldCookiesOK)
	}
	s.report(c)
}

// synEvents checks how many SYNs were told as queued, and how many as answered with a cookie.
func (s *spoofing) synEvents(queued, cookies int) {
	s.watch.t.Helper()
	if !s.knows(knowsSYN) {
		s.verifyNoSYN()
		return
	}
	n := map[bool]int{}
	for _, e := range s.seen() {
		if e.Kind == event.SYN && e.NetNS == s.ns() && e.Known(event.FieldCookie) {
			n[e.Cookie] += max(1, int(e.Count))
		}
	}
	if n[false] != queued || n[true] != cookies {
		s.wrong("%d SYNs are told as queued, %d as answered with a cookie, want %d and %d", n[false], n[true], queued, cookies)
	}
}

func (s *spoofing) ns() uint32 { return s.watch.ns }

// TestSYNBacklogLimit: without cookies SYNs are refused when a quarter or less of tcp_max_syn_backlog is left.
func TestSYNBacklogLimit(t *testing.T) {
	s := newSpoofing(t, 100, live.Config{}, map[string]string{"tcp_syncookies": "0", "tcp_max_syn_backlog": "16"})
	const syns, queued = 40, 13
	s.syn(0, syns)
	s.untilSampled(s.l)
	got := s.refused(s.l)
	s.refusedAs(&got, netstat(t, s.pair), counts{event.ReasonSYNBacklogLimit: syns - queued}, nil)
}

// TestFinalACKRefused: four connections and four half-open ones on a backlog of 4, which holds five. Of the four last
// ACKs one fits. Each refused one counts once, and with tcp_abort_on_overflow is answered with a RST.
func TestFinalACKRefused(t *testing.T) {
	for _, abort := range []int{0, 1} {
		t.Run(fmt.Sprintf("tcp_abort_on_overflow %d", abort), func(t *testing.T) {
			s := newSpoofing(t, 4, live.Config{}, map[string]string{"tcp_abort_on_overflow": fmt.Sprint(abort)})
			half := s.syn(0, 4)
			s.ack(s.syn(10, 4))
			if len(half) != 4 {
				t.Fatalf("%d SYNs were answered, want 4", len(half))
			}
			s.ack(half)
			s.untilSampled(s.l)
			got, counted := s.refused(s.l), netstat(t, s.pair)
			s.refusedAs(&got, counted, nil, counts{event.ReasonAcceptQueueFull: 3})
			if got.space.EmbryonicRsts != counted["EmbryonicRsts"] || counted["EmbryonicRsts"] != uint64(3*abort) {
				t.Errorf("EmbryonicRsts are %d, netns says %d, want %d", counted["EmbryonicRsts"], got.space.EmbryonicRsts, 3*abort)
			}
			s.resets(3*abort, half)
			s.aboutClients(half)
		})
	}
}

// resets checks how many RSTs the listener sent, and that each went to one of these clients.
func (s *spoofing) resets(want int, clients []spoofed) {
	s.watch.t.Helper()
	n := 0
	for _, e := range s.seen() {
		if e.Kind != event.Reset || e.NetNS != s.ns() || e.Listener != s.l.Local || e.Side != event.SideLocal {
			continue
		}
		n++
		if !slices.ContainsFunc(clients, func(c spoofed) bool { return c.Addr == e.Remote }) {
			s.wrong("a RST to nobody: %s", e.AppendJSON(nil))
		}
	}
	if n != want {
		s.wrong("the listener sent %d RSTs, want %d", n, want)
	}
}

// aboutClients checks that the single refusals name their clients, and the queues.
func (s *spoofing) aboutClients(clients []spoofed) {
	s.watch.t.Helper()
	known := map[netip.AddrPort]bool{}
	for _, c := range clients {
		known[c.Addr] = true
	}
	for _, e := range s.seen() {
		if e.Kind != event.SYNDrop || e.NetNS != s.ns() || !e.Known(event.FieldRemote) {
			continue
		}
		c := &checker{e: &e}
		is(c, event.FieldPID, e.PID, s.server.PID)
		is(c, event.FieldListener, e.Listener, s.l.Local)
		is(c, event.FieldAcceptQueue, e.AcceptQueue, 5)
		is(c, event.FieldBacklog, e.Backlog, 4)
		is(c, event.FieldRole, e.Role, event.RoleServer)
		if !known[e.Remote] {
			c.wrong("the client is %v, which sent nothing that was refused", e.Remote)
		}
		delete(known, e.Remote)
		s.report(c)
	}
}

// TestCookieRefused: connections made from SYN cookies, until the accept queue is full. With tcp_syncookies 1 more
// final ACKs come for the requests that filled the SYN queue: the listener's socket counts each refused one of these twice.
func TestCookieRefused(t *testing.T) {
	const fit = 5
	for _, c := range []struct{ cookies, clients, queued int }{{2, 8, 0}, {1, 12, 5}} {
		t.Run(fmt.Sprintf("tcp_syncookies %d", c.cookies), func(t *testing.T) {
			s := newSpoofing(t, fit-1, live.Config{}, map[string]string{"tcp_syncookies": fmt.Sprint(c.cookies)})
			answered := s.syn(0, c.clients)
			slices.Reverse(answered) // the SYN queue was filled first: the ACKs on cookies come before those on requests
			s.ack(answered)
			counted := s.untilQuiet(s.pair, s.l)
			got, sent := s.refused(s.l), uint64(c.clients-c.queued)
			got.once = bounds{sent - fit, sent - fit}
			s.cookies(&got, counted, sent, fit)
			if s.knows(knowsRefusals) { // older kernels free the ACK without saying why
				s.refusedAs(&got, counted, nil, counts{event.ReasonAcceptQueueFull: uint64(c.clients - fit)})
			}
		})
	}
}

// TestRefusedAmongRepeats: a listener's socket also counts what comes again for a request in its SYN queue: the same SYN,
// and a SYN of another connection. Nothing of it is refused.
func TestRefusedAmongRepeats(t *testing.T) {
	s := newSpoofing(t, 8, live.Config{}, map[string]string{"tcp_syncookies": "0"})
	const syns, queued = 20, 9
	s.syn(0, syns)
	for range 3 {
		s.syn(0, queued)
	}
	s.untilSampled(s.l)
	got, counted := s.refused(s.l), netstat(t, s.pair)
	if counted["ListenDrops"] != syns-queued || got.space.ListenDrops != syns-queued || got.sample.SkDrops <= syns-queued {
		t.Fatalf("netstat has %d drops, netns %d, the socket %d, want %d and more", counted["ListenDrops"], got.space.ListenDrops, got.sample.SkDrops, syns-queued)
	}
	if !s.knows(knowsRefusals) {
		return
	}
	if got.syn.sum() != syns-queued || got.ack.sum() != 0 || got.sample.Drops != syns-queued {
		t.Errorf("refused SYNs %v and ACKs %v, %d in all, want %d SYNs", got.syn, got.ack, got.sample.Drops, syns-queued)
	}
}

// TestRefusalFlood: more SYNs than single events are sent for. The rest comes in groups, and nothing is missing.
func TestRefusalFlood(t *testing.T) {
	s := newSpoofing(t, 1, live.Config{}, map[string]string{"tcp_syncookies": "0"})
	const syns, queued = 3000, 2
	do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: syns})
	s.untilSampled(s.l)
	got := s.refused(s.l)
	s.refusedAs(&got, netstat(t, s.pair), counts{event.ReasonSYNQueueFull: syns - queued}, nil)
	if got.single > syns/3 {
		t.Errorf("%d single events, which is no limit", got.single)
	}
	s.lossless()
}

// TestCookieFlood: of a flood that is answered with SYN cookies few SYNs are told one by one, and all are counted.
func TestCookieFlood(t *testing.T) {
	s := newSpoofing(t, 1, live.Config{SYN: true}, map[string]string{"tcp_syncookies": "1"})
	const syns, queued = 3000, 2
	do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: syns})
	s.untilSampled(s.l)
	got, counted := s.refused(s.l), netstat(t, s.pair)
	s.cookies(&got, counted, syns-queued, 0)
	s.synEvents(queued, syns-queued)
	single := 0
	for _, e := range s.seen() {
		if e.Kind == event.SYN && e.NetNS == s.ns() && !e.Known(event.FieldCount) {
			single++
		}
	}
	if single > syns/3 {
		t.Errorf("%d single events, which is no limit", single)
	}
	s.lossless()
}

// TestRefusalOfClosed: what a listener refused is told before its end, and the counters are free for others.
func TestRefusalOfClosed(t *testing.T) {
	s := newSpoofing(t, 1, live.Config{}, map[string]string{"tcp_syncookies": "0"})
	const syns, queued = 1000, 2
	s.untilSampled(s.l)
	do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: syns})
	do[[]socket](s.server, "finish", finishArgs{Sockets: []socket{s.l}})
	end := s.until("the listener's end", func(e *event.Event) bool { return e.Kind == event.Unlisten && e.Listener == s.l.Local })
	if !s.knows(knowsRefusals) {
		return
	}
	time.Sleep(50 * time.Millisecond)
	got := s.refused(s.l)
	if n := got.syn.sum(); n != syns-queued {
		t.Errorf("%d refusals were told, want %d", n, syns-queued)
	}
	for _, e := range s.seen() {
		if e.Kind == event.SYNDrop && e.NetNS == s.ns() && e.TS > end.TS {
			t.Errorf("after the listener's end: %s", e.AppendJSON(nil))
		}
	}
}
