// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
)

// goals are what is to hold under these loads.
func (s *service) goals() (gs []goal) {
	for _, l := range s.Loads {
		switch {
		case s.Part == partRing:
			gs = append(gs, l.ringGoals()...)
			continue
		case !l.Half && s.Part != partRedis:
			gs = append(gs, l.costGoal(board, 1.06), l.costGoal(allSets, 1.2))
		}
		for _, name := range []string{board, allSets} {
			gs = append(gs, l.servedGoals(name)...)
		}
		gs = append(gs, l.seenGoals()...)
	}
	return gs
}

func (l *load) costGoal(name string, limit float64) goal {
	return goal{fmt.Sprintf("%s, %s: at most %.2f × the CPU a request", l.Name, name, limit), l.result(name).of(sample.costRatio), limit, "", false}
}

// servedGoals are what a tool must not do to a server.
func (l *load) servedGoals(name string) []goal {
	r, limit := l.result(name), 10.0
	if l.Half {
		limit = 3
	}
	gs := []goal{
		{fmt.Sprintf("%s, %s: at most %.0f %% less throughput", l.Name, name, limit), r.of(func(s sample) float64 { return 100 * (1 - s.rateRatio()) }), limit, " %", false},
		l.lostGoal(name),
		{fmt.Sprintf("%s, %s: resides in at most 80 MB", l.Name, name), r.of(func(s sample) float64 { return s.RSS / 1e6 }), 80, " MB", true},
	}
	if l.Half {
		gs = append(gs, goal{fmt.Sprintf("%s, %s: at most 1.2 × the p99", l.Name, name), r.of(func(s sample) float64 { return s.P99 / s.OffP99 }), 1.2, "", false})
	}
	return gs
}

func (l *load) lostGoal(name string) goal {
	var known []sample
	for _, s := range l.result(name).Samples {
		if s.LostKnown {
			known = append(known, s)
		}
	}
	return goal{fmt.Sprintf("%s, %s: nothing lost", l.Name, name), spreadOf(known, func(s sample) float64 { return s.Lost }), 0, " records", true}
}

// seenGoals compare what was told with what there was.
func (l *load) seenGoals() []goal {
	if l.Done == 0 {
		return nil
	}
	wrong := math.Abs(float64(l.Seen) - float64(l.Done))
	return []goal{{fmt.Sprintf("%s, %s: every %s is counted, once", l.Name, allSets, l.Unit), spread{1, wrong, wrong, wrong}, 0, fmt.Sprintf(" of %d wrong", l.Done), true}}
}

// ringGoals: what a ring costs is compared with programs that do nothing, by the medians of what both add.
func (l *load) ringGoals() []goal {
	ours, floor := l.result(ringPage).of(sample.added), l.result(emptyRings).of(sample.added)
	var gs []goal
	if ours.N > 0 && floor.N > 0 {
		ratio := ours.Median / floor.Median
		if floor.Median <= 0 {
			ratio = math.NaN()
		}
		gs = append(gs, goal{l.Name + ", " + ringPage + ": adds at most 2 × what empty programs add", spread{1, ratio, ratio, ratio}, 2, "", false})
	}
	return append(append(gs, l.lostGoal(ringPage), l.lostGoal(allSets)), l.seenGoals()...)
}
