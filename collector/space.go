// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"net/netip"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// space is a network namespace in which somebody listens, or in which clients send segments again.
type space struct {
	netns    uint32
	values   event.Space
	base     event.Space // of the counters, see tally
	have     event.Mask  // which of the values are known
	unplaced refusedCounts
	resent   uint64
	resender resender // the last one
	last     int64    // when something was said about it
}

// resender is a client that sent segments again.
type resender struct {
	remote netip.AddrPort
	owner  owner
}

// netNS takes the counters and settings of a namespace. An event need not state all of them.
func (c *Collector) netNS(e *event.Event) {
	if e.Space == nil {
		return
	}
	s := c.spaceOf(e)
	for _, f := range spaceFields {
		if e.Known(f.field) {
			v := *f.at(e.Space)
			if before(e) && !settings.Has(f.field) {
				*f.at(&s.base) = v
			}
			*f.at(&s.values) = v - min(v, *f.at(&s.base))
			s.have.Add(f.field)
		}
	}
}

// spaceOf returns the event's namespace; 0 stands for one that it does not name. Above the budget the namespace that
// was silent for longest is forgotten.
func (c *Collector) spaceOf(e *event.Event) *space {
	s := c.spaces[e.NetNS]
	if s == nil {
		if len(c.spaces) >= c.budget.Namespaces {
			c.forgetSpace()
		}
		s = &space{netns: e.NetNS}
		c.spaces[e.NetNS] = s
	}
	s.last = max(s.last, e.TS)
	return s
}

func (c *Collector) forgetSpace() {
	var oldest *space
	for _, s := range c.spaces {
		if oldest == nil || s.last < oldest.last || s.last == oldest.last && s.netns < oldest.netns {
			oldest = s
		}
	}
	delete(c.spaces, oldest.netns)
	c.evicted.Namespaces++
}

// settings are the values that are no counters.
var settings = event.MaskOf(event.FieldSomaxConn, event.FieldMaxSYNBacklog, event.FieldSYNCookies, event.FieldAbortOnOverflow)

// spaceFields are the values of a namespace: in the event, and in the snapshot.
var spaceFields = []struct {
	field event.Field
	at    func(*event.Space) *uint64
	in    func(*model.Namespace) *model.Opt[uint64]
}{
	{event.FieldListenOverflows, func(s *event.Space) *uint64 { return &s.ListenOverflows }, func(n *model.Namespace) *model.Opt[uint64] { return &n.ListenOverflows }},
	{event.FieldListenDrops, func(s *event.Space) *uint64 { return &s.ListenDrops }, func(n *model.Namespace) *model.Opt[uint64] { return &n.ListenDrops }},
	{event.FieldReqQFullDrop, func(s *event.Space) *uint64 { return &s.ReqQFullDrop }, func(n *model.Namespace) *model.Opt[uint64] { return &n.ReqQFullDrop }},
	{event.FieldReqQFullDoCookies, func(s *event.Space) *uint64 { return &s.ReqQFullDoCookies }, func(n *model.Namespace) *model.Opt[uint64] { return &n.ReqQFullDoCookies }},
	{event.FieldSyncookiesSent, func(s *event.Space) *uint64 { return &s.SyncookiesSent }, func(n *model.Namespace) *model.Opt[uint64] { return &n.SyncookiesSent }},
	{event.FieldSyncookiesRecv, func(s *event.Space) *uint64 { return &s.SyncookiesRecv }, func(n *model.Namespace) *model.Opt[uint64] { return &n.SyncookiesRecv }},
	{event.FieldSyncookiesFailed, func(s *event.Space) *uint64 { return &s.SyncookiesFailed }, func(n *model.Namespace) *model.Opt[uint64] { return &n.SyncookiesFailed }},
	{event.FieldEmbryonicRsts, func(s *event.Space) *uint64 { return &s.EmbryonicRsts }, func(n *model.Namespace) *model.Opt[uint64] { return &n.EmbryonicRsts }},
	{event.FieldSomaxConn, func(s *event.Space) *uint64 { return &s.SomaxConn }, func(n *model.Namespace) *model.Opt[uint64] { return &n.SomaxConn }},
	{event.FieldMaxSYNBacklog, func(s *event.Space) *uint64 { return &s.MaxSYNBacklog }, func(n *model.Namespace) *model.Opt[uint64] { return &n.MaxSYNBacklog }},
	{event.FieldSYNCookies, func(s *event.Space) *uint64 { return &s.SYNCookies }, func(n *model.Namespace) *model.Opt[uint64] { return &n.SYNCookies }},
	{event.FieldAbortOnOverflow, func(s *event.Space) *uint64 { return &s.AbortOnOverflow }, func(n *model.Namespace) *model.Opt[uint64] { return &n.AbortOnOverflow }},
}

// listSpaces returns the namespaces in the order of their numbers.
func (c *Collector) listSpaces() []model.Namespace {
	out := make([]model.Namespace, 0, len(c.spaces))
	for _, s := range c.spaces {
		n := model.Namespace{NetNS: s.netns, Unplaced: s.unplaced.reasons.snapshot(), UnplacedReasons: s.unplaced.names.snapshot(), Resent: s.resentByClients()}
		for _, f := range spaceFields {
			if s.have.Has(f.field) {
				*f.in(&n) = model.Some(*f.at(&s.values))
			}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b model.Namespace) int { return cmp.Compare(a.NetNS, b.NetNS) })
	return out
}

// resend takes note that a client sent segments again on a connection that it had.
func (c *Collector) resend(x *conn, e *event.Event, n uint64) {
	if x.role != event.RoleClient || x.state == model.StateConnecting || !e.Known(event.FieldNetNS) {
		return
	}
	s := c.spaceOf(e)
	s.resent += n
	s.resender = resender{remote: x.remote, owner: x.owner}
}

func (s *space) resentByClients() model.Resent {
	out := model.Resent{Segments: s.resent, PID: opt(s.resender.owner.have.Has(event.FieldPID), s.resender.owner.pid), Comm: s.resender.owner.comm}
	if s.resender.remote.IsValid() {
		out.Remote = s.resender.remote.String()
	}
	return out
}
