// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"beltrace/collector/model"
)

const (
	sharedAtLeast = 20   // connections, before shares say anything
	uneven        = 0.5  // more than an even share, by that part of one
	calmer        = 5    // times shorter a wait is at the calmest socket
	pausesShare   = 0.3  // of its time a busy process sleeps, at most
	idleShare     = 0.35 // of its time another runs or wants to, at most
	offShare      = 0.1  // of its time a thread does not run that one CPU is not enough for, at most
	queuedLittle  = 0.05 // … while it does not wait for a CPU
)

// part is one of several that share a listener's connections.
type part struct {
	name  uint64 // cookie of a socket, or pid
	count uint64 // connections in the last seconds
}

// shares are the parts, the largest first.
type shares []part

// sharesOf sorts the counts.
func sharesOf(counts map[uint64]uint64) shares {
	var all shares
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, part{name, counts[name]})
	}
	slices.SortStableFunc(all, func(a, b part) int { return cmp.Compare(b.count, a.count) })
	return all
}

func (s shares) total() (n uint64) {
	for _, p := range s {
		n += p.count
	}
	return n
}

// largest is the part of the first.
func (s shares) largest() float64 { return float64(s[0].count) / float64(max(s.total(), 1)) }

// fair is the part that each would have.
func (s shares) fair() float64 { return 1 / float64(len(s)) }

// uneven reports whether the first has far more than its part of enough connections.
func (s shares) uneven(stands standing) bool {
	return len(s) > 1 && stands.reaches(float64(s.total()), sharedAtLeast) && stands.reaches(s.largest()/s.fair()-1, uneven)
}

// fairness is Jain's index: 1 if all have the same, 1/n if one has all.
func (s shares) fairness() float64 {
	var sum, squares float64
	for _, p := range s {
		sum += float64(p.count)
		squares += float64(p.count) * float64(p.count)
	}
	return sum * sum / (float64(len(s)) * max(squares, 1))
}

// numbers are those of shares in what.
func (s shares) numbers(what string) map[string]float64 {
	return map[string]float64{what: float64(len(s)), "connections_10s": float64(s.total()), "share": s.largest(), "even_share": s.fair(), "fairness": s.fairness()}
}

// unevenReuseport: connections wait at one of several sockets with the same address, and at another they do not.
var unevenReuseport = rule{
	id: "uneven-reuseport",
	mechanism: "With SO_REUSEPORT each socket has an accept queue of its own. The kernel chooses the socket by a hash of addresses and ports when the SYN comes (reuseport_select_sock), and does not ask who is free. " +
		"A connection stays in the queue that it was put into, even while another one is empty.",
	listener: func(l *listener) *evidence {
		counts := map[uint64]uint64{}
		for _, one := range l.group {
			counts[one.Conn] = grown(one.now.established, one.ago(span).established)
		}
		s := sharesOf(counts)
		if !s.uneven(l.standing) || s[0].name != l.Conn {
			return nil
		}
		mine := l.waited(l.ago(span))
		calm, found := l.calmest()
		if !found || !mine.measured || !l.reaches(float64(mine.p50), longWait) || !l.reaches(float64(mine.p50), calmer*float64(calm.p50)) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: float64(mine.p50), numbers: s.numbers("sockets"),
			remedy: "Where connections are few or long, let all workers accept from one socket: whoever is free takes the next. Else let the owner of a socket accept all that wait at once and hand them on, start more workers for each socket, " +
				"or choose the socket by a program (SO_ATTACH_REUSEPORT_EBPF)."}
		e.numbers["wait_p50_ns"], e.numbers["calmest_wait_p50_ns"] = float64(mine.p50), float64(calm.p50)
		there := "they wait ≈" + dur(calm.p50)
		if calm.count == 0 {
			there = "none came"
		}
		e.text = fmt.Sprintf("this socket got %.0f %% of the connections to its address (%d sockets, %.0f %% each would be even; %d connections in the last 10 s), and they wait ≈%s (p50) to be accepted; at the calmest of the sockets %s. Fairness %.2f (1 = even)",
			s.largest()*100, len(s), s.fair()*100, s.total(), dur(mine.p50), there, s.fairness())
		return e
	},
}

// calmest returns the waits at that other socket of the group where they are shortest, of those where nobody waits now.
func (l *listener) calmest() (best wait, found bool) {
	for _, one := range l.group {
		if one == l || one.waitsSince != 0 {
			continue
		}
		if w := one.waited(one.ago(span)); !found || w.p50 < best.p50 {
			best, found = w, true
		}
	}
	return best, found
}

// unevenWorkers: of several processes with one listening socket one takes most, and is busy while others are not.
var unevenWorkers = rule{
	id: "uneven-workers",
	mechanism: "Several processes wait for connections at the same listening socket. The kernel wakes one that sleeps; of those that wait in epoll (EPOLLEXCLUSIVE) it begins with the one that came to wait last (ep_poll_callback, added at the head of the queue). " +
		"So whoever was busy a moment ago is woken first, and keeps every connection that it takes.",
	listener: func(l *listener) *evidence {
		before := l.ago(span)
		counts := map[uint64]uint64{}
		for pid, n := range l.now.takers {
			counts[uint64(pid)] = grown(n.accepts, before.takers[pid].accepts)
		}
		s := sharesOf(counts)
		if !s.uneven(l.standing) {
			return nil
		}
		busy, known := l.demand(uint32(s[0].name), before)
		most := 0.0
		for _, p := range s[1:] {
			if one, ok := l.demand(uint32(p.name), before); ok {
				most = max(most, one)
			} else {
				known = false
			}
		}
		if !known || busy < most || !l.within(1-busy, pausesShare) || !l.within(most, idleShare) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: busy, numbers: s.numbers("processes"), pid: model.Some(uint32(s[0].name)),
			text: fmt.Sprintf("process %d took %.0f %% of the connections (%d processes, %.0f %% each would be even; %d connections in the last 10 s): its accepting thread runs or waits for a CPU %.0f %% of the time, those of the others %.0f %% at most. Fairness %.2f (1 = even)",
				s[0].name, s.largest()*100, len(s), s.fair()*100, s.total(), busy*100, most*100, s.fairness()),
			remedy: "Give each process a socket of its own (SO_REUSEPORT; nginx: listen … reuseport), let a process with many connections stop accepting for a while (nginx: accept_mutex on), or take one connection for each wake-up instead of all that wait."}
		e.numbers["busy_share"], e.numbers["others_busy_share"] = busy, most
		return e
	},
}

// demand is the part of its time in which a process's busiest accepting thread ran or wanted to; false: not known.
func (l *listener) demand(pid uint32, before mark) (float64, bool) {
	most, known := 0.0, false
	for _, t := range l.now.threads {
		if t.pid != pid {
			continue
		}
		if d := t.times.V.Since(threadOf(before.threads, t.tid).times.V); d.WatchedNS > 0 {
			most, known = max(most, float64(d.RunningNS+d.RunqueueNS)/float64(d.WatchedNS)), true
		}
	}
	return most, known
}

// oneCPUSaturated: all connections go through one thread, and that runs all the time.
var oneCPUSaturated = rule{
	id: "one-cpu-saturated",
	mechanism: "A thread runs on one CPU at a time (the scheduler may move it, but never splits it). One that is hardly ever off its CPU, and hardly ever waits for one, cannot do more: further CPUs of this host do not help it, " +
		"and whoever it has to serve waits for it.",
	listener: func(l *listener) *evidence {
		if len(l.now.threads) != 1 || len(l.now.takers) > 1 || l.State == model.StateClosed {
			return nil
		}
		before, t := l.ago(window), l.now.threads[0]
		if grown(t.accepts, threadOf(before.threads, t.tid).accepts) == 0 && l.work() == 0 {
			return nil
		}
		d := t.times.V.Since(threadOf(before.threads, t.tid).times.V)
		if d.WatchedNS < int64(window)/2 {
			return nil
		}
		ran, queued := float64(d.RunningNS)/float64(d.WatchedNS), float64(d.RunqueueNS)/float64(d.WatchedNS)
		if !l.within(1-ran, offShare) || !l.within(queued, queuedLittle) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: ran, pid: model.Some(t.pid),
			text: fmt.Sprintf("thread %d, the only one that accepts here, is on a CPU %.0f %% of its time and waits for one %.0f %%: it needs more than the one CPU that a thread can have",
				t.tid, ran*100, queued*100),
			numbers: map[string]float64{"tid": float64(t.tid), "running_share": ran, "runqueue_share": queued},
			remedy:  "Serve with more threads or processes (a loop for each CPU, SO_REUSEPORT, workers), move what computes out of the thread that accepts, or make it cheaper (perf top -t TID shows what it does)."}
		switch cpus := l.now.demand.V.CPUs; {
		case cpus == 1:
			e.numbers["cpus"] = 1
			e.text += ". Its process may use no other CPU"
			e.remedy = "Let the process use more CPUs (its affinity or cpuset allows one), or make what the thread does cheaper (perf top -t TID shows what it does)."
		case cpus > 1:
			e.numbers["cpus"] = float64(cpus)
			e.text += fmt.Sprintf(", of %d that its process may use", cpus)
		}
		return e
	},
}

// work returns how many exchanges the listener's connections have had lately.
func (l *listener) work() uint64 { return grown(l.now.work.Exchanges, l.ago(window).work.Exchanges) }
