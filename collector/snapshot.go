// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"maps"
	"net/netip"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Snapshot returns everything that is known. now is the time on CLOCK_MONOTONIC for rates and histories; one before
// the newest event counts as that event's time, so a replay may pass 0. Only what changed since the last snapshot is
// put into words again. The result is never changed; Cost is left to the caller, before it publishes the snapshot.
func (c *Collector) Snapshot(now int64) *model.Snapshot {
	now = max(now, c.now)
	o := &c.opt
	s := &model.Snapshot{
		Schema: model.Schema, TS: now, Host: o.Host, Kernel: o.Kernel, Arch: o.Arch, Tier: o.Tier,
		Probes: o.Probes, Lost: maps.Clone(c.lost),
		Listeners:   c.listListeners(now, whole),
		Connections: c.listConns(),
		Exchanges:   c.exchanges.snapshot(), Routes: c.routes.snapshot(), Loops: c.listLoops(whole),
		Rings: c.listRings(), Workers: c.listWorkers(), Namespaces: c.listSpaces(),
		WallOffset: o.WallOffset, Start: o.Start,
		EventsPerSec: c.rate.perSecond(now), EventsTotal: c.events, ConnsPerSec: c.opened.perSecond(now),
		OpenConns: c.open.len, Filters: o.Filters, Sets: o.Sets,
		Marks:  slices.Clone(c.marks[max(0, len(c.marks)-c.budget.Marks):]),
		Events: c.log.snapshot(),
		Total:  c.total, Evicted: c.evicted, Requests: c.served.show(now),
	}
	s.Findings = c.insight.At(s)
	return s
}

// listListeners returns those that listen first, then the closed ones, each in the order of their appearance.
func (c *Collector) listListeners(now int64, how detail) []model.Listener {
	out := make([]model.Listener, 0, len(c.order))
	demands := c.demands()
	for _, closed := range []bool{false, true} {
		for _, l := range c.order {
			if (l.state == model.StateClosed) == closed {
				out = append(out, c.showListener(l, now, how))
				m := &out[len(out)-1]
				d, ok := demands[m.PID.V]
				m.Threads = opt(ok && m.PID.Known, d)
			}
		}
	}
	return out
}

// detail says how much of a listener is put into words.
type detail bool

const (
	whole detail = true
	// What findings are drawn from: no names, no percentiles, no history, of those that wait the oldest. It shares the
	// collector's maps and is good only until the next event.
	light detail = false
)

func (c *Collector) showListener(l *listener, now int64, how detail) model.Listener {
	m := model.Listener{
		Conn: l.id, Local: l.text(), NetNS: l.netns, Process: l.owner.process(), State: l.state,
		Backlog: l.backlog.opt(), BacklogAsked: l.asked.opt(),
		SYNQueue: l.synQueue.opt(), SYNYoung: l.young.opt(), AcceptQueue: l.acceptQ.opt(),
		Established: l.established, Accepted: l.accepts,
		SYNDrops: l.synDrops.reasons.show(how), DropReasons: l.synDrops.names.show(how), ACKDrops: l.ackDrops.show(how),
		Overflows: atLeast(l.overflows.opt(), l.synDrops.reasons[event.ReasonAcceptQueueFull]),
		Drops:     atLeast(l.drops.opt(), l.synDrops.reasons.sum()), SkDrops: l.skDrops.opt(),
		CookiesSent: l.cookies.opt(), CookiesOK: l.cookiesOK.opt(), SYNACKAgain: l.synAckAgain, ResetWaiting: l.resetWaiting,
		Acceptors: c.showAcceptors(l, how), OtherAcceptors: l.acceptors.showRest(how), Fidelity: c.opt.Facts, PreExisting: l.before, Opened: l.opened,
		Work: l.work.show(how), ArrivalsPerSec: l.arrivalRate.perSecond(now), AcceptsPerSec: l.acceptRate.perSecond(now),
	}
	if how == light {
		m.WaitNS, m.Waiting = l.wait.light(), l.oldestWaiting()
		return m
	}
	m.WaitNS, m.HandshakeNS = l.wait.snapshot(), l.handshake.snapshot()
	m.Waiting, m.History = l.showWaiting(c.budget.Waiting), l.history.snapshot(now)
	return m
}

// atLeast is a sampled counter of refusals, where more of them have been told since the sample.
func atLeast(sampled model.Opt[uint64], told uint64) model.Opt[uint64] {
	if sampled.Known {
		sampled.V = max(sampled.V, told)
	}
	return sampled
}

// text returns the listener's address, put into words once.
func (l *listener) text() string {
	if l.local != l.named || l.name == "" {
		l.named, l.name = l.local, addr(l.local)
	}
	return l.name
}

// oldestWaiting returns the connection at the head of the queue, without its name.
func (l *listener) oldestWaiting() []model.Waiting {
	x := l.waiting.head
	if x == nil {
		return nil
	}
	return []model.Waiting{{Conn: x.id, Since: x.complete, PreExisting: x.saw.preExisting}}
}

func (l *listener) showWaiting(budget int) []model.Waiting {
	var out []model.Waiting
	for x := range l.waiting.all() {
		if len(out) == budget {
			break
		}
		x.describe()
		out = append(out, model.Waiting{Conn: x.id, Remote: x.texts.remote, Since: x.complete, PreExisting: x.saw.preExisting})
	}
	return out
}

// listConns returns the open connections in the order of their appearance, then the closed ones, the last ended first.
func (c *Collector) listConns() []model.Connection {
	out := make([]model.Connection, 0, c.open.len+c.closed.len)
	for x := range c.open.all() {
		out = append(out, model.Connection{})
		x.show(&out[len(out)-1])
	}
	for x := range c.closed.backward() {
		out = append(out, model.Connection{})
		x.show(&out[len(out)-1])
	}
	return out
}

// describe puts into words what has changed.
func (x *conn) describe() {
	if x.texts.done {
		return
	}
	if x.texts.local == "" && x.knows(event.FieldLocal) {
		x.texts.local = x.local.String()
	}
	if x.texts.remote == "" && x.knows(event.FieldRemote) {
		x.texts.remote = x.remote.String()
	}
	x.texts.story = x.tellAll()
	x.texts.done = true
}

func (x *conn) show(m *model.Connection) {
	x.describe()
	*m = model.Connection{
		Conn: x.id, Role: x.role, State: x.state, Local: x.texts.local, Remote: x.texts.remote, NetNS: x.netns,
		Process: x.owner.process(), Opened: x.opened,
		TID:         opt(x.owner.have.Has(event.FieldTID), x.owner.tid),
		Closed:      opt(x.state == model.StateClosed, x.ended),
		HandshakeNS: opt(x.knows(event.FieldHandshakeNS), x.handshake),
		WaitNS:      opt(x.knows(event.FieldWaitNS), x.wait),
		RTTNS:       opt(x.knows(event.FieldRTTNS), x.rtt),
		DurationNS:  opt(x.knows(event.FieldDurationNS), x.duration),
		BytesIn:     opt(x.knows(event.FieldBytesIn), x.bytesIn),
		BytesOut:    opt(x.knows(event.FieldBytesOut), x.bytesOut),
		Retransmits: opt(x.knows(event.FieldRetransmits), x.retransmits),
		Unread:      opt(x.knows(event.FieldUnread) && x.state != model.StateClosed, x.unread),
		Exchanges:   opt(x.flow != nil, x.exchanges),
		ReadCalls:   opt(x.moved[0].Calls > 0, x.moved[0].Calls),
		WriteCalls:  opt(x.moved[1].Calls > 0, x.moved[1].Calls),
		NagleNS:     opt(x.moved[1].nagle > 0, x.moved[1].nagle),
		WindowNS:    opt(x.moved[1].window > 0, x.moved[1].window),
		Resyncing:   x.flow != nil && x.flow.resync,
		FD:          opt(x.knows(event.FieldFD), x.fd),
		Errno:       opt(x.knows(event.FieldErrno), x.errno),
		Reason:      x.reason, PreExisting: x.saw.preExisting,
		Peer:  opt(x.peer != 0, x.peer),
		Story: x.texts.story,
	}
	if x.listener != nil {
		m.Listener = model.Some(x.listener.id)
	}
}

func opt[T any](known bool, v T) model.Opt[T] {
	if !known {
		return model.Opt[T]{}
	}
	return model.Some(v)
}

// addr writes an address; one that is not known is empty.
func addr(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
