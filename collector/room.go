// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"maps"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// roomFor reports whether the listener of a sample may be added. One that had to go is sampled all the same: it comes back
// only in place of one that is worth less.
func (c *Collector) roomFor(e *event.Event) bool {
	if len(c.order) < c.budget.Listeners {
		return true
	}
	worth := worthMuch
	if e.AcceptQueue == 0 && e.SYNQueue == 0 && e.Drops == 0 {
		worth = worthSome
	}
	at := c.leastWanted(nil)
	return at >= 0 && c.order[at].worth() < worth
}

// How much a listener is worth to keep.
const (
	worthLittle = iota // it is closed
	worthSome          // nobody waits there, and it refused nobody
	worthMuch
)

func (l *listener) worth() int {
	switch {
	case l.state == model.StateClosed:
		return worthLittle
	case l.acceptQ.v == 0 && l.synQueue.v == 0 && l.waiting.len == 0 && len(l.synDrops.reasons) == 0 && l.drops.v == 0:
		return worthSome
	}
	return worthMuch
}

// leastWanted returns the place of the oldest of those that are worth least, but not of keep; -1 if there is none.
func (c *Collector) leastWanted(keep *listener) int {
	at, least := -1, worthMuch+1
	for i, l := range c.order {
		if w := l.worth(); l != keep && w < least {
			at, least = i, w
			if w == worthLittle {
				break
			}
		}
	}
	return at
}

// evictListener drops the one that is least wanted, but not keep.
func (c *Collector) evictListener(keep *listener) {
	at := c.leastWanted(keep)
	if at < 0 {
		return
	}
	l := c.order[at]
	if l.state == model.StateClosed {
		c.evicted.Listeners++
	} else {
		c.lose("evicted", 1)
	}
	c.order = append(c.order[:at], c.order[at+1:]...)
	c.unfile(l)
	maps.DeleteFunc(c.listeners, func(_ uint64, m *listener) bool { return m == l }) // its twin too, whatever its cookie
	for x := range l.waiting.all() {
		l.waiting.remove(x)
	}
	*l = listener{id: l.id, local: l.local, gone: true}
}
