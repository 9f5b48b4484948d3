// SPDX-License-Identifier: Apache-2.0

package collector

import "beltrace/collector/model"

// momentsOf fills in the events by which an exchange's time was cut.
func momentsOf(m *model.Moments, x *conn, a *ask, p *partition) {
	m.Connect, m.SYN, m.Established, m.Accepted = p.conn.connect, p.conn.syn, p.conn.established, p.conn.accepted
	a.in.show(&m.In)
	a.out.show(&m.Out)
	m.In.Last, m.In.LastTID, m.In.Bytes = a.read, a.in.lastTID, a.size
	if a.done {
		m.Out.Bytes = a.to - a.from
	}
	if a.answered && x.flow.ended-a.read > overlap {
		m.Earlier = x.flow.ended
	}
	m.Running = opt(a.out.ran, a.out.running)
	m.Runqueue = opt(a.out.runqueue > 0, a.out.runqueue)
	m.SleepsSince = p.since
	if len(p.sleeps) > 0 {
		m.Sleeps = make([]model.Sleep, len(p.sleeps))
	}
	for i, s := range p.sleeps {
		m.Sleeps[i] = model.Sleep{From: s.from, Runnable: s.runnable, To: s.to, On: s.on, Cut: s.cut}
	}
}

func (m *moves) show(out *model.Moves) {
	*out = model.Moves{
		Readable: m.readable, Waking: m.waking, Runnable: m.runnable, Oncpu: m.oncpu, Other: m.other,
		First: m.first, Last: m.last, Sent: m.sent, Acked: m.acked, TID: m.tid, LastTID: m.lastTID,
	}
	if m.latency > 0 {
		out.Called = m.first - m.latency
	}
}
