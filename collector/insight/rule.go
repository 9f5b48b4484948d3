// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"math"
	"slices"
	"time"

	"beltrace/collector/model"
)

// rule is one line of the table.
type rule struct {
	id        string
	mechanism string // what the kernel does, with the names of its functions
	// listener says what is wrong with a listener; nil: nothing.
	listener func(l *listener) *evidence
	// space says what is wrong in a network namespace of which no listener gave evidence; nil: nothing. The rule may have none.
	space func(n *space) *evidence
	// tells reports whether this kernel says of a listener what space is about: then it is of others, or the listener gave evidence.
	tells     func(*model.Listener) bool
	foretells string // the rule's id whose finding this one is a forecast of: it ends when that begins
	apart     bool   // that of the namespace is about something else: it holds whatever its listeners give
	// hold is how long evidence must last before it is told, where it rests on what changes by chance. 0: it is complete in itself.
	hold time.Duration
	// loop says what is wrong with an event loop. A rule has it, or the first two, or the next.
	loop func(l *loop) *evidence
	// ring says what is wrong with an io_uring.
	ring func(r *ring) *evidence
}

// keep is how long a finding outlives its evidence.
const keep = 5 * time.Second

// spaceHold is how long evidence about a whole namespace must last: that about its listeners may come a little later,
// and explains it.
const spaceHold = 2 * time.Second

// standing says of what a rule looks at whether its finding stands already. It takes half as much to hold a finding as to begin
// one: evidence that comes near a limit again and again is one finding. A limit near a whole is one of what is missing of it.
type standing bool

// reaches reports whether v is not below a limit.
func (s standing) reaches(v, limit float64) bool {
	if s {
		limit /= 2
	}
	return v >= limit
}

// within reports whether v is not above a limit.
func (s standing) within(v, limit float64) bool {
	if s {
		limit *= 2
	}
	return v <= limit
}

// evidence is why a rule applies to something now.
type evidence struct {
	severity string
	text     string
	then     string // the text once it no longer holds, of a forecast; "": the same
	numbers  map[string]float64
	remedy   string
	since    int64   // since when it holds; 0: since it was first seen
	weight   float64 // how bad it is: of a finding that has ended the worst moment is kept
	pid      opt32   // process that it is about, where that is not the listener's
}

type opt32 = model.Opt[uint32]

// rules is the table. The order is that of findings of the same severity and time.
var rules = []rule{
	acceptQueueFull,
	nobodyAccepts,
	fdLimit,
	synQueueFull,
	listenerClosedWaiting,
	acceptQueueFilling,
	slowAcceptor,
	backlogCapped,
	synCookies,
	blockedHandler,
	runQueueWait,
	cpuThrottled,
	slowReader,
	nagleDelayedACK,
	retransmits,
	tinyIO,
	noKeepAlive,
	thunderingHerd,
	unevenReuseport,
	unevenWorkers,
	oneCPUSaturated,
	blockedLoop,
	busyPolling,
	emptyPolling,
	ioWQPunt,
}

// apply returns what all rules find, where those findings stand already.
func apply(m *moment, stands func(key) standing) []found {
	var out []found
	names := subjects(m.listeners)
	for i := range rules {
		r := &rules[i]
		if r.loop != nil {
			out = append(out, applyLoop(i, m.loops, stands)...)
			continue
		}
		if r.ring != nil {
			out = append(out, applyRing(i, m.rings, stands)...)
			continue
		}
		told := map[uint32]bool{} // namespaces in which a listener explains it
		for _, l := range m.listeners {
			k := key{i, listenerSubject, l.Conn}
			l.standing = stands(k)
			if e := r.listener(l); e != nil {
				out = append(out, found{k, finding(r, e, names[l.Conn], l), e.weight, e.then})
				told[l.NetNS] = true
			}
		}
		for _, n := range m.spaces {
			if r.space == nil || !r.apart && (told[n.NetNS] || r.ofOthers(n, m.listeners)) {
				continue
			}
			k := key{i, spaceSubject, uint64(n.NetNS)}
			n.standing = stands(k)
			if e := r.space(n); e != nil {
				out = append(out, found{k, finding(r, e, n.subject(), nil), e.weight, e.then})
			}
		}
	}
	return out
}

// ofOthers reports whether what a namespace counts is not about those that are watched, or not to be told.
func (r *rule) ofOthers(n *space, listeners []*listener) bool {
	switch n.watch {
	case Alone:
		return true
	case Part:
		return slices.ContainsFunc(listeners, func(l *listener) bool { return l.NetNS == n.NetNS && r.tells(l.Listener) })
	}
	return false
}

// tellsDrops reports whether this kernel tells how many connections a listener refused.
func tellsDrops(l *model.Listener) bool { return l.Drops.Known || l.Overflows.Known }

// applyLoop returns what a rule finds in event loops.
func applyLoop(i int, loops []*loop, stands func(key) standing) (out []found) {
	for _, l := range loops {
		k := key{i, loopSubject, l.id()}
		l.standing = stands(k)
		if e := rules[i].loop(l); e != nil {
			e.pid = model.Some(l.PID)
			out = append(out, found{k, finding(&rules[i], e, l.subject(), nil), e.weight, e.then})
		}
	}
	return out
}

func finding(r *rule, e *evidence, subject string, l *listener) model.Finding {
	f := model.Finding{
		ID: r.id, Severity: e.severity, Subject: subject, Text: e.text, Numbers: e.numbers,
		Mechanism: r.mechanism, Remedy: e.remedy, Since: e.since, PID: e.pid,
	}
	for name, v := range f.Numbers {
		f.Numbers[name] = math.Round(v*1000) / 1000
	}
	if l != nil {
		f.Listener = model.Some(l.Conn)
		if !f.PID.Known {
			f.PID = l.PID
		}
	}
	return f
}
