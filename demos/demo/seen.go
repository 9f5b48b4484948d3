// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"math"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Step returns when step n began and ended (CLOCK_MONOTONIC), and whether it is over: the client went on or ended, and
// the snapshot is younger than that. A step that has not begun is empty.
func (s Seen) Step(n int) (from, to int64, over bool) {
	switch {
	case n >= len(s.Steps):
		return math.MaxInt64, math.MaxInt64, false
	case n+1 < len(s.Steps):
		return s.Steps[n], s.Steps[n+1], s.TS >= s.Steps[n+1]
	}
	return s.Steps[n], math.MaxInt64, s.Done
}

// Listener returns the server's listener, nil before it was seen.
func (s Seen) Listener() *model.Listener {
	for i := range s.Listeners {
		if s.Listeners[i].Local == s.Server.Addr {
			return &s.Listeners[i]
		}
	}
	return nil
}

// Was returns what was seen when step n began. Server and watch go on from run to run: what had been counted by then is not
// this run's.
func (s Seen) Was(n int) Seen {
	s.Snapshot = &model.Snapshot{}
	if n < len(s.Before) && s.Before[n] != nil {
		s.Snapshot = s.Before[n]
	}
	return s
}

// Since returns how far a counter has come since step n began: nowhere, if it has not.
func (s Seen) Since(n int, counter func(Seen) model.Opt[uint64]) model.Opt[uint64] {
	c := counter(s)
	if n >= len(s.Steps) {
		c.V = 0
	}
	c.V -= min(c.V, counter(s.Was(n)).V)
	return c
}

// Served returns the server's sockets whose handshake the kernel completed during step n, in that order.
func (s Seen) Served(n int) []model.Connection {
	return s.during(n, func(c *model.Connection) bool {
		return c.Role == event.RoleServer && s.Server.Serves(c.Local)
	})
}

// Dialled returns the client's sockets to the server that were connected during step n, in that order.
func (s Seen) Dialled(n int) []model.Connection {
	return s.during(n, func(c *model.Connection) bool {
		return c.Role == event.RoleClient && s.Server.Serves(c.Remote)
	})
}

func (s Seen) during(n int, want func(*model.Connection) bool) []model.Connection {
	from, to, _ := s.Step(n)
	var out []model.Connection
	for i := range s.Connections {
		c := &s.Connections[i]
		if at := Moment(c, event.Established); want(c) && at >= from && at < to {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b model.Connection) int {
		return cmp.Compare(Moment(&a, event.Established), Moment(&b, event.Established))
	})
	return out
}

// Moment returns when an event of that kind happened to the connection (CLOCK_MONOTONIC), 0 if it was not seen.
func Moment(c *model.Connection, kind event.Kind) int64 {
	for i := range c.Story {
		if c.Story[i].Kind == kind.String() {
			return c.Story[i].TS
		}
	}
	return 0
}

// MarksOf returns the server's marks of that name during step n, oldest first.
func (s Seen) MarksOf(n int, name string) []model.Mark {
	from, to, _ := s.Step(n)
	var out []model.Mark
	for _, m := range s.Marks {
		if m.PID == s.Server.PID && m.Name == name && m.TS >= from && m.TS < to {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b model.Mark) int { return cmp.Compare(a.TS, b.TS) })
	return out
}

// Known returns the values that are known.
func Known(conns []model.Connection, value func(*model.Connection) model.Opt[int64]) []int64 {
	var out []int64
	for i := range conns {
		if v := value(&conns[i]); v.Known {
			out = append(out, v.V)
		}
	}
	return out
}

// Median returns the middle value, 0 of none.
func Median(values []int64) int64 { return Quantile(values, 0.5) }

// Quantile returns the value below which that share of the values is, 0 of none.
func Quantile(values []int64, share float64) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// Sum adds the values.
func Sum(values []int64) int64 {
	var sum int64
	for _, v := range values {
		sum += v
	}
	return sum
}
