// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"math"
	"slices"

	"beltrace/collector/model"
)

const (
	herdAtLeast = 20    // connections
	herdEach    = 1.0   // wake-ups in vain for each of them
	herdHurts   = 100.0 // of them a second: more than a note
	// A connection wakes each loop once; what counts them is told a second later than accepts. More come from something else.
	herdMost = 1.25
)

// thunderingHerd: a connection wakes several threads, and all but one find nobody.
var thunderingHerd = rule{
	id: "thundering-herd",
	mechanism: "Several threads wait for the same listening socket, each in an epoll instance of its own (or in poll). A connection wakes all of them (ep_poll_callback once for each instance). One takes it; accept() says EAGAIN to the others (inet_csk_accept): " +
		"a wake-up, two context switches and two system calls for nothing, for each of them and each connection. Those that look when it is taken already find nothing ready (ep_send_events) and go back to sleep within epoll_wait: a wake-up and two context switches.",
	listener: func(l *listener) *evidence {
		before := l.ago(span)
		h := l.herd(before)
		vain := h.empty + h.spurious
		each := float64(vain) / float64(max(h.accepts, 1))
		if !l.reaches(float64(h.accepts), herdAtLeast) || h.threads < 2 || !l.reaches(each, herdEach) {
			return nil
		}
		rate := l.rate(0, vain, before.ts)
		e := &evidence{severity: model.Note, weight: each,
			text: fmt.Sprintf("threads were woken in vain %s in the last 10 s, %s for each connection that was accepted: %s. %d threads of %s wait for the same socket",
				timesIn(vain), digits(each), h.found(), h.threads, processesOf(h.processes)),
			numbers: map[string]float64{"vain_10s": float64(vain), "accepted_10s": float64(h.accepts), "vain_each": each, "threads": float64(h.threads), "processes": float64(h.processes)},
			remedy: "Let the kernel wake one only: add the listening socket with EPOLLEXCLUSIVE (nginx does so from 1.11.3 on), give each thread or process a socket of its own (SO_REUSEPORT; nginx: listen … reuseport), " +
				"or wait in a blocking accept. Or let one thread accept and hand connections on."}
		if h.spurious > 0 {
			e.numbers["spurious_10s"] = float64(h.spurious)
		}
		if rate >= herdHurts {
			e.severity = model.Warning
		}
		return e
	},
}

// herd is what the threads that wait for a listener did since a mark.
type herd struct {
	accepts   uint64
	empty     uint64 // calls of accept that found nobody, and were not to make sure that nobody is left
	spurious  uint64 // wake-ups after which a wait went on
	threads   int
	processes int
}

func (l *listener) herd(before mark) herd {
	h := herd{threads: l.now.askers}
	pids := map[uint32]bool{}
	for pid, now := range l.now.takers {
		then := before.takers[pid]
		n, empty := grown(now.accepts, then.accepts), grown(now.empty, then.empty)
		h.accepts += n
		h.empty += empty - min(empty, n) // who accepts until nobody is left finds nobody once for each go
		if n+empty > 0 {
			pids[pid] = true
		}
	}
	h.addSleepers(l, pids)
	h.processes = len(pids)
	return h
}

// addSleepers adds the loops that were woken within their waits and found nothing.
func (h *herd) addSleepers(l *listener, pids map[uint32]bool) {
	var spurious float64
	loops := 0
	for _, s := range l.woken { // who waits for several listeners is woken for each as often as that has connections
		spurious += float64(s.spurious) * float64(h.accepts) / float64(max(s.accepts, 1))
		loops += len(s.tids)
	}
	if spurious > herdMost*float64(h.accepts)*float64(loops) {
		return
	}
	h.spurious = uint64(math.Round(spurious))
	for _, s := range l.woken {
		pids[s.pid] = true
		for _, tid := range s.tids {
			if !l.asked(s.pid, tid) {
				h.threads++
			}
		}
	}
}

// asked reports whether a thread has called accept and found nobody.
func (l *listener) asked(pid, tid uint32) bool {
	return slices.ContainsFunc(l.Acceptors, func(a model.Acceptor) bool { return a.PID == pid && a.TID == tid && a.Empty > 0 })
}

// found says where threads found nobody.
func (h *herd) found() string {
	const slept = "within their wait they found nothing and slept again"
	switch {
	case h.spurious == 0:
		return "accept found nobody"
	case h.empty == 0:
		return slept
	}
	return fmt.Sprintf("accept found nobody %s, %s %s", timesIn(h.empty), slept, timesIn(h.spurious))
}

// sleeper is a process whose loops were woken in vain within their waits, in the last seconds: for whatever they wait for.
type sleeper struct {
	pid      uint32
	tids     []uint32
	spurious uint64
	accepts  uint64 // of all, at the listeners that it accepts from
}

// joinSleepers joins listeners with the processes that accept from them and were woken in vain: by loops with an instance of their
// own, and without EPOLLEXCLUSIVE.
func (m *moment) joinSleepers() {
	var all map[uint32]*sleeper
	for _, l := range m.loops {
		n := grown(l.now.spurious, l.ago(span).spurious)
		if n == 0 || l.Exclusive || l.shared {
			continue
		}
		if all == nil {
			all = map[uint32]*sleeper{}
		}
		s := all[l.PID]
		if s == nil {
			s = &sleeper{pid: l.PID}
			all[l.PID] = s
		}
		s.tids, s.spurious = append(s.tids, l.TID), s.spurious+n
	}
	if all == nil {
		return
	}
	for _, l := range m.listeners {
		before := l.ago(span)
		var accepts uint64
		for pid, now := range l.now.takers {
			accepts += grown(now.accepts, before.takers[pid].accepts)
			if s := all[pid]; s != nil {
				l.woken = append(l.woken, s)
			}
		}
		for _, s := range l.woken {
			s.accepts += accepts
		}
	}
}

func processesOf(n int) string {
	if n == 1 {
		return "one process"
	}
	return fmt.Sprintf("%d processes", n)
}
