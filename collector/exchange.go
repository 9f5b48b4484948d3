// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/lens"
	"beltrace/collector/model"
)

const (
	maxAsks    = 1024    // requests of one connection that wait for their response
	fewAsks    = 16      // as many it may have whatever the others have
	maxAllAsks = 1 << 16 // and of all connections together: half a kB each
)

// flow is the conversation on one connection: what was said, and which requests have no answer yet. Bytes are joined by
// their position in the stream, whatever thread moved them.
type flow struct {
	lens   lens.Lens
	dirs   [2]half
	last   lens.Dir // who spoke last
	spoke  bool
	asks   []*ask  // oldest first
	begun  uint64  // requests that have begun
	ended  int64   // the last byte of the newest answer was written
	doubt  bool    // an answer had no request, or an end was guessed: a new request turn begins afresh
	http   bool    // a message of HTTP was seen
	detail bool    // each call was asked for
	replay bool    // messages come with the events
	marks  []noted // of the server, about this connection
	resync bool    // something was missed: nothing is paired until a request begins after an answer
	afresh bool    // the request turn begins after an answer
	lost   bool    // bytes were missed
	deep   bool    // more was read after an answer while others were due: a loss leaves open how many are
	whole  uint64  // up to where requests were seen whole
	early  int     // answers whose requests have not been told yet
}

// half is one direction of a flow.
type half struct {
	known bool
	pos   uint64 // where its present turn began
	next  uint64 // behind what was taken
	turn  moves  // of its present turn
	open  bool   // a message is under way
	sized bool   // its length is known
	ask   *ask   // that it belongs to; nil: to none that is known
	calls bool   // it is told call by call: its turns only add what became of them
}

// moves are the moments of bytes in one direction: of a turn, or of one call.
type moves struct {
	readable, waking, runnable, oncpu, first, last, sent, acked, latency int64

	running, runqueue int64 // of the thread that answers: see event.ThreadTimes
	ran               bool  // running is known
	other             int64 // and event.Moves.OtherTS

	pid, tid, lastTID uint32
	comm              string
}

// ask is a request, and its response as far as it has come.
type ask struct {
	msg      event.Message
	opening  bool  // the connection's first
	start    int64 // its first byte was there
	read     int64 // its last byte was read; 0: not yet
	in       moves
	answered bool // the response has begun
	done     bool
	out      moves // first: the first byte of the response written; last: the last one
	status   int
	guess    bool
	from, to uint64 // where the response begins and ends
	size     uint64 // bytes of the request
	awaits   bool   // it was told call by call: its turn will say what became of it
}

// due reports whether all of the request was read, and nothing was answered.
func (a *ask) due() bool { return a.read > 0 && !a.answered }

// movesOf reads the moments that an event names.
func movesOf(e *event.Event) moves {
	t := e.Turn
	m := moves{
		readable: t.ReadableTS, waking: t.WakingTS, runnable: t.RunnableTS, oncpu: t.OncpuTS,
		first: t.FirstTS, last: t.LastTS, sent: t.SentTS, acked: t.AckedTS, latency: t.LatencyNS,
		pid: e.PID, tid: e.TID, comm: e.Comm,
	}
	m.lastTID, m.other = t.LastTID, t.OtherTS
	if e.Kind != event.Turn { // one call
		m.first, m.last, m.lastTID = e.TS, e.TS, e.TID
	}
	if e.Thread != nil {
		m.running, m.runqueue, m.ran = e.Thread.RunningNS, e.Thread.RunqueueNS, e.Known(event.FieldRunningNS)
	}
	m.last = max(m.first, m.last)
	return m
}

// turn takes bytes that moved: a turn, or one call.
func (c *Collector) turn(e *event.Event) {
	if e.Turn == nil {
		return
	}
	switch e.Kind { // a line does not say it again
	case event.Read:
		e.Turn.Direction = event.DirIn
	case event.Write:
		e.Turn.Direction = event.DirOut
	}
	x := c.connOf(e)
	if x == nil {
		return
	}
	c.bytes = true
	c.learn(x, e)
	x.inUse()
	x.traffic(e)
	c.trafficOfPeer(x, e)
	fill(e, x)
	if e.Kind == event.Turn {
		c.count(x, e)
	} else if !e.Turn.Detail && !e.Known(event.FieldMessages) {
		return // its turn tells the same
	}
	dir, ok := c.speaker(x, e)
	if !ok {
		return
	}
	if x.flow == nil {
		x.flow = &flow{}
	}
	before := len(x.flow.asks)
	x.flow.take(dir, e)
	c.settleAsks(x)
	c.askDetail(x)
	c.asks += len(x.flow.asks) - before
	if n := len(x.flow.asks); c.asks > maxAllAsks && n > fewAsks {
		x.flow.giveUp()
		c.asks -= n
	}
}

// askDetail has each call of the connection told, where the first bytes of turns do not suffice.
func (c *Collector) askDetail(x *conn) {
	f := x.flow
	if c.opt.Detail == nil || f.detail || f.lens == nil || !f.lens.Detail() {
		return
	}
	f.detail = true
	c.opt.Detail(x.id)
}

// inUse gives a state to a connection that is seen by its bytes first: its beginning was missed.
func (x *conn) inUse() {
	if x.state == "" {
		x.state = model.StateEstablished
	}
}

// readable takes how much has come, and waits to be read.
func (c *Collector) readable(e *event.Event) {
	if e.Turn == nil {
		return
	}
	x := c.connOf(e)
	if x == nil {
		return
	}
	c.learn(x, e)
	x.inUse()
	x.traffic(e)
	fill(e, x)
}

// speaker says whether the bytes are of a request or of a response. Of a connection with a watched server at its other
// end only that one's socket counts.
func (c *Collector) speaker(x *conn, e *event.Event) (lens.Dir, bool) {
	in := e.Turn.Direction == event.DirIn
	if x.role == "" && len(e.Turn.Head) > 0 && lens.Detect(lens.Request, e.Turn.Head).Protocol() == "http1" {
		x.setRole(event.RoleClient)
		if in {
			x.setRole(event.RoleServer)
		}
	}
	switch {
	case x.role == "", x.role == event.RoleClient && c.watched(x):
		return 0, false
	case in == (x.role == event.RoleServer):
		return lens.Request, true
	}
	return lens.Response, true
}

// take moves the flow forward by the event's bytes. The boundaries of messages are found by the lens, or, on a replay,
// come with the event; found ones are written into it.
func (f *flow) take(dir lens.Dir, e *event.Event) {
	h := &f.dirs[dir]
	t, pos, n, head := e.Turn, e.Turn.Pos, e.Bytes, e.Turn.Head
	if e.Kind == event.Turn && h.calls && pos+n <= h.next {
		f.tell(dir, e)
		return
	}
	if e.Kind != event.Turn && t.Direction == event.DirIn && h.known && pos > h.next && len(t.Messages) == 0 {
		t.Messages = []event.Message{} // calls before it were not told: its turn, which comes before the answer, tells the whole
		e.Set(event.FieldMessages)
		return
	}
	// More of a turn that was told before, or a call that was not.
	again := e.Kind == event.Turn && h.known && (pos == h.pos || h.calls && pos < h.next) && pos+n >= h.next
	if again {
		n -= h.next - pos
		pos, head = h.next, nil
	}
	if again && n == 0 && f.spoke && f.last != dir { // it was told when it was over, and the other side spoke since
		e.Turn.Messages = []event.Message{}
		e.Set(event.FieldMessages)
		return
	}
	f.replay = f.replay || e.Known(event.FieldMessages)
	recorded := f.replay // of older recordings some turns have no messages, when none was found
	var found []event.Message
	if f.spoke && f.last != dir && !recorded && f.lens != nil {
		found = messages(found, f.lens.Turn(f.last, f.dirs[f.last].next))
		f.meet(found)
	}
	turns := f.spoke && f.last != dir
	if h.known && pos > h.next || !h.known && pos > 0 {
		f.miss()
		f.early, f.lost = 0, true
		f.afresh = dir == lens.Request && e.Kind == event.Turn // one call may be in the midst of several requests
	} else if dir == lens.Request && turns {
		f.afresh, f.deep = true, f.deep || slices.ContainsFunc(f.asks, (*ask).due)
		if f.doubt {
			f.miss()
		}
	}
	f.spoke, f.last = true, dir
	if !again {
		h.pos = pos
	}
	h.turn, h.known, h.next, h.calls = movesOf(e), true, pos+n, e.Kind != event.Turn
	if recorded {
		f.meet(t.Messages)
		f.refresh(dir)
		return
	}
	if f.lens == nil {
		f.lens = lens.Detect(dir, head)
	}
	mine := messages(nil, f.lens.Feed(dir, pos, head, n))
	f.meet(mine)
	t.Messages = append(append([]event.Message{}, found...), mine...) // also none: a replay has no bytes to look at
	e.Set(event.FieldMessages)
	f.refresh(dir)
}

// tell takes what a turn adds to its calls, which have been told.
func (f *flow) tell(dir lens.Dir, e *event.Event) {
	e.Turn.Messages = []event.Message{}
	e.Set(event.FieldMessages)
	if dir == lens.Request {
		return
	}
	m, pos, end := movesOf(e), e.Turn.Pos, e.Turn.Pos+e.Bytes
	for _, a := range f.asks {
		if !a.awaits || a.to > end {
			continue
		}
		a.awaits = false
		if a.to <= pos { // that one's turn was lost
			continue
		}
		a.out.sent = cmp.Or(a.out.sent, m.sent)
		if a.to == end {
			a.out.acked = m.acked
		}
		if a.from == pos {
			a.out.running, a.out.runqueue, a.out.ran, a.out.other = m.running, m.runqueue, m.ran, m.other
		}
	}
}
