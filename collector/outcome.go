// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strconv"
	"strings"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/lens"
	"beltrace/collector/model"
)

// Confidences of an exchange: its weakest join decides.
const (
	byStream = "stream position" // by the position of bytes
	byThread = "thread"          // by what the thread did that read the request and wrote the response
	byGuess  = "guess"
)

// settleAsks closes exchanges whose response is written, in the order of the requests.
func (c *Collector) settleAsks(x *conn) {
	f := x.flow
	for len(f.asks) > 0 && f.asks[0].done && !f.asks[0].awaits {
		c.endAsk(x, f.asks[0], false)
		f.ended = max(f.ended, f.asks[0].out.last)
		f.asks = f.asks[1:]
	}
	if len(f.asks) == 0 {
		f.asks = nil
	}
}

// endFlow closes what is open when the connection ends.
func (c *Collector) endFlow(x *conn) {
	f := x.flow
	if f == nil {
		return
	}
	c.asks -= len(f.asks)
	if f.cut(x) {
		f.miss()
	}
	if h := &f.dirs[1]; h.open && h.ask != nil && !h.sized { // a response that lasts until the end
		f.responseEnds(event.Message{Response: true, End: true, Status: h.ask.status})
	}
	for _, a := range f.asks {
		a.awaits = false
	}
	c.settleAsks(x)
	for _, a := range f.asks {
		c.endAsk(x, a, true)
	}
	f.asks = nil
}

// cut reports whether a server's connection that ended in order sent more than was seen of its answers: the last ones were
// missed. A reset may come while an answer is being written.
func (f *flow) cut(x *conn) bool {
	h := &f.dirs[lens.Response]
	return x.role == event.RoleServer && x.reason == event.ReasonFIN && x.knows(event.FieldBytesOut) && x.bytesOut > h.next && (h.known || len(f.asks) > 0)
}

// endAsk makes an exchange of a request and its response, or of a request alone.
func (c *Collector) endAsk(x *conn, a *ask, incomplete bool) {
	end := max(a.out.last, a.out.sent)
	if !a.answered {
		end = max(a.read, a.in.last, a.start)
	}
	p, confidence := c.phases(x, a, end)
	if a.guess {
		confidence = byGuess
	}
	e := event.Event{TS: max(end, p.end), Kind: event.Exchange, Conn: x.id, Role: x.role, Proto: "tcp"}
	e.Set(event.FieldConn, event.FieldProto)
	setOwner(&e, x, a)
	fill(&e, x)
	r := &event.Outcome{
		Protocol: a.msg.Protocol, Summary: summary(a), Phases: p.finish(), Confidence: confidence, Incomplete: incomplete,
	}
	e.Set(event.FieldProtocol, event.FieldSummary, event.FieldConfidence, event.FieldIncomplete)
	if r.Stacks = p.stacks; r.Stacks != nil {
		e.Set(event.FieldStacks)
	}
	start := p.end - sum(r.Phases)
	e.Result = r
	if a.answered {
		r.TotalNS = p.end - start
		e.Set(event.FieldTotalNS)
	}
	if a.answered || len(r.Phases) > 0 {
		e.Set(event.FieldPhases)
	}
	if a.answered && a.out.first >= start {
		r.TTFBNS = a.out.first - start
		e.Set(event.FieldTTFBNS)
	}
	if a.out.acked > 0 && a.out.sent > 0 && a.out.acked >= a.out.sent {
		r.AckNS = a.out.acked - a.out.sent
		e.Set(event.FieldAckNS)
	}
	if r.Marks, r.Spans = x.flow.marked(a, end); r.Marks != nil {
		e.Set(event.FieldMarks)
	}
	c.exchanged(x, a, &e, p, start)
}

// setOwner names the thread that answered, or else the one that read.
func setOwner(e *event.Event, x *conn, a *ask) {
	m := a.out
	if !a.answered || m.tid == 0 {
		m = a.in
	}
	if m.pid != 0 {
		e.PID, e.TID, e.Comm = m.pid, m.tid, m.comm
		e.Set(event.FieldPID, event.FieldTID, event.FieldComm)
	}
}

// summary is METHOD PATH STATUS, as far as it is known.
func summary(a *ask) string {
	var words []string
	for _, w := range []string{a.msg.Method, a.msg.Path} {
		if w != "" {
			words = append(words, w)
		}
	}
	if a.status != 0 {
		words = append(words, strconv.Itoa(a.status))
	}
	if len(words) == 0 {
		return a.msg.Protocol
	}
	return strings.Join(words, " ")
}

func sum(phases map[string]int64) int64 {
	var n int64
	for _, ns := range phases {
		n += ns
	}
	return n
}

// phases cuts the exchange's time.
func (c *Collector) phases(x *conn, a *ask, end int64) (*partition, string) {
	p := c.arrival(x, a, end)
	confidence := byStream
	in := &a.in
	p.reached(in, a.start)
	if a.read == 0 {
		p.untilKnown(in.last, phaseRead)
		return p, confidence
	}
	p.until(a.read, phaseRead)
	if !a.answered {
		return p, confidence
	}
	if x.flow.ended-a.read > overlap {
		c.slept(p, a)
		behind(p, x.flow, a)
	} else if by := c.application(p, x.id, a); by != "" {
		confidence = by
	}
	p.until(a.out.last, phaseWrite)
	p.untilKnown(a.out.sent, phaseSend)
	return p, confidence
}

// overlap is how much sooner than an answer's last call returns the next request may be read without pipelining: the client
// and another thread of the server may be faster.
const overlap = int64(time.Millisecond)

// behind is the time before an answer to a request that was read before the answer to an earlier one was over
// (pipelining): first it waits for that, and what the threads do later is told of the first request alone.
func behind(p *partition, f *flow, a *ask) {
	until := a.out.first - a.out.latency
	p.until(min(f.ended, until), phaseAppBlocked+earlierAnswer)
	p.until(until, phaseUnobserved)
}

// arrival begins the partition: a connection's first exchange begins with its SYN, any other with its first byte.
func (c *Collector) arrival(x *conn, a *ask, end int64) *partition {
	if !a.opening || !x.saw.established || x.saw.preExisting || x.complete > a.start || x.role != event.RoleServer {
		return newPartition(a.start, end)
	}
	syn := x.complete
	if x.knows(event.FieldHandshakeNS) {
		syn -= x.handshake
	}
	start := syn
	var connect int64
	if y := c.conns[x.peer]; x.peer != 0 && y != nil && y.saw.connect && !y.saw.preExisting && y.asked < syn {
		start, connect = y.asked, y.asked
	}
	p := newPartition(start, end)
	p.conn = arrived{connect: connect, established: x.queued()}
	p.until(syn, phaseSYN)
	p.until(x.queued(), phaseHandshake)
	if x.knows(event.FieldHandshakeNS) {
		p.conn.syn = syn
	}
	if x.saw.accept {
		p.conn.accepted = x.taken
		p.until(x.taken, phaseAcceptQueue)
		p.until(a.start, phaseClientIdle)
	} else { // how long it waited for accept, and accept for its bytes, nobody knows
		p.until(a.in.first-a.in.latency, phaseUnobserved)
	}
	return p
}

// queued is when the connection came into the accept queue: a moment before it is established, and an acceptor on
// another CPU may be faster.
func (x *conn) queued() int64 {
	if x.saw.accept && x.knows(event.FieldWaitNS) {
		return min(x.complete, x.taken-x.wait)
	}
	return x.complete
}

// exchanged counts an exchange and hands its event on.
func (c *Collector) exchanged(x *conn, a *ask, e *event.Event, p *partition, start int64) {
	x.exchanges++
	if x.role == event.RoleServer {
		if w := c.workerOf(e); w != nil && a.answered {
			w.answers++
		}
	}
	c.derived = append(c.derived, *e)
	c.log.add(e)
	m := showExchange(x, a, e, start)
	c.momentsOf(&m.Moments, x, a, p)
	c.exchanges.add(&m, c.budget.Exchanges)
	c.routes.add(&m, c.budget)
	c.served.add(&m, c.budget.Reservoir)
	c.worked(x, &m)
}

func showExchange(x *conn, a *ask, e *event.Event, start int64) model.Exchange {
	r := e.Result
	m := model.Exchange{
		TS: e.TS, Start: start, Conn: x.id, NetNS: x.netns, Local: addr(x.local), Remote: addr(x.remote),
		Protocol: r.Protocol, Summary: r.Summary, Method: a.msg.Method, Path: a.msg.Path, Status: a.status,
		Number: x.exchanges, Route: RouteOf(a.msg.Path),
		Stacks: r.Stacks, TotalNS: opt(e.Known(event.FieldTotalNS), r.TotalNS), Confidence: r.Confidence, Incomplete: r.Incomplete,
		TTFBNS: opt(e.Known(event.FieldTTFBNS), r.TTFBNS), AckNS: opt(e.Known(event.FieldAckNS), r.AckNS), Marks: r.Marks,
	}
	if e.Known(event.FieldPhases) {
		m.Phases = r.Phases
	}
	for _, s := range r.Spans {
		m.MarkSpans = append(m.MarkSpans, model.MarkSpan{Name: s.Name, FromNS: max(s.From-start, 0), NS: s.To - s.From})
	}
	m.Process = x.owner.process()
	if e.Known(event.FieldPID) {
		m.PID, m.Comm = model.Some(e.PID), e.Comm
	}
	m.TID = opt(e.Known(event.FieldTID), e.TID)
	if x.listener != nil {
		m.Listener = model.Some(x.listener.id)
	}
	m.Server = serverOf(x, &m)
	return m
}
