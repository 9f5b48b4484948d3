// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// maxSamples is how many samples of one thread are kept.
const maxSamples = 64

// sample is where a thread was when it ran.
type sample struct {
	ts    int64
	stack []string
}

// oncpu takes a sample of a thread that runs.
func (c *Collector) oncpu(e *event.Event) {
	if !e.Known(event.FieldTID) || !e.Known(event.FieldStack) {
		return
	}
	t := c.sleeps.thread(e.TID)
	if len(t.ran) == maxSamples {
		t.ran = slices.Delete(t.ran, 0, maxSamples/4)
	}
	t.ran = append(t.ran, sample{e.TS, e.Turn.Stack})
}

// samples returns where a thread ran within a time.
func (s *sleeps) samples(tid uint32, from, to int64) (out [][]string) {
	t := s.young[tid]
	if t == nil {
		t = s.old[tid]
	}
	if t == nil {
		return nil
	}
	for _, x := range t.ran {
		if x.ts >= from && x.ts < to {
			out = append(out, x.stack)
		}
	}
	return out
}

// ranAt keeps where the application ran: in the function that most samples hit, of several the first.
func (p *partition) ranAt(samples [][]string) {
	hits, most := map[string]int{}, 0
	for _, stack := range samples {
		f := function(stack)
		hits[f]++
		most = max(most, hits[f])
	}
	for _, stack := range samples {
		if hits[function(stack)] == most {
			p.sleptAt(phaseAppRunning, int64(most), stack)
			return
		}
	}
}

// function is the innermost one of the program itself, without its line.
func function(stack model.Stack) string {
	name, _ := model.CutFrame(stack.Site())
	return name
}
