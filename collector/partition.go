// SPDX-License-Identifier: Apache-2.0

package collector

// Phases of an exchange (docs/events.md). They cut the time from its start to the last byte first sent: they do not
// overlap, are not negative, and add up to the total. What was not seen is phaseUnobserved.
const (
	phaseSYN         = "syn"          // connect was called, the SYN has not reached the listener: also SYNs sent again
	phaseHandshake   = "handshake"    // SYN at the listener to the final ACK
	phaseAcceptQueue = "accept_queue" // complete, not accepted
	phaseClientIdle  = "client_idle"  // accepted, and the client has sent nothing yet
	phaseWaiting     = "waiting"      // bytes are there, the thread that will read them has not been told
	phaseWakeup      = "wakeup"       // told, not runnable yet
	phaseRunqueue    = "runqueue"     // runnable, without a CPU
	phaseRead        = "read"         // on a CPU, until the last of the request was read
	phaseAppRunning  = "app.running"
	phaseAppRunqueue = "app.runqueue"
	phaseAppBlocked  = "app.blocked:" // + what it waits in
	phaseWrite       = "write"        // from the first byte written to the last
	phaseSend        = "send"         // written, not sent yet
	phaseUnobserved  = "unobserved"
)

// partition cuts a span of time into phases, from its start on.
type partition struct {
	at, end int64
	phases  map[string]int64
}

func newPartition(start, end int64) *partition {
	return &partition{at: start, end: max(start, end), phases: map[string]int64{}}
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

// stretch is a phase and how long it took.
type stretch struct {
	phase string
	ns    int64
}
