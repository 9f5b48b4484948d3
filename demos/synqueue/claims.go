// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// reasonFull is the reason of a SYN that found the SYN queue full.
const reasonFull = "syn_queue_full"

// factSYNDrops is the fidelity of a listener's refusals: exact where their reasons are known.
const factSYNDrops = "syn_drops"

// pending is the verdict while evidence is incomplete; at the end it refutes.
func pending(s demo.Seen, e demo.Evidence, why string) demo.Verdict {
	if s.Done {
		return demo.Refute(e, why)
	}
	return demo.Wait(e)
}

// listener returns the server's listener, nil before it was seen.
func listener(s demo.Seen) *model.Listener {
	for i := range s.Listeners {
		if s.Listeners[i].Local == s.Server.Addr {
			return &s.Listeners[i]
		}
	}
	return nil
}

// deepest returns the longest that samples found the SYN queue in a time, and how many there were. A sample stands for
// its second.
func deepest(l *model.Listener, from, to int64) (most, samples int64) {
	for _, q := range l.History {
		if q.SYNQueue.Known && q.TS >= from && q.TS < to {
			most, samples = max(most, int64(q.SYNQueue.V)), samples+1
		}
	}
	return most, samples
}

func checkFull(s demo.Seen) demo.Verdict {
	l := listener(s)
	if l == nil || !l.Backlog.Known {
		return pending(s, nil, "the listener's backlog was not seen")
	}
	from, to, over := s.Step(stepFull)
	most, samples := deepest(l, from, to)
	e := demo.Evidence{}.With("syn_queue", most).With("backlog", int64(l.Backlog.V)).With("samples", samples)
	switch {
	case !over:
		return pending(s, e, "the step did not end")
	case samples == 0:
		return demo.Unable("no sample fell into the time")
	}
	return demo.Equal(e, "SYN queue", int(most), int(l.Backlog.V)+1)
}

func checkNothing(s demo.Seen) demo.Verdict {
	served := s.Served(stepFull)
	e := demo.Evidence{}.With("established", int64(len(served))).With("begun", int64(len(begun(s))))
	if _, _, over := s.Step(stepFull); !over {
		return pending(s, e, "the step did not end")
	}
	if len(begun(s)) < Deaf {
		return pending(s, e, fmt.Sprintf("%d clients were to begin", Deaf))
	}
	return demo.Equal(e, "established", len(served), 0)
}

// begun returns the clients that called connect in the first step.
func begun(s demo.Seen) []model.Connection {
	from, to, _ := s.Step(stepFull)
	var out []model.Connection
	for i := range s.Connections {
		c := &s.Connections[i]
		if at := demo.Moment(c, event.Connect); c.Role == event.RoleClient && s.Server.Serves(c.Remote) && at >= from && at < to {
			out = append(out, *c)
		}
	}
	return out
}

func checkTurnedAway(s demo.Seen) demo.Verdict {
	_, to, over := s.Step(stepFull)
	away, waited := 0, int64(0)
	for _, c := range begun(s) {
		if c.Closed.Known && c.Closed.V < to && demo.Moment(&c, event.Established) == 0 {
			away, waited = away+1, c.Closed.V-demo.Moment(&c, event.Connect)
		}
	}
	e := demo.Evidence{}.With("gave_up", int64(away)).With("after_ns", waited)
	if !over {
		return pending(s, e, "the step did not end")
	}
	return demo.Equal(e, "gave up", away, 1)
}

// checkDropped compares the refusals with the clients that found no place: more SYNs may have been dropped, since some
// are sent again. It asks the listener's own count, and where this kernel does not tell it that of the namespace, in
// which there is no other listener.
func checkDropped(s demo.Seen) demo.Verdict {
	const least = Deaf - Room + 1
	l := listener(s)
	if l == nil {
		return pending(s, nil, "the listener was not seen")
	}
	dropped, known := l.SYNDrops[reasonFull], l.Fidelity[factSYNDrops] == model.Exact
	if n := namespace(s, l); !known && n != nil && n.ReqQFullDrop.Known {
		dropped, known = n.ReqQFullDrop.V, true
	}
	e := demo.Evidence{}.With("dropped", int64(dropped)).With("found_no_place", least)
	switch {
	case !known && s.Done:
		return demo.Unable("neither the reasons of the listener's refusals nor its network namespace's counters are known")
	case dropped < least:
		return pending(s, e, "fewer were dropped because the SYN queue was full")
	}
	return demo.Prove(e)
}

// namespace returns the listener's, nil before it was seen.
func namespace(s demo.Seen, l *model.Listener) *model.Namespace {
	for i := range s.Namespaces {
		if s.Namespaces[i].NetNS == l.NetNS {
			return &s.Namespaces[i]
		}
	}
	return nil
}

func checkLetIn(s demo.Seen) demo.Verdict {
	l := listener(s)
	from, to, over := s.Step(stepCookies)
	if l == nil || !over {
		return pending(s, nil, "the step did not end")
	}
	took := demo.Known(s.Dialled(stepCookies), func(c *model.Connection) model.Opt[int64] { return c.HandshakeNS })
	most, samples := deepest(l, from, to)
	e := demo.Evidence{}.With("connected", int64(len(took))).With("syn_queue", most).With("connect_p50_ns", demo.Median(took)).
		With("backlog", int64(l.Backlog.V))
	switch {
	case len(took) < Honest:
		return pending(s, e, fmt.Sprintf("%d were to be connected", Honest))
	case samples == 0:
		return demo.Unable("no sample fell into the time")
	case most <= int64(l.Backlog.V):
		return demo.Refute(e, "the SYN queue was not full")
	case demo.Quantile(took, 1) >= int64(patience):
		return demo.Refute(e, "one had to send its SYN again")
	}
	return demo.Prove(e)
}

// checkCookies asks whom checkDropped asks.
func checkCookies(s demo.Seen) demo.Verdict {
	l := listener(s)
	if l == nil {
		return pending(s, nil, "the listener was not seen")
	}
	if l.CookiesOK.Known {
		return cookies(s, l.CookiesSent, l.CookiesOK)
	}
	if n := namespace(s, l); n != nil && n.SyncookiesRecv.Known {
		return cookies(s, n.SyncookiesSent, n.SyncookiesRecv)
	}
	if s.Done {
		return demo.Unable("neither the listener's cookies nor its network namespace's are known")
	}
	return demo.Wait(nil)
}

func cookies(s demo.Seen, sent, back model.Opt[uint64]) demo.Verdict {
	e := demo.Evidence{}.With("connected_by_cookie", int64(back.V)).With("cookies_sent", int64(sent.V))
	if back.V < Honest || sent.V < back.V {
		return pending(s, e, fmt.Sprintf("%d were to come in by one", Honest))
	}
	return demo.Prove(e)
}

func checkSentAgain(s demo.Seen) demo.Verdict {
	l := listener(s)
	if l == nil {
		return pending(s, nil, "the listener was not seen")
	}
	e := demo.Evidence{}.With("syn_acks_sent_again", int64(l.SYNACKAgain)).With("requests", Room)
	if l.SYNACKAgain < Room {
		return pending(s, e, "fewer than one for each request")
	}
	return demo.Prove(e)
}

// checkEmpty looks for a sample after the last one that found somebody.
func checkEmpty(s demo.Seen) demo.Verdict {
	l := listener(s)
	from, _, over := s.Step(stepGone)
	if l == nil || len(s.Steps) <= stepGone {
		return pending(s, nil, "the clients did not leave")
	}
	last, samples := int64(-1), int64(0)
	for _, q := range l.History {
		if q.SYNQueue.Known && q.TS >= from {
			last, samples = int64(q.SYNQueue.V), samples+1
		}
	}
	e := demo.Evidence{}.With("syn_queue", last).With("samples", samples).With("client_saw_it_after_ns", int64(s.Notes["empty_after_ns"]))
	switch {
	case samples == 0 && s.Done:
		return demo.Unable("no sample fell into the time")
	case last != 0 || !over && samples == 0:
		return pending(s, e, "it is not")
	}
	return demo.Prove(e)
}
