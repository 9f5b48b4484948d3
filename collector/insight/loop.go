// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"slices"
	"time"

	"beltrace/collector/model"
)

// loop is an event loop now, and in the last seconds.
type loop struct {
	*model.Loop
	standing
	now    loopMark
	marks  []loopMark
	shared bool // other threads wait on the same epoll instance: one that sleeps does not stop it
}

// loopMark is what is remembered of a loop at one moment.
type loopMark struct {
	ts                  int64
	waits, empty, polls uint64
	busy                int64
	spurious            uint64
}

func (p *past) lookLoop(l *model.Loop, ts int64) *loop {
	out := &loop{Loop: l, now: loopMark{ts, l.Waits, l.Empty, l.Polls, l.Busy, l.Spurious.V}}
	if old := p.loops[out.id()]; old != nil {
		out.marks = old.marks
	}
	return out
}

// lookLoops joins the loops with their past.
func (p *past) lookLoops(s *model.Snapshot) []*loop {
	type instance struct {
		pid  uint32
		epfd int32
	}
	waiters := map[instance]int{}
	var out []*loop
	for i := range s.Loops {
		l := &s.Loops[i]
		if l.Ended.Known {
			continue
		}
		out = append(out, p.lookLoop(l, s.TS))
		if l.EpFD.Known {
			waiters[instance{l.PID, l.EpFD.V}]++
		}
	}
	for _, l := range out {
		l.shared = l.EpFD.Known && waiters[instance{l.PID, l.EpFD.V}] > 1
	}
	return out
}

// id is the number of a loop: that of its thread, and its descriptor or, below 0, its kind.
func (l *loop) id() uint64 {
	place := uint32(l.EpFD.V)
	if !l.EpFD.Known {
		place = uint32(0xffffff00) | uint32(len(l.Kind)) // poll and select differ in length
	}
	return uint64(l.TID)<<32 | uint64(place)
}

// ago returns the loop as it was that long ago; where it was not watched then, when it began. One that was watched before we
// look, as in a recording that begins in the middle, is as old as our first look.
func (l *loop) ago(d time.Duration) loopMark {
	begin := loopMark{ts: l.now.ts - l.Watched}
	if l.Watched > int64(d) {
		begin = l.now
		if len(l.marks) > 0 {
			begin = l.marks[0]
		}
	}
	m := ago(l.marks, l.now.ts-int64(d), begin, func(m *loopMark) int64 { return m.ts })
	if m.waits > l.now.waits { // it is watched anew
		return loopMark{ts: l.now.ts - l.Watched}
	}
	return m
}

// subject names a loop: nginx 812 epfd 7.
func (l *loop) subject() string {
	who := fmt.Sprint(l.PID)
	if l.TID != l.PID {
		who = fmt.Sprintf("%d/%d", l.PID, l.TID)
	}
	if l.EpFD.Known {
		return fmt.Sprintf("%s %s epfd %d", l.Comm, who, l.EpFD.V)
	}
	return fmt.Sprintf("%s %s %s", l.Comm, who, l.Kind)
}

// watches reports whether the loop serves sockets, or may.
func (l *loop) watches() bool { return !l.Sockets.Known || l.Sockets.V > 0 }

const (
	stalledFor  = int64(10e6) // ns
	stackShown  = 3           // functions of a stack
	emptyPerSec = 100.0
	wakesShare  = 0.2 // of waits that end with something, at most
	pollsPerSec = 1000.0
	pollsShare  = 0.5
)

// blockedLoop: a call that blocks, within an event loop that others wait for.
var blockedLoop = rule{
	id: "blocked-loop",
	mechanism: "An event loop serves all of its descriptors with one thread. Between two waits (do_epoll_wait) this one left its CPU in another system call (sched_switch) and slept until something woke it. " +
		"What became ready meanwhile went onto the ready list (ep_poll_callback) and stayed there: nobody looked at it before the loop waited again.",
	loop: func(l *loop) *evidence {
		var worst model.Stall
		n, behind := 0, uint32(0)
		for _, s := range l.Recent {
			if l.now.ts-s.TS > int64(span) || s.OffNS < stalledFor || s.Ready == 0 || s.On == "stopped" || s.On == "throttled" {
				continue
			}
			if s.Stack.Idle() { // of Go's: whichever thread is free looks at its epoll instance
				continue
			}
			n++
			behind = max(behind, s.Ready)
			if s.OffNS*int64(s.Ready) > worst.OffNS*int64(worst.Ready) { // what all of them lost
				worst = s
			}
		}
		if n == 0 || l.shared || !l.watches() {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: float64(worst.OffNS), since: worst.TS - worst.OffNS,
			numbers: map[string]float64{"off_ns": float64(worst.OffNS), "ready": float64(worst.Ready), "most_ready": float64(behind), "stalls": float64(l.Stalls)},
			remedy:  stallRemedy(worst.On)}
		e.text = fmt.Sprintf("the thread of an event loop slept %s in %s; ", dur(worst.OffNS), worst.On)
		if worst.Times > 1 {
			e.text = fmt.Sprintf("the thread of an event loop slept %d times before it waited again, up to %s in %s, %s in all; ", worst.Times, dur(worst.OffNS), worst.On, dur(worst.Busy))
			e.numbers["sleeps"], e.numbers["busy_ns"] = float64(worst.Times), float64(worst.Busy)
		}
		if at := worst.Stack.Callers(stackShown); at != "" {
			e.text += fmt.Sprintf("the code is %s; ", at)
		}
		e.text += fmt.Sprintf("when it came back, %s ready", descriptorsWere(worst.Ready))
		switch {
		case n >= model.RecentStalls: // no more are remembered
			e.text += fmt.Sprintf(". At least %d such turns in the last 10 s", n)
		case n > 1:
			e.text += fmt.Sprintf(". %d such turns in the last 10 s", n)
		}
		return e
	},
}

func descriptorsWere(n uint32) string {
	if n == 1 {
		return "1 descriptor was"
	}
	return fmt.Sprintf("%d descriptors were", n)
}

// stallRemedy says what to do about a sleep in that call.
func stallRemedy(on string) string {
	const hand = " Or let other threads do what blocks, and have more than one loop."
	switch on {
	case "nanosleep", "clock_nanosleep":
		return "Never sleep in a handler: set a timer (timerfd, the runtime's own) and return to the loop." + hand
	case "futex":
		return "It waits for a lock, or for another thread: hold locks shortly, or hand the result over by an eventfd that the loop watches." + hand
	case "page_fault":
		return "It waits for memory to be read from the disk: lock or touch what handlers need before (mlock, MAP_POPULATE), or give the process more memory." + hand
	}
	if slices.Contains([]string{"read", "readv", "pread64", "write", "writev", "pwrite64", "fsync", "fdatasync", "open", "openat", "stat", "newfstatat", "getdents64"}, on) {
		return "If that is a file: reading and writing files always blocks, whatever O_NONBLOCK says; leave it to a pool of threads or to io_uring. If it is a socket or a pipe: make it non-blocking." + hand
	}
	return "Make the descriptor non-blocking and let the loop watch it, or give the call to another thread." + hand
}

// emptyPolling: a loop whose waits end without anything to do.
var emptyPolling = rule{
	id: "empty-polling",
	mechanism: "epoll_wait returns with nothing when its timeout is over (ep_poll, schedule_hrtimeout_range). Each time the thread is woken, runs, finds nothing to do and sleeps again: " +
		"the CPU cannot stay in a deep sleep, and other threads are interrupted.",
	loop: func(l *loop) *evidence {
		before := l.ago(span)
		waits, polls := grown(l.now.waits, before.waits), grown(l.now.polls, before.polls)
		empty := grown(l.now.empty, before.empty) - min(polls, grown(l.now.empty, before.empty))
		perSec := l.perSecond(empty, before)
		if !l.reaches(perSec, emptyPerSec) || !l.within(float64(waits-min(empty, waits)), wakesShare*float64(waits)) {
			return nil
		}
		return &evidence{severity: model.Note, weight: perSec, numbers: map[string]float64{"empty_per_s": perSec, "empty": float64(empty), "waits": float64(waits)},
			text:   fmt.Sprintf("%s waits a second end without anything ready: %.0f %% of all", digits(perSec), 100*float64(empty)/float64(max(waits, 1))),
			remedy: "Wait without a timeout, or until the next timer is due (timerfd among the descriptors); let other threads wake the loop by an eventfd instead of having it look."}
	},
}

// busyPolling: a loop that never sleeps.
var busyPolling = rule{
	id: "busy-polling",
	mechanism: "With a timeout of 0 epoll_wait does not sleep: it looks at the ready list (ep_events_available) and returns. A loop that asks again at once keeps its CPU busy with nothing; " +
		"on a host with few CPUs the threads that have work wait for it.",
	loop: func(l *loop) *evidence {
		before := l.ago(span)
		waits, polls := grown(l.now.waits, before.waits), grown(l.now.polls, before.polls)
		perSec := l.perSecond(polls, before)
		busy := float64(l.now.busy-min(before.busy, l.now.busy)) / float64(max(l.now.ts-before.ts, 1))
		if !l.reaches(perSec, pollsPerSec) || !l.reaches(float64(polls), pollsShare*float64(waits)) {
			return nil
		}
		return &evidence{severity: model.Warning, weight: perSec, numbers: map[string]float64{"polls_per_s": perSec, "polls": float64(polls), "waits": float64(waits), "busy_share": busy},
			text:   fmt.Sprintf("the loop asks %s times a second, with a timeout of 0, and finds nothing in %.0f %% of its waits", digits(perSec), 100*float64(polls)/float64(max(waits, 1))),
			remedy: "Wait with a timeout of -1, or until the next timer is due. If the delay of a wake-up is what is to be saved, give the thread a CPU of its own, or poll in the driver (net.core.busy_poll) for a bounded time."}
	},
}

// perSecond returns how many of something there were each second since a mark.
func (l *loop) perSecond(n uint64, before loopMark) float64 {
	return float64(n) * 1e9 / float64(max(l.now.ts-before.ts, int64(time.Second)))
}
