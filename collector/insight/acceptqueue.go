// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"time"

	"beltrace/collector/model"
)

// fullAgo is how long a refusal counts as present.
const fullAgo = span

// isFull reports whether the accept queue is full now, or was when the listener closed: with a backlog of N it holds N+1.
func (l *listener) isFull() bool {
	return l.AcceptQueue.Known && l.Backlog.Known && l.AcceptQueue.V > l.Backlog.V
}

// justClosed reports whether the listener has closed since the last moment.
func (l *listener) justClosed() bool {
	return l.State == model.StateClosed && !l.last().closed
}

// acceptQueueFull: connections are refused because nobody takes the finished ones away fast enough.
var acceptQueueFull = rule{
	id: "accept-queue-full",
	mechanism: "The kernel finishes handshakes by itself and puts each connection into the accept queue, until accept() takes it (inet_csk_accept). " +
		"A backlog of N holds N+1 (sk_acceptq_is_full). Beyond it tcp_conn_request drops new SYNs and tcp_v4_syn_recv_sock drops final ACKs, without a word to the client: " +
		"it sends again after about a second, then after two, four …",
	listener: func(l *listener) *evidence {
		before := l.ago(fullAgo)
		recent := grown(l.now.full, before.full)
		others := grown(l.now.unknown, before.unknown)
		present := l.State != model.StateClosed || others > 0 || l.justClosed()
		if recent == 0 && !(l.isFull() && present) {
			return nil
		}
		e := &evidence{severity: model.Warning, numbers: l.queueNumbers(), remedy: l.remedy()}
		if l.Overflows.Known || l.now.full > 0 { // else how many is not known
			e.numbers["refused"], e.numbers["refused_10s"] = float64(l.now.full), float64(recent)
		}
		var s sentence
		l.sayQueue(&s)
		switch {
		case recent > 0:
			e.severity = model.Critical
			s.add("; ", "%s", lately(l.now.full, recent, "", "refused", "10 s"))
			if l.now.derived > 0 {
				s.add(" ", "(the reason of %d follows from the counters of the network namespace)", l.now.derived)
			}
		case others == 0:
			e.severity = l.sayUnplaced(&s, e)
		}
		if others > 0 {
			e.severity = model.Critical
			more := "refused in the last 10 s"
			if recent > 0 {
				more = "more"
			}
			s.add("; ", "%d %s, and this kernel does not say why", others, more)
			e.numbers["unexplained_10s"] = float64(others)
		}
		e.weight = float64(recent+others)*1e6 + float64(l.AcceptQueue.V)
		if c := l.cause(); len(l.Acceptors) == 0 || c.way != "" || c.failed {
			s.add(". ", "%s", l.who()) // else slow-acceptor says that it is not known
		}
		if acks := grown(l.now.finalACKs, before.finalACKs); acks > 0 {
			s.add(". ", "%s: such a client believes that it is connected", lately(sum(l.ACKDrops), acks, "", "refused at the final ACK", "10 s"))
			e.numbers["final_acks_10s"] = float64(acks)
		}
		if l.space.setting(func(n *model.Namespace) model.Opt[uint64] { return n.AbortOnOverflow }).V == 1 {
			s.add(". ", "tcp_abort_on_overflow is set: the client of a refused ACK gets a RST, unless a SYN cookie was to make the connection")
		}
		e.text = s.String()
		return e
	},
	tells: tellsDrops,
	space: func(n *space) *evidence {
		recent := grown(n.now.overflows, n.ago(fullAgo/2).overflows)
		if recent == 0 {
			return nil
		}
		return &evidence{severity: model.Critical, weight: float64(recent), numbers: map[string]float64{"refused": float64(n.now.overflows), "refused_5s": float64(recent)},
			text:   fmt.Sprintf("an accept queue was full: %s; %s", lately(n.now.overflows, recent, "", "refused", "5 s"), n.untold()),
			remedy: "Look for a listener whose accept queue comes near its backlog (page 2): its application must accept faster."}
	},
}

// sayQueue says how full the accept queue is.
func (l *listener) sayQueue(s *sentence) {
	switch {
	case l.State == model.StateClosed:
		s.add("", "accept queue was full, until the listener closed")
		if l.Backlog.Known {
			s.add("; ", "the backlog was %d", l.Backlog.V)
		}
	case l.isFull():
		s.add("", "accept queue full: %d wait, the backlog is %d", l.AcceptQueue.V, l.Backlog.V)
	case l.AcceptQueue.Known && l.Backlog.Known:
		s.add("", "accept queue was full; now %d wait, the backlog is %d", l.AcceptQueue.V, l.Backlog.V)
	default:
		s.add("", "accept queue full")
	}
}

// sayUnplaced adds what the namespace counted where nothing is known of the listener itself, and returns the severity.
func (l *listener) sayUnplaced(s *sentence, e *evidence) string {
	n := uint64(0)
	if l.space != nil && !l.countsOwn() {
		n = grown(l.space.now.overflows, l.space.ago(fullAgo).overflows)
	}
	if n == 0 {
		if l.State != model.StateClosed {
			s.add("; ", "whoever comes while it is full is refused")
		}
		return model.Warning
	}
	s.add("; ", "its network namespace counts %d refused in the last 10 s, and %s", n, l.space.untold())
	e.numbers["namespace_refused_10s"] = float64(n)
	return model.Critical
}

// countsOwn reports whether it is known how many this listener itself has refused, for whatever reason.
func (l *listener) countsOwn() bool { return l.Drops.Known || l.Overflows.Known || len(l.SYNDrops) > 0 }

// queueNumbers are the numbers of a listener's accept queue, as far as they are known.
func (l *listener) queueNumbers() map[string]float64 {
	out := map[string]float64{}
	if l.AcceptQueue.Known {
		out["accept_queue"] = float64(l.AcceptQueue.V)
	}
	if l.Backlog.Known {
		out["backlog"] = float64(l.Backlog.V)
	}
	out["arrivals_per_s"], out["accepts_per_s"] = l.ArrivalsPerSec, l.AcceptsPerSec
	return out
}

const (
	deaf    = 2 * time.Second // how long somebody must wait at a listener from which nobody ever accepted
	dozing  = 4 * time.Second // … from which somebody did; its half is shorter than keep: who accepts now and then must not make it come and go
	waiting = "An established connection waits in the accept queue until a thread calls accept() (inet_csk_accept). No timeout ends that: the client is connected, may have sent its request, and hears nothing. "
)

// nobodyAccepts: connections wait at a listener from which nobody takes them.
var nobodyAccepts = rule{
	id:        "nobody-accepts",
	mechanism: waiting + "When the queue is full the kernel refuses further clients.",
	listener: func(l *listener) *evidence {
		n := uint64(max(l.AcceptQueue.V, uint32(len(l.Waiting))))
		if l.State == model.StateClosed || n == 0 || l.waitsSince == 0 {
			return nil
		}
		if l.now.fdErrors > l.ago(span).fdErrors {
			return nil // somebody tries to: fd-limit says why it fails
		}
		since := l.waitsSince
		if len(l.Waiting) > 0 {
			since = min(since, l.Waiting[0].Since)
		}
		idle, limit := l.now.ts-max(since, l.lastAccept), deaf
		if l.lastAccept > 0 {
			limit = dozing
		}
		if !l.reaches(float64(idle), float64(limit)) {
			return nil
		}
		return l.nobody(n, idle)
	},
}

// nobody says that n connections wait, and that nobody has accepted for idle ns meanwhile.
func (l *listener) nobody(n uint64, idle int64) *evidence {
	e := &evidence{severity: model.Critical, numbers: l.queueNumbers(), since: l.now.ts - idle, weight: float64(idle),
		remedy: "Find out what the threads that should accept are doing (page 7, or: cat /proc/PID/task/*/stack), and close a listener that nobody serves any more."}
	e.numbers["waiting"], e.numbers["idle_ns"] = float64(n), float64(idle)
	var s sentence
	s.add("", "%s", waits(n))
	if came, known := l.oldest(); known {
		e.numbers["oldest_ns"] = float64(l.now.ts - came)
		more := ""
		if len(l.Waiting) > 0 && l.Waiting[0].PreExisting {
			more = "more than "
		}
		s.add(": ", "the oldest for %s%s", more, dur(l.now.ts-came))
	}
	const nobody = ", and nobody "
	switch {
	case l.lastAccept == 0 && l.PreExisting:
		s.add(nobody, "has accepted since the watch began")
	case l.lastAccept == 0:
		s.add(nobody, "has ever accepted")
	default:
		s.add(nobody, "has accepted for %s", dur(idle))
	}
	if len(l.Acceptors) > 0 {
		s.add(". ", "%s", l.idleWho())
	}
	if l.peers > 0 {
		s.add(". ", "%s the address: by SO_REUSEPORT, and the kernel goes on giving this one its share, or each is bound to a device of its own", sharers(l.peers))
		e.remedy = "Close this listener, or accept from it: with SO_REUSEPORT the kernel chooses by a hash of the addresses and does not ask who is alive. Bound to a device (SO_BINDTODEVICE, a link-local address), each gets what comes by its own."
	}
	e.text = s.String()
	return e
}

// oldest returns when the connection came that waits for the longest time. Where it is not known which ones wait, that is when
// the queue was last empty, unless somebody accepted since.
func (l *listener) oldest() (came int64, known bool) {
	if len(l.Waiting) > 0 {
		return l.Waiting[0].Since, true
	}
	return l.waitsSince, l.lastAccept <= l.waitsSince
}

func waits(n uint64) string {
	switch n {
	case 0:
		return "nobody waits"
	case 1:
		return "1 connection waits"
	}
	return count(n, "connection") + " wait"
}

func sharers(n int) string {
	if n == 1 {
		return "Another listener shares"
	}
	return count(uint64(n), "other listener") + " share"
}
