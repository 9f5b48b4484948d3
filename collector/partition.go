// SPDX-License-Identifier: Apache-2.0

package collector

import "time"

// Phases of an exchange (docs/events.md). They cut the time from its start to the last byte first sent: they do not
// overlap, are not negative, and add up to the total. What was not seen is phaseUnobserved.
const (
	phaseSYN         = "syn"          // connect was called, the SYN has not reached the listener: also SYNs sent again
	phaseHandshake   = "handshake"    // SYN at the listener to the final ACK
	phaseAcceptQueue = "accept_queue" // complete, not accepted
	phaseClientIdle  = "client_idle"  // accepted, and the client has sent nothing yet
	phaseWaiting     = "waiting"      // bytes are there, the thread that will read them has not been told, or serves others
	phaseWakeup      = "wakeup"       // told, not runnable yet
	phaseRunqueue    = "runqueue"     // runnable, without a CPU
	phaseRead        = "read"         // on a CPU, until the last of the request was read
	phaseAppRunning  = "app.running"
	phaseAppRunqueue = "app.runqueue"
	phaseAppBlocked  = "app.blocked:" // + what it waits in
	phaseWrite       = "write"        // from the first byte written to the last
	phaseSend        = "send"         // written, not sent yet
	phaseUnobserved  = "unobserved"

	earlierAnswer = "earlier_answer" // what a pipelined request is blocked in
)

// partition cuts a span of time into phases, from its start on.
type partition struct {
	from, at, end int64
	phases        map[string]int64

	conn   arrived // those of the connection, where its time is the exchange's
	sleeps []sleep // of the thread that read, until the answer was over
	since  int64   // since when they are all there; 0: always

	stacks map[string][]string // where the thread was in its longest sleep, by phase
	slept  map[string]int64    // how long that was; of phaseAppRunning: how many samples
}

func newPartition(start, end int64) *partition {
	return &partition{from: start, at: start, end: max(start, end), phases: map[string]int64{}}
}

// until gives the time up to ts to a phase. A ts outside the rest of the span counts as its nearest end.
func (p *partition) until(ts int64, phase string) {
	ts = min(max(ts, p.at), p.end)
	p.add(phase, ts-p.at)
	p.at = ts
}

// untilKnown does so if ts is known; else the time falls to what comes next.
func (p *partition) untilKnown(ts int64, phase string) {
	if ts != 0 {
		p.until(ts, phase)
	}
}

// soon is how long after the first byte a thread is told that waits for it: the kernel does so at once.
const soon = int64(time.Millisecond)

// reached gives the time until the thread that reads comes to the bytes, which were there from start on. It was asleep when
// they came and was woken, or it served others first, as an event loop does; else it came to them by itself.
func (p *partition) reached(in *moves, start int64) {
	woken := in.oncpu >= start && in.oncpu <= in.first
	busy := in.other > start && in.other <= in.first
	told := in.waking >= start && in.waking-start < soon // for these bytes, not for what it was busy with
	slept := in.waking >= in.other                       // after it was busy
	if woken && (!busy || told && in.other > in.oncpu || slept) {
		p.woken(in)
	}
	if busy {
		p.until(in.other, phaseWaiting)
	}
	switch {
	case woken:
		if busy && in.other <= in.oncpu {
			p.until(in.oncpu, phaseRunqueue) // it had to give its CPU away
		}
	case in.oncpu > 0 && in.first > 0:
		p.until(in.first-in.latency, phaseWaiting)
	case in.first > 0:
		p.until(in.first-in.latency, phaseUnobserved)
	}
}

// woken gives the time until a thread that slept is on a CPU.
func (p *partition) woken(in *moves) {
	p.untilKnown(in.waking, phaseWaiting)
	p.untilKnown(in.runnable, phaseWakeup)
	p.until(in.oncpu, phaseRunqueue)
}

// share gives a part of the time up to ts to each phase in turn, as far as it suffices, and the rest to rest.
func (p *partition) share(ts int64, parts []stretch, rest string) {
	ts = min(max(ts, p.at), p.end)
	left := ts - p.at
	for _, s := range parts {
		ns := min(max(s.ns, 0), left)
		p.add(s.phase, ns)
		left -= ns
	}
	p.add(rest, left)
	p.at = ts
}

// firstSleep returns the first sleep that began within a time; nil: none is known.
func (p *partition) firstSleep(from, to int64) *sleep {
	for i := range p.sleeps {
		if s := &p.sleeps[i]; s.from >= from && s.from < to && !s.preempted() {
			return s
		}
	}
	return nil
}

// sleptAt keeps where a thread was in a sleep, if it is the longest one of its phase.
func (p *partition) sleptAt(phase string, ns int64, stack []string) {
	if len(stack) == 0 || ns <= p.slept[phase] {
		return
	}
	if p.stacks == nil {
		p.stacks, p.slept = map[string][]string{}, map[string]int64{}
	}
	p.stacks[phase], p.slept[phase] = stack, ns
}

// finish gives the rest to phaseUnobserved and returns the phases.
func (p *partition) finish() map[string]int64 {
	p.until(p.end, phaseUnobserved)
	return p.phases
}

func (p *partition) add(phase string, ns int64) {
	if ns > 0 {
		p.phases[phase] += ns
	}
}

// arrived are the moments of a connection's beginning.
type arrived struct{ connect, syn, established, accepted int64 }

// stretch is a phase and how long it took.
type stretch struct {
	phase string
	ns    int64
}
