// SPDX-License-Identifier: Apache-2.0

package collector

import "beltrace/collector/model"

// momentsOf fills in the events by which an exchange's time was cut.
func (c *Collector) momentsOf(m *model.Moments, x *conn, a *ask, p *partition) {
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
	m.Sleeps, m.SleepsSince = showSleeps(p.sleeps, p.since)
	if a.out.tid != a.in.lastTID && a.out.oncpu != 0 {
		m.OutSleeps, m.OutSleepsSince = showSleeps(c.sleeps.in(a.out.tid, p.from, a.out.last))
	}
}

// maxShown is how many sleeps of a thread are kept with a request.
const maxShown = 64

// showSleeps returns the last of some sleeps, and since when they are all there.
func showSleeps(all []sleep, since int64) ([]model.Sleep, int64) {
	if n := len(all) - maxShown; n > 0 {
		since, all = all[n].came, all[n:]
	}
	if len(all) == 0 {
		return nil, since
	}
	out := make([]model.Sleep, len(all))
	for i, s := range all {
		out[i] = model.Sleep{Came: s.came, From: s.from, Runnable: s.runnable, To: s.to, On: s.on, Cut: s.cut, Mixed: s.mixed}
	}
	return out, since
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
