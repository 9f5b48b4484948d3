// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"beltrace/collector/model"
)

// fairnessShown is how many services the foot of the page speaks of.
const fairnessShown = 3

// Jain returns Jain's fairness index of some shares: 1 when all are the same, 1/n when one has everything.
func Jain(shares []uint64) float64 {
	var sum, squares float64
	for _, x := range shares {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(shares)) * squares)
}

// workersFoot says of each service with several workers how evenly requests come to them, or, where those are not known,
// connections.
func workersFoot(in Input, width, _ int) []Line {
	var out []Line
	for _, s := range services(in.Snap) {
		names, shares, what := workersOf(in.Snap, s)
		if line := fairnessLine(s, names, shares, what); line != nil && len(out) < fairnessShown {
			out = append(out, line.Fit(width))
		}
	}
	return out
}

func fairnessLine(s *service, names []string, shares []uint64, what string) Line {
	var all uint64
	most := 0
	for i, n := range shares {
		all += n
		if n > shares[most] {
			most = i
		}
	}
	if len(shares) < 2 || all == 0 {
		return nil
	}
	index := Jain(shares)
	style := Normal
	if index < 0.8 {
		style = Warning
	}
	return Line{{fmt.Sprintf("%s :%d", comm(s.top().Process), portOf(s.top().Local)), Strong}, {fmt.Sprintf("  fairness %.2f", index), style}, {" (1 = even): ", Dim},
		{names[most], Normal}, {" takes ", Dim}, {Share(float64(shares[most]) / float64(all)), style}, {" of " + what + ", " + Plural(len(shares), "worker", "workers"), Dim}}
}

// workersOf returns those among whom the work of a service is divided: its processes, or, if there is just one, its
// threads that wait in accept. One that waits for connections and never got one counts too. what: of what they have shares.
func workersOf(s *model.Snapshot, svc *service) (names []string, shares []uint64, what string) {
	byPID, byTID := newTally(), newTally()
	for _, l := range svc.listeners {
		for i := range l.Acceptors {
			a := &l.Acceptors[i]
			byPID.add(a.PID, a.Accepts)
			if a.Between.Known && waitsInAccept(a.Between.V) {
				byTID.add(a.TID, a.Accepts)
			}
		}
	}
	if onlyService(s, svc) {
		for i := range s.Workers {
			w := &s.Workers[i]
			if w.Comm == svc.top().Comm && w.Accepts == 0 && !w.Ended.Known && waitsInAccept(w.Times) {
				byPID.add(w.PID, 0)
				byTID.add(w.TID, 0)
			}
		}
	}
	all, id := byTID, func(w *model.Worker) uint32 { return w.TID }
	if len(byPID.ids) > 1 {
		all, id = byPID, func(w *model.Worker) uint32 { return w.PID }
	}
	if answered := requestsOf(s, svc, all, id); answered != nil {
		return all.names(), answered, "requests"
	}
	return all.names(), all.counts, "conns"
}

// requestsOf returns how many requests each of them answered; nil: that is not known of all, or they serve others too.
func requestsOf(s *model.Snapshot, svc *service, all *tally, id func(*model.Worker) uint32) []uint64 {
	for _, other := range services(s) {
		for _, l := range other.listeners {
			for i := range l.Acceptors {
				if a := &l.Acceptors[i]; serviceKey(other) != serviceKey(svc) && all.has(id(&model.Worker{PID: a.PID, TID: a.TID})) {
					return nil
				}
			}
		}
	}
	known, out := newTally(), make([]uint64, len(all.ids))
	for i := range s.Workers {
		if w := &s.Workers[i]; all.has(id(w)) && w.Exchanges.Known {
			known.add(id(w), w.Exchanges.V)
		}
	}
	var sum uint64
	for i, n := range all.ids {
		if !known.has(n) {
			return nil
		}
		out[i] = known.counts[known.at[n]]
		sum += out[i]
	}
	if sum == 0 {
		return nil
	}
	return out
}

func waitsInAccept(t model.Times) bool { return t.BlockedNS["accept"]+t.BlockedNS["accept4"] > 0 }

// onlyService reports whether no other service has the same name: then a thread of that name belongs to it.
func onlyService(s *model.Snapshot, svc *service) bool {
	key := serviceKey(svc)
	for _, other := range services(s) {
		if other.top().Comm == svc.top().Comm && serviceKey(other) != key {
			return false
		}
	}
	return true
}

// tally adds up by number, in the order of appearance.
type tally struct {
	at     map[uint32]int
	ids    []uint32
	counts []uint64
}

func newTally() *tally { return &tally{at: map[uint32]int{}} }

func (t *tally) add(id uint32, n uint64) {
	i, ok := t.at[id]
	if !ok {
		i = len(t.ids)
		t.at[id] = i
		t.ids, t.counts = append(t.ids, id), append(t.counts, 0)
	}
	t.counts[i] += n
}

func (t *tally) has(id uint32) bool {
	_, ok := t.at[id]
	return ok
}

func (t *tally) names() []string {
	out := make([]string, len(t.ids))
	for i, id := range t.ids {
		out[i] = fmt.Sprint(id)
	}
	return out
}
