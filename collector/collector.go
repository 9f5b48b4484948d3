// SPDX-License-Identifier: Apache-2.0

// Package collector turns events into a model of the connections and listeners they tell about.
//
// It is pure: the same events, live or from a recording, give the same snapshots on any system. A Collector belongs to
// one goroutine and has no locks; what it publishes (model.Snapshot) shares nothing that changes. Connections are keyed
// by socket cookie; every rule that joins one event with another is a named function in match.go. Events may be
// missing, doubled or late: a rule that lacks its evidence leaves the fact unknown.
package collector

import (
	"maps"
	"slices"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/insight"
	"beltrace/collector/model"
)

// maxPlaces bounds the kinds of losses that are told apart; a damaged recording may name any number.
const maxPlaces = 32

// Collector builds the model. Make one with New; it must not be used by two goroutines at once.
type Collector struct {
	opt    Options
	budget Budget
	now    int64 // the newest time of any event

	conns  map[uint64]*conn
	pairs  map[uint64]*conn // the newest connection of each address pair, see pairKey
	open   list
	closed list
	free   []*conn // evicted records, used again

	listeners map[uint64]*listener // by cookie; an MPTCP listener has two
	order     []*listener          // each once, in the order of their appearance
	byPort    map[port][]*listener
	spaces    map[uint32]*space // by network namespace

	cpuLists map[string]*cpuSet
	workers  map[thread]*worker
	loops    map[loopID]*loop
	rings    map[ringID]*ring

	total   model.Totals
	evicted model.Evicted
	events  uint64
	lost    map[string]uint64
	rate    rate // of events
	opened  rate // of connections
	served  served
	log     eventLog
	marks   []model.Mark

	insight insight.Engine
	due     int64 // when it looks again; 0: before the first event

	exchanges exchangeLog
	routes    routes
	sleeps    sleeps
	asks      int           // requests of all connections that wait for their response
	bytes     bool          // bytes are watched, or were
	derived   []event.Event // that Add made, until Derived takes them
}

// New returns an empty collector.
func New(opt Options) *Collector {
	opt.Probes = maps.Clone(opt.Probes)
	if opt.Probes == nil {
		opt.Probes = map[string]model.ProbeStatus{}
	}
	opt.Facts = maps.Clone(opt.Facts)
	if opt.Facts == nil {
		opt.Facts = map[string]model.Fidelity{}
	}
	opt.Filters, opt.Sets = slices.Clone(opt.Filters), slices.Clone(opt.Sets)
	budget := opt.Budget.orDefault()
	return &Collector{
		opt: opt, budget: budget,
		conns: map[uint64]*conn{}, pairs: map[uint64]*conn{},
		open: list{which: inState}, closed: list{which: inState},
		listeners: map[uint64]*listener{}, byPort: map[port][]*listener{}, spaces: map[uint32]*space{},
		workers: map[thread]*worker{}, loops: map[loopID]*loop{}, rings: map[ringID]*ring{},
		lost: map[string]uint64{},
		rate: rate{slot: int64(time.Second) / rateSlots}, opened: rate{slot: rateSlot}, served: served{rate: rate{slot: rateSlot}},
		log: eventLog{size: budget.Events}, insight: insight.Engine{Watch: opt.Watch},
	}
}

// Add takes one event into the model, and completes it in place with what is known from earlier ones: owner,
// addresses, listener, times. Events come best through Ordered; any order is survived.
func (c *Collector) Add(e *event.Event) {
	if e.Kind == event.None {
		return
	}
	c.now = max(c.now, e.TS)
	c.conclude()
	if e.Kind == event.Watermark || e.Kind == event.Exchange { // those of a recording are derived again
		return
	}
	if c.opt.Start == 0 {
		c.opt.Start = e.TS
	}
	c.events++
	c.rate.add(e.TS, 1)
	c.nameOwner(e)
	c.dispatch(e)
	c.log.add(e)
}

// Derived returns the events that the last Adds concluded from others (exchanges), and forgets them. They are valid until
// the next Add.
func (c *Collector) Derived() []event.Event {
	d := c.derived
	c.derived = c.derived[:0]
	return d
}

func (c *Collector) dispatch(e *event.Event) {
	switch e.Kind {
	case event.Connect:
		c.connect(e)
	case event.Established:
		c.established(e)
	case event.Accept:
		c.accept(e)
	case event.Close:
		c.close(e)
	case event.Reset:
		c.reset(e)
	case event.Retransmit:
		c.retransmit(e)
	case event.Listen:
		c.listen(e)
	case event.Unlisten:
		c.unlisten(e)
	case event.SYN:
		c.syn(e)
	case event.Queue:
		c.queue(e)
	case event.SYNDrop:
		c.synDrop(e)
	case event.AcceptError:
		c.acceptError(e)
	case event.AcceptEmpty:
		c.acceptEmpty(e)
	case event.NetNS:
		c.netNS(e)
	case event.Turn, event.Read, event.Write:
		c.turn(e)
	case event.Readable:
		c.readable(e)
	case event.Oncpu:
		c.oncpu(e)
	case event.Offcpu:
		c.offcpu(e)
	case event.Loop:
		c.loop(e)
	case event.LoopBlocked:
		c.loopBlocked(e)
	case event.Thread:
		c.thread(e)
	case event.Ring:
		c.ring(e)
	case event.Mark:
		c.mark(e)
	case event.Lost:
		c.lose(e.Where, max(e.Count, 1))
	}
}

// lose counts a loss.
func (c *Collector) lose(where string, n uint64) {
	if _, ok := c.lost[where]; !ok && len(c.lost) >= maxPlaces {
		where = "other"
	}
	c.lost[where] += n
}

func (c *Collector) mark(e *event.Event) {
	if len(c.marks) >= 2*c.budget.Marks { // in one go, so that a mark costs no copy of all of them
		c.marks = append(c.marks[:0], c.marks[len(c.marks)-c.budget.Marks:]...)
	}
	c.joinMark(e)
	c.marks = append(c.marks, model.Mark{TS: e.TS, PID: e.PID, TID: e.TID, Name: e.Name, End: e.Phase == "end", ID: e.ID})
}
