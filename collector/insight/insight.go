// SPDX-License-Identifier: Apache-2.0

// Package insight concludes from the model what goes wrong, why, and what to change.
//
// Its rules are small functions in one table: evidence in, finding out. They are deterministic, and all their times are
// event times: a recording gives the same findings each time it is read. An Engine looks at the model at a fixed
// cadence, remembers the last seconds of the counters, holds a finding by less evidence than it takes to begin one, and
// keeps it for a while after that is gone, so that nothing flaps.
package insight

import (
	"time"

	"beltrace/collector/model"
)

// Period is how often an Engine wants to look at the model, in event time.
const Period = 500 * time.Millisecond

// Watch says how much is watched of the network namespaces in which somebody listens.
type Watch string

// The extents of a watch.
const (
	Whole Watch = ""      // all of it
	Part  Watch = "part"  // some sockets: what the namespace counts may be of others, where the kernel does not tell of which
	Alone Watch = "alone" // some processes, and nothing is to be told of others
)

// Engine applies the rules. The zero value is ready. It belongs to one goroutine; what it returns is never changed.
type Engine struct {
	Watch Watch // set before the first Tick

	past past
	book book
	list []model.Finding // of the last Tick
}

// Tick looks at the model at s.TS and remembers what it needs of it. The snapshot may be a light one: connections, events,
// names of those that wait but the oldest, and the percentiles of distributions are not looked at.
func (g *Engine) Tick(s *model.Snapshot) {
	all := g.past.look(s, g.Watch)
	found := apply(all, g.book.stands)
	if g.book.update(s.TS, found) {
		g.list = g.book.list()
	}
	g.past.keep(all)
}

// Findings returns what held at the last Tick, the worst first, then what has ended, the last first.
func (g *Engine) Findings() []model.Finding { return g.list }

// At returns what holds at s.TS, as Tick would find it, but remembers nothing: whoever looks, and how often, changes
// nothing.
func (g *Engine) At(s *model.Snapshot) []model.Finding {
	b := g.book.clone()
	b.update(s.TS, apply(g.past.look(s, g.Watch), b.stands))
	return b.list()
}
