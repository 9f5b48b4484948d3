// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
	"beltrace/test/spoof"
)

// refusals are what the events of a listener add up to.
type refusals struct {
	syn, ack counts      // by reason
	once     bounds      // refused ACKs that the listener's own counter has once, not twice
	single   int         // events that stand for one refusal each
	unplaced uint64      // of the namespace, without a listener
	sample   event.Event // the last sample
	space    event.Space // the namespace's counters as last told
}

// refused adds up the refusals of a listener.
func (w *watch) refused(l socket) refusals {
	r := refusals{syn: counts{}, ack: counts{}}
	for _, e := range w.seen() {
		if e.NetNS != w.ns {
			continue
		}
		count := uint64(1)
		if e.Known(event.FieldCount) {
			count = e.Count
		}
		switch {
		case e.Kind == event.NetNS:
			r.space = *e.Space
		case e.Kind == event.Queue && e.ListenerConn == w.cookie(l):
			r.sample = e
		case e.Kind == event.SYNDrop && !e.Known(event.FieldListener):
			r.unplaced += count
		case e.Kind == event.SYNDrop && e.ListenerConn == w.cookie(l):
			if e.Known(event.FieldRemote) {
				r.single++
			}
			if e.Stage == event.StageACK {
				r.ack[e.Reason] += count
			} else {
				r.syn[e.Reason] += count
			}
		}
	}
	return r
}

// cookie is the number under which beltrace knows a listener: its cookie, or one of beltrace's own.
func (w *watch) cookie(l socket) uint64 {
	if w.knows(knowsCookie) {
		return l.Cookie
	}
	for _, e := range w.seen() {
		if e.Kind == event.Listen && e.NetNS == w.ns && e.Local == l.Local {
			return e.Conn
		}
	}
	return 0
}

// untilSampled waits until all that is told once a second has been told of what happened before now. What only the
// listener's counter of drops shows is believed when two reads agree; that of the namespace may be told one read later.
func (w *watch) untilSampled(l socket) {
	w.t.Helper()
	after := testkit.Mono() + int64(1100*time.Millisecond)
	if !w.knows(knowsReasons) {
		after += int64(time.Second)
	}
	w.until("a sample", func(e *event.Event) bool {
		return e.Kind == event.Queue && e.NetNS == w.ns && e.ListenerConn == w.cookie(l) && e.TS > after
	})
	time.Sleep(50 * time.Millisecond) // the namespace's counters come behind the samples
}

// untilQuiet waits until the samples have all that the kernel counts, and returns that. A SYN-ACK that is sent again is
// answered by an ACK that is refused once more, at any time.
func (w *watch) untilQuiet(p *pair, l socket) map[string]uint64 {
	w.t.Helper()
	for range 8 {
		before := netstat(w.t, p)
		w.untilSampled(l)
		if after := netstat(w.t, p); after["ListenDrops"] == before["ListenDrops"] {
			return after
		}
	}
	w.t.Fatal("the kernel does not stop to count drops")
	return nil
}

// TestAcceptQueueOverflow: nobody accepts. A backlog of N holds N + 1, all other clients are refused, each SYN is counted
// once, and beltrace, the kernel's own counters and the clients agree on how many.
func TestAcceptQueueOverflow(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	sizes := []struct{ backlog, clients int }{{1, 10}, {4, 20}, {128, 400}}
	var listeners []socket
	var waiting []pending[crowdResult]
	for _, c := range sizes {
		l := w.listen(p, listenArgs{Addr: loopback4, Backlog: c.backlog})
		listeners = append(listeners, l)
		waiting = append(waiting, begin[crowdResult](p.client, "crowd", crowdArgs{Addr: l.Local, N: c.clients, Hold: 1500 * time.Millisecond}))
	}
	var crowds []crowdResult
	for _, c := range waiting {
		crowds = append(crowds, c.result())
	}
	counted, all := w.untilQuiet(p, listeners[0]), refusals{}
	all.syn, all.ack = counts{}, counts{}
	for i, l := range listeners {
		got := w.refused(l)
		if got.sample.AcceptQueue != uint32(sizes[i].backlog+1) {
			t.Errorf("the accept queue for %d holds %d, want %d", sizes[i].backlog, got.sample.AcceptQueue, sizes[i].backlog+1)
		}
		if syns := uint64(crowds[i].SYNs - len(crowds[i].Connected)); w.knows(knowsRefusals) && got.syn.sum() != syns {
			t.Errorf("backlog %d: refused SYNs are %v, the clients sent %d in vain", sizes[i].backlog, got.syn, syns)
		}
		all.add(&got)
	}
	syns := uint64(0)
	for _, c := range crowds {
		syns += uint64(c.SYNs - len(c.Connected))
	}
	w.agree(&all, counted, syns)
}

// bounds are from where to where a number may be.
type bounds struct{ least, most uint64 }

// onCookies is how many of the refused ACKs were for a SYN cookie: tcp_v4_syn_recv_sock() counts each at the listener's
// socket, and for one that came for a request tcp_v4_rcv() does once more. When many SYNs come before the first ACK, the
// SYN queue is as full as the accept queue soon will be, and the kernel answers with cookies. Of the ACKs on them, those
// that were not refused are in the accept queue.
func (w *watch) onCookies(got *refusals, counted map[string]uint64, acks uint64) bounds {
	came := counted["SyncookiesRecv"]
	if w.knows(knowsReasons) {
		return bounds{came - got.sample.CookiesOK, came - got.sample.CookiesOK}
	}
	return bounds{came - min(came, uint64(got.sample.AcceptQueue)), min(came, acks)}
}

// add takes in what another listener of the namespace refused.
func (r *refusals) add(o *refusals) {
	for reason, n := range o.syn {
		r.syn[reason] += n
	}
	for reason, n := range o.ack {
		r.ack[reason] += n
	}
	r.space, r.unplaced = o.space, o.unplaced
	sum := o.sample
	sum.SkDrops += r.sample.SkDrops
	sum.Drops += r.sample.Drops
	sum.Overflows += r.sample.Overflows
	sum.AcceptQueue += r.sample.AcceptQueue
	sum.CookiesOK += r.sample.CookiesOK
	r.sample = sum
}

// agree compares what was refused with the kernel's counters and with the SYNs that the clients sent in vain. All of it
// was for a full accept queue.
func (w *watch) agree(got *refusals, counted map[string]uint64, syns uint64) {
	w.t.Helper()
	acks := counted["ListenDrops"] - syns
	got.once = w.onCookies(got, counted, acks)
	w.refusedAs(got, counted, counts{event.ReasonAcceptQueueFull: syns}, counts{event.ReasonAcceptQueueFull: acks})
	if got.space.ListenOverflows != counted["ListenOverflows"] {
		w.t.Errorf("netns says %d overflows, netstat %d", got.space.ListenOverflows, counted["ListenOverflows"])
	}
}

// counts are numbers of refusals by reason.
type counts map[string]uint64

func (c counts) sum() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// refusedAs compares what was refused with what must have been, by stage and reason, as far as this tier can know it, and
// with the kernel's counters.
func (w *watch) refusedAs(got *refusals, counted map[string]uint64, syn, ack counts) {
	w.t.Helper()
	drops := counted["ListenDrops"]
	if drops != syn.sum()+ack.sum() || got.space.ListenDrops != drops {
		w.t.Errorf("netstat has %d drops, netns %d, want %v SYNs and %v ACKs", drops, got.space.ListenDrops, syn, ack)
	}
	c := &checker{e: &got.sample}
	twice := syn.sum() + 2*ack.sum()
	c.within(event.FieldSkDrops, got.sample.SkDrops, twice-got.once.most, twice-got.once.least)
	if !w.knows(knowsRefusals) {
		if got.unplaced != drops || got.syn.sum()+got.ack.sum() != 0 {
			w.t.Errorf("%d refusals without a listener, %v and %v with, netstat has %d", got.unplaced, got.syn, got.ack, drops)
		}
		c.absent(event.FieldDrops)
		w.report(c)
		return
	}
	is(c, event.FieldDrops, got.sample.Drops, drops)
	if w.knows(knowsReasons) {
		is(c, event.FieldOverflows, got.sample.Overflows, syn[event.ReasonAcceptQueueFull]+ack[event.ReasonAcceptQueueFull])
	} else {
		c.absent(event.FieldOverflows)
		syn = counts{event.ReasonUnknown: syn.sum()}
	}
	w.report(c)
	if !equal(got.syn, syn) || !equal(got.ack, ack) {
		w.t.Errorf("refused SYNs %v and ACKs %v, want %v and %v", got.syn, got.ack, syn, ack)
	}
}

// equal compares counts; one that is 0 need not be there.
func equal(a, b counts) bool {
	for _, x := range []counts{a, b} {
		for reason := range x {
			if a[reason] != b[reason] {
				return false
			}
		}
	}
	return true
}

// TestRefusalsBesideOthers: with --port, what a listener refuses is told as its own, and nothing else is, while one that is
// not watched refuses just as many.
func TestRefusalsBesideOthers(t *testing.T) {
	p := newPair(t)
	p.ns.Sysctl(t, "ipv4/tcp_max_syn_backlog", "4096")
	p.ns.Sysctl(t, "ipv4/tcp_syncookies", "0")
	tun := do[spoof.Tun](p.client, "tun", struct{}{})
	var both [2]socket
	for i := range both {
		both[i] = do[socket](p.server, "listen", listenArgs{Addr: netip.AddrPortFrom(spoof.Server(), 0), Backlog: 1})
	}
	l := both[0]
	w := p.openWatch(t, live.Config{Ports: []uint16{l.Local.Port(), settlePort}, NetNS: p.ns.Path()})
	if !w.knows(knowsRefusals) {
		t.Skip("this tier does not tell whose refusals are")
	}
	const rounds, syns, queued = 6, 40, 2
	for round := range rounds {
		for _, to := range both {
			do[[]spoofed](p.client, "spoof", spoofArgs{Tun: tun, Port: to.Local.Port(), N: syns, First: round * syns})
		}
		time.Sleep(300 * time.Millisecond) // they go on while counters are read
	}
	const refused = rounds*syns - queued
	testkit.Until(settleTime, func() bool { return w.refused(l).syn.sum() == refused })
	w.untilSampled(l)
	got := w.refused(l)
	if drops := netstat(t, p)["ListenDrops"]; drops != 2*refused {
		t.Errorf("netstat has %d drops, want %d", drops, 2*refused)
	}
	if got.syn.sum() != refused || got.unplaced != 0 || got.sample.Drops != refused {
		t.Errorf("told of the listener %v (sample %d), without a listener %d, want %d and none", got.syn, got.sample.Drops, got.unplaced, refused)
	}
}
