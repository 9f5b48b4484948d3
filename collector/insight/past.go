// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"slices"
	"time"

	"beltrace/collector/model"
)

// span is how far back rules look.
const span = 10 * time.Second

// marks is how many moments that are.
const marks = int(span/Period) + 1

// past is what is remembered of earlier moments, by listener, by network namespace, by event loop and by ring.
type past struct {
	listeners map[uint64]*listener
	spaces    map[uint32]*space
	loops     map[uint64]*loop
	rings     map[uint64]*ring
}

// moment is the model as rules see it: each thing with its own past.
type moment struct {
	listeners []*listener
	spaces    []*space
	loops     []*loop
	rings     []*ring
}

// listener is a listener now, and in the last seconds.
type listener struct {
	*model.Listener
	standing
	now   mark
	marks []mark // earlier ones, oldest first
	space *space
	peers int         // other open listeners on the same port
	group []*listener // those and this one; nil of a closed one
	woken []*sleeper  // those of its acceptors' processes
	// When somebody was last seen to accept, and since when somebody waits all the time; 0: never.
	lastAccept, waitsSince int64
	peak                   uint32 // the accept queue at its deepest
}

// mark is what is remembered of a listener at one moment. All counts began at 0 with the watch or the listener.
type mark struct {
	ts                    int64
	closed                bool
	depth, syn            opt32
	established, accepted uint64
	full                  uint64 // refusals because the accept queue was full
	derived               uint64 // of them, those of which the namespace's counters tell the reason
	synFull, synDerived   uint64 // … because the SYN queue was
	finalACKs             uint64 // refused final ACKs
	unknown               uint64 // … for a reason that this kernel does not tell
	cookies, cookiesOK    uint64
	reset                 uint64
	fdErrors              uint64   // accepts that failed for want of a descriptor
	waits                 []uint64 // by power of two
	threads               []thread
	takers                map[uint32]taken // by process
	askers                int              // threads that found nobody at least once
	work                  *model.Work      // never nil
	demand                model.Opt[model.Demand]
}

// taken is what the calls of accept of a process came to.
type taken struct {
	accepts, empty uint64
}

// thread is an acceptor at one moment.
type thread struct {
	pid     uint32
	tid     uint32
	accepts uint64
	times   model.Opt[model.Times]
	pace    model.Pace
}

// look joins the snapshot with the past. It changes nothing that is remembered.
func (p *past) look(s *model.Snapshot, watch Watch) *moment {
	m := &moment{loops: p.lookLoops(s), rings: p.lookRings(s)}
	byNS := map[uint32]*space{}
	for i := range s.Namespaces {
		n := p.lookSpace(&s.Namespaces[i], s.TS, watch)
		m.spaces = append(m.spaces, n)
		byNS[n.NetNS] = n
	}
	shared := map[portKey][]*listener{}
	for i := range s.Listeners {
		l := p.lookListener(&s.Listeners[i], s.TS)
		l.space = byNS[l.NetNS]
		l.derive()
		m.listeners = append(m.listeners, l)
		if l.State != model.StateClosed && l.Local != "" {
			at := portKey{l.NetNS, l.Local}
			shared[at] = append(shared[at], l)
		}
	}
	for _, l := range m.listeners {
		l.group = shared[portKey{l.NetNS, l.Local}]
		l.peers = max(len(l.group)-1, 0)
	}
	m.joinSleepers()
	return m
}

// derive counts refusals without a reason for the accept queue, or for the SYN queue, as far as the counters of the
// namespace leave nothing else: each refusal in it was for that.
func (l *listener) derive() {
	n := l.space
	if n == nil || !n.ListenDrops.Known {
		return
	}
	switch m := &l.now; n.ListenDrops {
	case n.ListenOverflows:
		m.derived = min(m.unknown, grown(n.ListenOverflows.V, m.full))
		m.full, m.unknown = m.full+m.derived, m.unknown-m.derived
	case n.ReqQFullDrop:
		m.synDerived = min(m.unknown, grown(n.ReqQFullDrop.V, m.synFull))
		m.synFull, m.unknown = m.synFull+m.synDerived, m.unknown-m.synDerived
	}
}

// portKey is what listeners share with SO_REUSEPORT.
type portKey struct {
	netns uint32
	local string
}

func (p *past) lookListener(l *model.Listener, ts int64) *listener {
	out := &listener{Listener: l, now: markOf(l, ts)}
	if old := p.listeners[l.Conn]; old != nil {
		out.marks, out.lastAccept, out.waitsSince, out.peak = old.marks, old.lastAccept, old.waitsSince, old.peak
	}
	if out.now.accepted > out.last().accepted || out.taken() {
		out.lastAccept = ts
	}
	switch depth := l.AcceptQueue.Or(uint32(len(l.Waiting))); {
	case depth == 0:
		out.waitsSince = 0
	case out.waitsSince == 0:
		out.waitsSince = ts
	}
	out.peak = max(out.peak, l.AcceptQueue.V)
	return out
}

// taken reports whether connections have left the accept queue since the last mark, seen or not: more came than it grew by.
func (l *listener) taken() bool {
	if len(l.marks) == 0 {
		return false
	}
	before := l.last()
	return before.depth.Known && l.now.depth.Known &&
		uint64(before.depth.V)+grown(l.now.established, before.established) > uint64(l.now.depth.V)
}

// keep remembers the moment, and forgets what is not there any more.
func (p *past) keep(m *moment) {
	listeners := make(map[uint64]*listener, len(m.listeners))
	for _, l := range m.listeners {
		kept := *l
		kept.Listener, kept.space, kept.group, kept.woken = nil, nil, nil, nil
		kept.marks = remember(l.marks, l.now)
		listeners[l.Conn] = &kept
	}
	spaces := make(map[uint32]*space, len(m.spaces))
	for _, n := range m.spaces {
		spaces[n.NetNS] = &space{marks: remember(n.marks, n.now)}
	}
	loops := make(map[uint64]*loop, len(m.loops))
	for _, l := range m.loops {
		loops[l.id()] = &loop{marks: remember(l.marks, l.now)}
	}
	rings := make(map[uint64]*ring, len(m.rings))
	for _, r := range m.rings {
		rings[r.id()] = &ring{marks: remember(r.marks, r.now)}
	}
	p.listeners, p.spaces, p.loops, p.rings = listeners, spaces, loops, rings
}

// remember appends a mark and drops those that are too old.
func remember[T any](all []T, now T) []T {
	if len(all) < marks {
		return append(all, now)
	}
	copy(all, all[1:])
	all[len(all)-1] = now
	return all
}

func markOf(l *model.Listener, ts int64) mark {
	m := mark{
		ts: ts, closed: l.State == model.StateClosed, depth: l.AcceptQueue, syn: l.SYNQueue, established: l.Established, accepted: l.Accepted,
		full:    max(l.SYNDrops[acceptFull], l.Overflows.V),
		synFull: l.SYNDrops[synFull] + l.SYNDrops[synLimit],
		unknown: l.SYNDrops[unknown], finalACKs: sum(l.ACKDrops),
		cookies: l.CookiesSent.V, cookiesOK: l.CookiesOK.V, reset: l.ResetWaiting, waits: l.WaitNS.Buckets,
		work: workOf(l.Work), demand: l.Threads,
	}
	if len(l.SYNDrops) == 0 && !l.Overflows.Known {
		m.unknown = l.Drops.V
	}
	for _, a := range l.Acceptors {
		if m.takers == nil {
			m.takers = make(map[uint32]taken, 1)
		}
		t := m.takers[a.PID]
		m.takers[a.PID] = taken{t.accepts + a.Accepts, t.empty + a.Empty}
		if a.Empty > 0 {
			m.askers++
		}
		for _, name := range noDescriptor {
			m.fdErrors += a.Errors[name]
		}
		if a.Between.Known {
			m.threads = append(m.threads, thread{a.PID, a.TID, a.Accepts, a.Between, a.Pace})
		}
	}
	slices.SortFunc(m.threads, func(a, b thread) int { return cmp.Compare(a.tid, b.tid) })
	for _, name := range noDescriptor {
		m.fdErrors += l.OtherAcceptors.Errors[name]
	}
	return m
}

// Reasons of refusals, as the model has them.
const (
	acceptFull = "accept_queue_full"
	synFull    = "syn_queue_full"
	synLimit   = "syn_backlog_limit"
	unknown    = "unknown"
)

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// empty reports whether the accept queue was found empty.
func (m *mark) empty() bool { return m.depth.Known && m.depth.V == 0 }

// grown returns how much a count grew. One that became smaller began anew: what it counted was forgotten, or its number
// was given again.
func grown(now, then uint64) uint64 { return now - min(now, then) }

// last returns the newest earlier mark; before there is one, the zero mark, since all counts began at 0.
func (l *listener) last() mark {
	if len(l.marks) == 0 {
		return mark{}
	}
	return l.marks[len(l.marks)-1]
}

// ago returns the listener as it was that long ago. Where it was not watched then, counts were 0 and the time is when
// it began.
func (l *listener) ago(d time.Duration) mark {
	return ago(l.marks, l.now.ts-int64(d), mark{ts: min(l.Opened, l.now.ts), work: &model.Work{}}, func(m *mark) int64 { return m.ts })
}

// ago returns the newest mark that is not younger than ts, or begin if there is none.
func ago[T any](all []T, ts int64, begin T, at func(*T) int64) T {
	for i := len(all) - 1; i >= 0; i-- {
		if at(&all[i]) <= ts {
			return all[i]
		}
	}
	if len(all) == marks { // full: what was before is forgotten
		return all[0]
	}
	return begin
}
