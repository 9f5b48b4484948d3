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
	l := s.Listener()
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

// dropped counts the SYNs that found the SYN queue full: for the listener, and where this kernel does not tell that for the
// namespace, in which there is no other one.
func dropped(s demo.Seen) model.Opt[uint64] {
	l := s.Listener()
	if l != nil && l.Fidelity[factSYNDrops] == model.Exact {
		return model.Some(l.SYNDrops[reasonFull])
	}
	return namespace(s, l).ReqQFullDrop
}

// checkDropped compares the refusals with the clients that found no place: more SYNs may have been dropped, since some
// are sent again.
func checkDropped(s demo.Seen) demo.Verdict {
	const least = Deaf - Room + 1
	n := s.Since(stepFull, dropped)
	e := demo.Evidence{}.With("dropped", int64(n.V)).With("found_no_place", least)
	switch {
	case !n.Known && s.Done:
		return demo.Unable("neither the reasons of the listener's refusals nor its network namespace's counters are known")
	case n.V < least:
		return pending(s, e, "fewer were dropped because the SYN queue was full")
	}
	return demo.Prove(e)
}

// namespace returns the listener's; of one that was not seen nothing is known.
func namespace(s demo.Seen, l *model.Listener) model.Namespace {
	for _, n := range s.Namespaces {
		if l != nil && n.NetNS == l.NetNS {
			return n
		}
	}
	return model.Namespace{}
}

func checkLetIn(s demo.Seen) demo.Verdict {
	l := s.Listener()
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

// cookiesSent and cookiesBack count SYN cookies, of whom dropped counts.
func cookiesSent(s demo.Seen) model.Opt[uint64] {
	if l := s.Listener(); l == nil || !l.CookiesOK.Known {
		return namespace(s, l).SyncookiesSent
	}
	return s.Listener().CookiesSent
}

func cookiesBack(s demo.Seen) model.Opt[uint64] {
	if l := s.Listener(); l == nil || !l.CookiesOK.Known {
		return namespace(s, l).SyncookiesRecv
	}
	return s.Listener().CookiesOK
}

func checkCookies(s demo.Seen) demo.Verdict {
	sent, back := s.Since(stepCookies, cookiesSent), s.Since(stepCookies, cookiesBack)
	e := demo.Evidence{}.With("connected_by_cookie", int64(back.V)).With("cookies_sent", int64(sent.V))
	switch {
	case !back.Known && s.Done:
		return demo.Unable("neither the listener's cookies nor its network namespace's are known")
	case back.V < Honest || sent.V < back.V:
		return pending(s, e, fmt.Sprintf("%d were to come in by one", Honest))
	}
	return demo.Prove(e)
}

func sentAgain(s demo.Seen) model.Opt[uint64] {
	if l := s.Listener(); l != nil {
		return model.Some(l.SYNACKAgain)
	}
	return model.Opt[uint64]{}
}

// checkSentAgain counts from the step in which the requests were made.
func checkSentAgain(s demo.Seen) demo.Verdict {
	n := s.Since(stepFull, sentAgain)
	e := demo.Evidence{}.With("syn_acks_sent_again", int64(n.V)).With("requests", Room)
	if n.V < Room {
		return pending(s, e, "fewer than one for each request")
	}
	return demo.Prove(e)
}

// checkEmpty looks for a sample after the last one that found somebody.
func checkEmpty(s demo.Seen) demo.Verdict {
	l := s.Listener()
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
