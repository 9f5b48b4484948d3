// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/insight"
	"beltrace/collector/model"
)

const (
	period = int64(insight.Period)
	// maxTicks is how often the rules look after a silence: longer than any of their windows. Then nothing changes
	// until the next event.
	maxTicks = 60
)

// conclude lets the rules look at the model at each full period of event time that has passed. An event of a later
// period is not yet in the model.
func (c *Collector) conclude() {
	if c.due == 0 {
		c.due = after(c.now)
	}
	for n := 0; c.now >= c.due && n <= maxTicks; n++ {
		if n == maxTicks {
			c.due = max(c.due, after(c.now)-period)
		}
		c.insight.Tick(c.light(c.due))
		c.due = after(c.due)
	}
}

// after returns the first full period after ts.
func after(ts int64) int64 { return (ts/period + 1) * period }

// light returns what findings are drawn from, at a fraction of a snapshot's cost.
func (c *Collector) light(now int64) *model.Snapshot {
	return &model.Snapshot{TS: now, Listeners: c.listListeners(now, light), Namespaces: c.listSpaces(), Loops: c.listLoops(light), Rings: c.listRings()}
}

// Findings returns what the rules found at the last full half second of event time: the worst first, then what has
// ended. It costs nothing and may be called after each event; the slice is never changed.
func (c *Collector) Findings() []model.Finding { return c.insight.Findings() }
