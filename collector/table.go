// SPDX-License-Identifier: Apache-2.0

package collector

import "beltrace/collector/event"

// connOf returns the record of the event's connection, a new one if there is none yet; nil if the event names none.
func (c *Collector) connOf(e *event.Event) *conn {
	if !e.Known(event.FieldConn) {
		return nil
	}
	if x := c.conns[e.Conn]; x != nil {
		return x
	}
	x := c.newConn()
	x.id, x.opened = e.Conn, e.TS
	c.conns[e.Conn] = x
	c.open.push(x)
	c.makeRoom(x)
	return x
}

// newConn returns an empty record, one that was evicted if possible.
func (c *Collector) newConn() *conn {
	n := len(c.free)
	if n == 0 {
		return new(conn)
	}
	x := c.free[n-1]
	c.free = c.free[:n-1]
	return x
}

// makeRoom evicts what exceeds the budget, but never keep.
func (c *Collector) makeRoom(keep *conn) {
	for c.closed.len > 0 && (c.closed.len > c.budget.Closed || len(c.conns) > c.budget.Connections) && c.closed.head != keep {
		c.evict(c.closed.head)
		c.evicted.Connections++
	}
	for len(c.conns) > c.budget.Connections && c.open.head != nil && c.open.head != keep {
		c.evict(c.open.head)
		c.lose("evicted", 1)
	}
}

func (c *Collector) evict(x *conn) {
	if x.flow != nil {
		c.asks -= len(x.flow.asks)
	}
	delete(c.conns, x.id)
	c.unpair(x)
	for _, l := range x.links {
		if l.in != nil {
			l.in.remove(x)
		}
	}
	*x = conn{}
	c.free = append(c.free, x)
}

// again makes x a new connection of the same socket: one whose connect failed may call it once more.
func (c *Collector) again(x *conn, ts int64) {
	c.closed.remove(x)
	x.leaveQueue()
	c.unpair(x)
	past := x.tellAll()
	past = past[max(0, len(past)-c.budget.Story):]
	*x = conn{id: x.id, opened: ts, story: story{past: past}}
	c.open.push(x)
}
