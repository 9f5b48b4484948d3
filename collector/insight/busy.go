// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"maps"
	"slices"
	"time"

	"beltrace/collector/model"
)

// enough is what part of a thread's time must be known to be other than idle, to say how it spends that.
const enough = 20

// busy returns what a thread did since a mark, but for its waits for work while nobody was waiting for it: an acceptor
// that has nobody to accept keeps nobody waiting. Its times are told once a second: of each second so much may have been
// idle as the accept queue was found empty.
func (l *listener) busy(tid uint32, before mark) model.Times {
	sum := model.Times{BlockedNS: map[string]int64{}}
	then, looks, empty := threadOf(before.threads, tid).times.V, int64(1), before.empty()
	for m := range l.recent(time.Duration(l.now.ts - before.ts)) {
		looks, empty = looks+1, empty+m.empty()
		now := threadOf(m.threads, tid).times
		if !now.Known || now.V.WatchedNS == then.WatchedNS {
			continue // not told anew
		}
		d := difference(now.V, then)
		idle := d.WatchedNS * empty / looks
		for _, in := range slices.Sorted(maps.Keys(d.BlockedNS)) {
			ns := d.BlockedNS[in]
			if waitsForWork(in) {
				cut := min(ns, idle)
				ns, idle, d.WatchedNS = ns-cut, idle-cut, d.WatchedNS-cut
			}
			sum.BlockedNS[in] += ns
		}
		sum.WatchedNS, sum.RunningNS, sum.RunqueueNS = sum.WatchedNS+d.WatchedNS, sum.RunningNS+d.RunningNS, sum.RunqueueNS+d.RunqueueNS
		then, looks, empty = now.V, 1, m.empty()
	}
	return sum
}

// acceptsMeanwhile returns how many connections the thread accepted in the time that its times since a mark are of.
func (l *listener) acceptsMeanwhile(tid uint32, before mark) uint64 {
	return grown(l.told(tid, l.now.ts).accepts, l.told(tid, before.ts).accepts)
}

// told returns a thread at the mark at which its times were told that were the latest then.
func (l *listener) told(tid uint32, ts int64) (out thread) {
	for m := range l.recent(span) {
		if t := threadOf(m.threads, tid); m.ts <= ts && t.times.V.WatchedNS != out.times.V.WatchedNS {
			out = t
		}
	}
	return out
}

// empty is 1 if the accept queue was found empty, else 0.
func (m *mark) empty() int64 {
	if m.depth.Known && m.depth.V == 0 {
		return 1
	}
	return 0
}
